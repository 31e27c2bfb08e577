"""Who hears an event is awake before who sends it; what others need is left running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from mlops_airflow.pausing import Switch, all_dags, start_order, starting, stopping, switch
from mlops_airflow.projects import find_model
from mlops_airflow.rest import AirflowApi, Dag
from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

pytestmark = pytest.mark.usefixtures("example_projects")


def model(name: str) -> ModelSpec:
    return find_model(name, DAGS)


def dags(*specs: ModelSpec, paused: Any = ()) -> dict[str, Dag]:
    names = {name for spec in specs for name in all_dags(spec)}
    return {name: Dag(name, paused is True or name in paused, False, "dag.py") for name in names}


def running(switches: list[Switch]) -> list[str]:
    return [one.dag_id for one in switches if one.becomes == "running"]


def test_consumers_start_first_and_the_decision_last() -> None:
    assert start_order(model("flight_delays")) == [
        "flight_delays.rollback",
        "flight_delays.release",
        "flight_delays.train",
        "flight_delays.monitor",
        "flight_delays.score",
        "arrivals.refresh",
        "arrivals.ingest",
        "weather.ingest",
        "flights.ingest",
        "flight_delays.decide",
    ]


def test_what_is_derived_starts_before_its_inputs_and_stops_after_them() -> None:
    spec = model("machine_failures")
    order = all_dags(spec)
    assert order.index("machine_trends.ingest") < order.index("readings.ingest")
    stopped = [one.dag_id for one in stopping(spec, dags(spec), [spec], {})]
    assert stopped == order[::-1]


def test_start_changes_only_what_is_paused() -> None:
    spec = model("demand")
    switches = starting(spec, dags(spec, paused={"demand.score", "offers.ingest"}))
    assert {one.dag_id for one in switches if one.was != one.becomes} == {
        "demand.score",
        "offers.ingest",
    }
    calls: list[tuple[str, bool]] = []

    class Api:
        def set_paused(self, dag_id: str, *, paused: bool) -> None:
            calls.append((dag_id, paused))

    switch(cast("AirflowApi", Api()), switches)
    assert calls == [("demand.score", False), ("offers.ingest", False)]


def test_start_says_what_runs_next() -> None:
    spec = model("flight_delays")
    noon = datetime(2013, 6, 15, 12, tzinfo=UTC)
    notes = {one.dag_id: one.note for one in starting(spec, dags(spec, paused=True), now=noon)}
    # Ticks of the morning of the 15th: the day before, labels of two days, late ones of a week ago.
    assert notes["flights.ingest"] == "at once, for 2013-06-14"
    assert notes["arrivals.ingest"] == "at once, for 2013-06-12"
    assert notes["arrivals.refresh"] == "at once, for 2013-06-07"
    assert notes["flight_delays.decide"] == "at once, as of 2013-06-14"
    assert notes["flight_delays.score"] == "at the next event"


def test_the_monthly_reproduction_starts_and_stops_with_the_model() -> None:
    """And a replay, which would begin it before there is a champion, leaves it as it is."""
    spec = model("demand")
    assert "demand.reproduce" not in start_order(spec)
    (first, *_) = starting(spec, dags(spec, paused=True))
    assert (first.dag_id, first.becomes) == ("demand.reproduce", "running")
    assert first.note == "on the first of a month, or from its form"
    (*_, last) = stopping(spec, dags(spec), [spec], {})
    assert (last.dag_id, last.becomes) == ("demand.reproduce", "paused")


def test_the_reproduction_does_not_run_as_soon_as_it_is_unpaused() -> None:
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronPartitionTimetable

    from mlops_airflow.reproduction import reproduce_dag

    dag = reproduce_dag(model("demand"))
    assert (dag.start_date, dag.catchup) == (None, False)
    ticks = dag.timetable
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    core = CronPartitionTimetable(
        ticks.expression,
        timezone="UTC",
        key_format=ticks.key_format,
        run_immediately=ticks.run_immediately,
    )
    found = core.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    assert found is not None
    assert found.run_after > datetime.now(UTC)
    assert (found.run_after.day, found.run_after.hour) == (1, 6)


def test_start_says_which_data_have_ended_or_not_begun() -> None:
    spec = model("flight_delays")
    later = datetime(2014, 6, 15, 12, tzinfo=UTC)
    notes = {one.dag_id: one.note for one in starting(spec, dags(spec, paused=True), now=later)}
    assert notes["flights.ingest"] == "never: its data have ended with 2013-12-31"
    assert notes["flight_delays.decide"] == "never: its data have ended"
    before = datetime(2012, 6, 15, 12, tzinfo=UTC)
    notes = {one.dag_id: one.note for one in starting(spec, dags(spec, paused=True), now=before)}
    assert notes["flights.ingest"] == "for 2013-01-01"


def test_datasets_of_another_started_model_are_left_running() -> None:
    failures, heat = model("machine_failures"), model("machine_heat")
    both = dags(failures, heat)
    switches = stopping(failures, both, [failures, heat], {})
    assert running(switches) == ["readings.ingest", "machine_trends.ingest"]
    notes = {one.dag_id: one.note for one in switches}
    assert notes["readings.ingest"] == "left running: model machine_heat reads it"
    asleep = both | dags(
        heat, paused={f"machine_heat.{v}" for v in ("train", "score", "decide", "monitor")}
    )
    assert running(stopping(failures, asleep, [failures, heat], {})) == []


def test_what_an_ordinary_dag_waits_for_is_left_running_with_its_inputs() -> None:
    spec = model("machine_failures")
    known = dags(spec) | {"worklist": Dag("worklist", False, False, "dag.py")}
    consumers = {
        "readings": ["machine_trends.ingest"],
        "machine_trends": ["machine_failures.score", "worklist"],
        "failures": ["machine_failures.monitor"],
    }
    switches = stopping(spec, known, [spec], consumers)
    assert running(switches) == ["readings.ingest", "machine_trends.ingest"]
    known["worklist"] = Dag("worklist", True, False, "dag.py")
    assert running(stopping(spec, known, [spec], consumers)) == []


def test_stopping_twice_changes_nothing() -> None:
    spec = model("demand")
    switches = stopping(spec, dags(spec, paused=True), [spec], {})
    assert all(one.was == one.becomes == "paused" for one in switches)
