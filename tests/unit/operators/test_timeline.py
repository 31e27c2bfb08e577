"""The page of a model, as real steps write it: by the monitoring, and by the clock of decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.links import TimelineLink
from mlops_airflow.operators.base import StepOperator
from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.incidents import WatchIncidentsOperator
from mlops_airflow.operators.monitor import MeasureDriftOperator, MeasurePerformanceOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_tasks.timeline import timeline_address
from tests.unit.operators.conftest import context
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NIGHT = day(17)
URL = "http://localhost:8080/mlops/reports/late_orders__timeline/newest"


class Said:
    """The facts of every summary block, and the warnings beside them."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, Any]] = {}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    found = Said()

    def keep(_: object, title: str, facts: Any) -> None:
        found.facts[title] = dict(facts)

    monkeypatch.setattr(StepOperator, "report", keep)
    return found


def run(operator: Any, key: str) -> Any:
    return operator.execute(context(operator, key=key))


def page_of(world: World) -> Path:
    return world.lake.root / timeline_address(world.spec.name)


@pytest.fixture
def measured(stack: Stack, said: Said) -> tuple[World, MeasurePerformanceOperator]:
    """Three days that were scored, compared, and whose labels are there."""
    world, _ = stack
    for number in (15, 16, 17):
        score = ScorePartitionOperator(task_id="score", model=world.spec)
        scored = run(score, day(number))
        run(MeasureDriftOperator(task_id="drift", model=world.spec, scored=scored), day(number))
    assert not page_of(world).exists()
    monitor = MeasurePerformanceOperator(task_id="monitor", model=world.spec)
    run(monitor, NIGHT)
    return world, monitor


def decide(world: World) -> WatchIncidentsOperator:
    decision = run(DecideRetrainingOperator(task_id="decide", model=world.spec), NIGHT)
    watch = WatchIncidentsOperator(task_id="incidents", model=world.spec, decision=decision)
    run(watch, NIGHT)
    return watch


def test_monitor_says_all_in_one_block_and_writes_the_page(
    measured: tuple[World, MeasurePerformanceOperator], said: Said
) -> None:
    world, monitor = measured
    facts = said.facts[f"performance of late_orders {NIGHT}"]
    (metric, *_) = facts["checks"]
    assert metric.startswith("ok     ROC AUC ")
    assert "at the gate; alarm below " in metric
    (entry,) = world.ledger.entries(kind="performance")
    check = entry.evidence["checks"][0]
    assert metric.endswith(f"; interval {check['lower']:.4f} to {check['upper']:.4f}")
    assert facts["decision"] == "none yet"
    assert facts["next check"].endswith(f"labels of {day(18)} are due by the end of {day(20)}")
    assert facts["timeline"] == monitor.timeline_url == URL
    assert TimelineLink().get_link(monitor, ti_key=None) == URL  # type: ignore[arg-type]
    page = page_of(world).read_text()
    assert f"ROC AUC {check['value']:.4f} on " in page
    assert page.count('role="img"') > 6
    assert "not decided yet" in page


def test_the_clock_adds_the_decision_and_the_incidents(
    measured: tuple[World, MeasurePerformanceOperator], said: Said
) -> None:
    world, _ = measured
    watch = decide(world)
    assert said.facts[f"incidents of late_orders as of {NIGHT}"]["timeline"] == URL
    assert watch.timeline_url == URL
    assert TimelineLink in {type(link) for link in watch.operator_extra_links}
    page = page_of(world).read_text()
    assert "not decided yet" not in page
    assert f"as of {NIGHT}: " in page
    run(MeasurePerformanceOperator(task_id="monitor", model=world.spec), day(16))
    facts = said.facts[f"performance of late_orders {day(16)}"]
    assert f" as of {NIGHT}, because " in facts["decision"]
    assert facts["next check"].startswith(f"the decision as of {day(18)}, due {day(19)} 03:00 UTC")
    # Of an older partition that was measured late, the newest one counts.
    assert f"labels of {day(18)} " in facts["next check"]


def test_where_no_labels_come_the_clock_still_writes_it(stack: Stack, said: Said) -> None:
    world, _ = stack
    decide(world)
    page = page_of(world).read_text()
    assert "not measured yet" in page
    assert "late_orders: not scored" in page


def test_a_page_that_cannot_be_written_keeps_nothing_from_being_measured(
    stack: Stack, said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    world, _ = stack
    folder = page_of(world).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    run(ScorePartitionOperator(task_id="score", model=world.spec), NIGHT)
    monitor = MeasurePerformanceOperator(task_id="monitor", model=world.spec)
    kept = run(monitor, NIGHT)
    (entry,) = world.ledger.entries(kind="performance")
    assert entry.evidence == kept
    assert said.facts[f"performance of late_orders {NIGHT}"]["timeline"] == ""
    assert TimelineLink().get_link(monitor, ti_key=None) == ""  # type: ignore[arg-type]
    assert "the timeline of late_orders was not written: " in "".join(capsys.readouterr())
    assert TimelineLink().get_link(decide(world), ti_key=None) == ""  # type: ignore[arg-type]
