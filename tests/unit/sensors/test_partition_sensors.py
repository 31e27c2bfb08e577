"""Sensors of partitions and labels: on a worker, deferred, and when time is over."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from mlops_airflow.sensors.partitions import LabelSensor, PartitionSensor
from mlops_airflow.triggers.partitions import PartitionTrigger
from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.lake.arrivals import Arrivals
from mlops_tasks.specs import DatasetSpec
from tests.unit.operators.conftest import context
from tests.unit.visits import VISITS, day, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.lake import Lake

KEY = day(3)


@pytest.fixture
def clinic(lake: Lake, connect: Callable[..., None]) -> Lake:
    connect("lake_default", conn_type="file", extra={"path": str(lake.root)})
    return lake


def publish(lake: Lake, key: str = KEY, table: str = "visits") -> None:
    overwrite_partition(lake.table(table), key, rows_of(key), token=1, known_at=key)


def dataset(**changes: Any) -> DatasetSpec:
    fields = {name: getattr(VISITS, name) for name in VISITS.model_fields_set}
    return DatasetSpec(**(fields | changes))


def sensor(kind: Any = PartitionSensor, **options: Any) -> Any:
    what = {"table": VISITS} if kind is PartitionSensor else {"dataset": VISITS}
    return kind(**({"task_id": "wait", "poke_interval": 0.01, "timeout": 0.05} | what | options))


def execute(operator: Any, key: str | None = KEY) -> Any:
    return operator.execute(context(operator, key=key))


def event(trigger: PartitionTrigger) -> dict[str, Any]:
    """Run a trigger as the triggerer does, from what it is stored as, to its one event."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(__import__(module, fromlist=[name]), name)(**json.loads(json.dumps(kwargs)))

    async def first() -> Any:
        events = [one async for one in again.run()]
        assert len(events) == 1
        return events[0].payload

    found: dict[str, Any] = json.loads(json.dumps(asyncio.run(first())))
    return found


# --- on a worker


def test_a_published_partition_is_there_at_once(clinic: Lake) -> None:
    publish(clinic)
    found = execute(sensor())
    assert [(one["partition"], one["n_rows"]) for one in found["visits"]] == [(KEY, 40)]
    assert json.loads(json.dumps(found)) == found


def test_what_is_published_meanwhile_ends_the_wait(clinic: Lake) -> None:
    later = threading.Timer(0.2, publish, [clinic])
    later.start()
    assert execute(sensor(timeout=20))["visits"][0]["partition"] == KEY
    later.join()


def test_time_that_is_over_fails_or_skips(clinic: Lake) -> None:
    publish(clinic, day(2))
    with pytest.raises(AirflowSensorTimeout):
        execute(sensor())
    with pytest.raises(AirflowSkipException):
        execute(sensor(soft_fail=True))


def test_several_tables_are_waited_for(clinic: Lake) -> None:
    operator = sensor(table=(VISITS, "staff"))
    publish(clinic)
    with pytest.raises(AirflowSensorTimeout):
        execute(operator)
    publish(clinic, table="staff")
    assert set(execute(operator)) == {"visits", "staff"}


def test_a_finer_dataset_needs_all_its_partitions() -> None:
    hourly = dataset(name="hours", grain="hour")
    operator = sensor(table=(VISITS, hourly))
    wanted = operator.wanted("2024-03-10")
    assert wanted["visits"] == ["2024-03-10"]
    assert (len(wanted["hours"]), wanted["hours"][0]) == (24, "2024-03-10T00")


@pytest.mark.parametrize("rendered", ["", "None"])
def test_a_template_that_renders_empty_is_refused(clinic: Lake, rendered: str) -> None:
    with pytest.raises(AirflowFailException, match="names no partition"):
        execute(sensor(partition=rendered))


# --- deferred


def deferred(operator: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as found:
        execute(operator)
    return found.value


def test_what_is_there_needs_no_triggerer(clinic: Lake) -> None:
    publish(clinic)
    assert execute(sensor(deferrable=True))["visits"][0]["partition"] == KEY


def test_a_deferred_sensor_hears_of_the_partition(clinic: Lake) -> None:
    operator = sensor(deferrable=True, timeout=20)
    wait = deferred(operator)
    later = threading.Timer(0.2, publish, [clinic])
    later.start()
    found = event(wait.trigger)
    later.join()
    assert operator.execute_complete({}, found)["visits"][0]["partition"] == KEY


@pytest.mark.parametrize(
    ("soft", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
)
def test_a_deferred_sensor_gives_up_and_says_what_is_missing(
    clinic: Lake, soft: bool, error: type[Exception]
) -> None:
    operator = sensor(deferrable=True, soft_fail=soft, table=(VISITS, "staff"))
    publish(clinic)
    found = event(deferred(operator).trigger)
    assert found == {"status": "timeout", "missing": {"staff": [KEY]}}
    with pytest.raises(error) as raised:
        operator.resume_execution("execute_complete", {"event": found}, {})
    if not soft:
        assert "these are not published: staff: 2024-03-04" in str(raised.value)


def test_a_triggerer_that_starts_anew_counts_on(clinic: Lake) -> None:
    trigger = deferred(sensor(deferrable=True, timeout=0.3)).trigger
    time.sleep(0.4)
    began = time.monotonic()
    assert event(trigger)["status"] == "timeout"
    assert time.monotonic() - began < 0.3


def test_the_lake_is_read_off_the_event_loop(clinic: Lake) -> None:
    threads: set[str] = set()
    look = Arrivals.missing

    def watched(self: Arrivals) -> Any:
        threads.add(threading.current_thread().name)
        return look(self)

    trigger = deferred(sensor(deferrable=True)).trigger
    with patch.object(Arrivals, "missing", watched):
        event(trigger)
    assert threads
    assert threading.main_thread().name not in threads


def test_a_lake_that_is_away_is_asked_again(clinic: Lake) -> None:
    publish(clinic)
    answers = iter([ConnectionError("away"), None])
    look = Arrivals.missing

    def flaky(self: Arrivals) -> Any:
        if (error := next(answers)) is not None:
            raise error
        return look(self)

    trigger = PartitionTrigger({"visits": [KEY]}, "lake_default", 0.01, time.time() + 20)
    with patch.object(Arrivals, "missing", flaky):
        assert event(trigger)["status"] == "success"


def test_an_error_is_said(clinic: Lake) -> None:
    publish(clinic)
    operator = sensor(deferrable=True, table="staff")
    wait = deferred(operator)
    with patch.object(Arrivals, "missing", side_effect=RuntimeError("broken")):
        found = event(wait.trigger)
    with pytest.raises(AirflowFailException, match="RuntimeError: broken"):
        operator.execute_complete({}, found)


# --- labels


def due_at(operator: LabelSensor, key: str = KEY) -> datetime:
    return datetime.fromtimestamp(operator.not_before(key), UTC)


def test_labels_are_mature_when_their_delay_has_passed() -> None:
    midnight = datetime(2024, 3, 5, tzinfo=UTC)  # the day 2024-03-04 has ended
    delay = dataset(delay="2d", refresh_after="7d")
    assert due_at(sensor(LabelSensor)) == midnight
    assert due_at(sensor(LabelSensor, dataset=delay)) == midnight + timedelta(days=2)
    late = sensor(LabelSensor, dataset=delay, late=True)
    assert due_at(late) == midnight + timedelta(days=7)
    hourly = dataset(grain="hour", delay="6h", cron="5 * * * *")
    operator = sensor(LabelSensor, dataset=hourly)
    assert due_at(operator, "2024-03-04T05") == datetime(2024, 3, 4, 12, tzinfo=UTC)
    berlin = dataset(timezone="Europe/Berlin")
    assert due_at(sensor(LabelSensor, dataset=berlin)) == midnight - timedelta(hours=1)


def test_published_labels_wait_for_their_delay(clinic: Lake) -> None:
    publish(clinic)
    assert execute(sensor(LabelSensor))["visits"][0]["partition"] == KEY
    today = datetime.now(UTC).date()
    fresh = (today - timedelta(days=1)).isoformat()
    publish(clinic, fresh)
    slow = dataset(delay="3d", start=date(2024, 3, 1))
    with pytest.raises(AirflowSensorTimeout):
        execute(sensor(LabelSensor, dataset=slow), fresh)
    operator = sensor(LabelSensor, dataset=slow, deferrable=True)
    with pytest.raises(TaskDeferred) as found:
        execute(operator, fresh)
    assert event(found.value.trigger) == {"status": "timeout", "missing": {"visits": [fresh]}}


# --- wrong uses


@pytest.mark.parametrize("interval", [-1, 0, timedelta(seconds=-5)])
def test_looks_need_time_between_them(interval: Any) -> None:
    with pytest.raises(SpecError, match="PartitionSensor 'wait': poke_interval= is"):
        sensor(poke_interval=interval)


def test_wrong_sensors_are_refused_while_the_dag_is_parsed() -> None:
    with pytest.raises(SpecError, match="table= is empty"):
        sensor(table=())
    with pytest.raises(SpecError, match="table=: name 'The Visits' is not allowed"):
        sensor(table="The Visits")
    with pytest.raises(SpecError, match="LabelSensor 'wait': dataset= is a DatasetSpec"):
        sensor(LabelSensor, dataset="visits")
    with pytest.raises(SpecError, match="has no refresh_after"):
        sensor(LabelSensor, late=True)
