"""Latency: what the clock says, what the machine is to blame for, and what can be told from it."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from mlops_tasks.gate import latency
from mlops_tasks.gate.latency import Latency, measure_latency

ROWS = pa.table({"x": [1.0, 2.0, 3.0]})


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_one_row_and_a_batch_are_measured() -> None:
    asked: list[int] = []

    def score(rows: pa.Table) -> None:
        asked.append(rows.num_rows)
        work(0.002)

    found = measure_latency(score, ROWS, most_s=0.2)
    assert 50 <= found.n_calls <= 100
    assert 2 <= found.p50_ms <= found.p99_ms
    assert 2 <= found.least_p99_ms <= found.p99_ms <= found.wall_p99_ms
    assert (found.batch_rows, asked[-3:]) == (1000, [1000, 1000, 1000])
    assert found.batch_ms >= 2
    assert asked[:-3] == [1] * (3 + found.n_calls)


def test_a_percentile_has_calls_enough_however_slow_the_model() -> None:
    found = measure_latency(lambda _: time.sleep(0.001), ROWS, most_s=0.0)
    assert found.n_calls == 50


def test_what_the_thread_waited_for_its_turn_is_not_the_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited = iter(range(0, 10**12, 10**9))  # a second in each call: longer than the call took
    monkeypatch.setattr(latency, "_waited_ns", lambda: next(waited))
    found = measure_latency(lambda _: time.sleep(0.001), ROWS, most_s=0.0)
    assert found.wall_p99_ms >= 1
    assert (found.p50_ms, found.p99_ms, found.least_p99_ms) == (0.0, 0.0, 0.0)


def test_a_wait_is_not_the_models() -> None:
    found = measure_latency(lambda _: time.sleep(0.005), ROWS, most_s=0.0)
    assert found.p50_ms < 2.5 < 5 <= found.wall_p99_ms


def test_a_system_that_does_not_tell_is_taken_at_its_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(latency, "_SCHEDULED", type(latency._SCHEDULED)(f"{tmp_path}/none"))
    assert latency._waited_ns() == 0


@pytest.mark.parametrize(
    ("p99", "least", "answer"),
    [
        (99.0, 98.0, "fine"),
        (100.0, 99.0, "fine"),
        (180.0, 20.0, "cannot tell"),
        (180.0, 100.0, "cannot tell"),
        (180.0, 101.0, "alarm"),
    ],
)
def test_only_what_is_slow_when_nothing_disturbs_is_too_slow(
    p99: float, least: float, answer: str
) -> None:
    assert Latency(100, 1.0, p99, 2 * p99, least, 1000, 9.0).answer(100) == answer
