"""What a replay shows where no bars are drawn: something, at least every half minute."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from mlops_airflow.replay import View
from mlops_airflow.rest import DagRun


class Clock:
    """Shows what it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("mlops_airflow.replay.progress.time.monotonic", found)
    return found


def running(number: int) -> list[DagRun]:
    return [
        DagRun(
            "orders.ingest", f"r{n}", "running", f"2024-03-{n + 1:02d}", "manual", None, None, None
        )
        for n in range(number)
    ]


def test_a_long_history_is_counted_every_half_minute(clock: Clock) -> None:
    out = StringIO()
    view = View(Console(file=out, width=300))
    with view.stage("History: 20 partitions", 20) as stage:
        for second in range(100):
            clock.now = float(second)
            stage.watch_backfill(running(20 - second // 10), [])
    lines = out.getvalue().splitlines()
    assert lines[0].endswith("History: 20 partitions:")
    assert [line.rpartition("… ")[2].split(":")[0] for line in lines[1:]] == [
        "3 of 20 done",
        "6 of 20 done",
        "9 of 20 done",
    ]
    assert "orders.ingest[2024-03-01] running" in lines[1]


def test_a_round_that_lasts_says_what_it_waits_for_and_lines_count_as_signs_of_life(
    clock: Clock,
) -> None:
    out = StringIO()
    view = View(Console(file=out, width=300))
    with view.stage("The days", 3) as stage:
        clock.now = 29.0
        stage.watch(running(1), [])
        view.say("a round is done")
        clock.now = 58.0
        stage.watch(running(1), [])
        assert len(out.getvalue().splitlines()) == 2
        clock.now = 59.0
        stage.watch(running(1), [])
    assert out.getvalue().splitlines()[2].endswith("… orders.ingest[2024-03-01] running")


def test_bars_need_no_lines(clock: Clock) -> None:
    out = StringIO()
    view = View(Console(file=out, width=300, force_terminal=True, color_system=None))
    clock.now = 500.0
    view.keep_alive("orders.ingest")
    assert out.getvalue() == ""
