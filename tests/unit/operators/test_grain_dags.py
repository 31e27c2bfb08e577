"""Dags at every grain: which key each tick takes, and which keys start a run, by Airflow's classes.

Berlin puts its clocks forward on 31 March 2024 and back on 27 October.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.serialization.decoders import decode_partition_mapper
from airflow.serialization.encoders import coerce_to_core_timetable, encode_partition_mapper
from airflow.timetables.base import TimeRestriction
from pendulum import instance

from mlops_airflow.lifecycle import dataset_dags, model_dags
from mlops_airflow.partition_mappers import CoarserMapper, waiting_for_all
from mlops_airflow.timetables import decision_timetable
from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import GRAINS, Partition
from mlops_tasks.specs import InputSpec, LabelSpec
from tests.unit.machines import ZONE, dataset, failures, project, readings

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG


def runs(dag: DAG, start: datetime, n: int) -> list[tuple[str, str]]:
    """Return when the first n runs from a moment on start, by Berlin's clock, and their keys."""
    timetable, last, found = coerce_to_core_timetable(dag.timetable), None, []
    for _ in range(n):
        limits = TimeRestriction(earliest=instance(start), latest=None, catchup=True)
        last = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=limits)
        assert last is not None
        ran = last.run_after.in_timezone(ZONE).format("YYYY-MM-DDTHH:mm")
        found.append((ran, str(last.partition_key)))
    return found


@pytest.mark.parametrize(
    ("grain", "changes", "start", "wanted"),
    [
        (
            "hour",
            {},
            datetime(2024, 3, 31, 0, 30, tzinfo=UTC),
            [
                ("2024-03-31T03:05", "2024-03-31T00"),
                ("2024-03-31T04:05", "2024-03-31T01"),
                ("2024-03-31T05:05", "2024-03-31T02"),
            ],
        ),
        (
            "hour",
            {"delay": "1d"},
            datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
            [("2024-10-27T02:05", "2024-10-26T00"), ("2024-10-27T03:05", "2024-10-26T01")],
        ),
        (
            "day",
            {"cron": "0 4 * * *"},
            datetime(2024, 2, 28, 12, tzinfo=UTC),
            [
                ("2024-02-29T04:00", "2024-02-28"),
                ("2024-03-01T04:00", "2024-02-29"),
                ("2024-03-02T04:00", "2024-03-01"),
            ],
        ),
        (
            "week",
            {},
            datetime(2024, 12, 29, 12, tzinfo=UTC),
            [("2024-12-30T01:00", "2024-12-23"), ("2025-01-06T01:00", "2024-12-30")],
        ),
        (
            "week",
            {"cron": "0 4 * * wed", "delay": "7d"},
            datetime(2024, 3, 26, 12, tzinfo=UTC),
            [("2024-03-27T04:00", "2024-03-11"), ("2024-04-03T04:00", "2024-03-18")],
        ),
        (
            "month",
            {"cron": "0 4 5 * *"},
            datetime(2023, 12, 31, tzinfo=UTC),
            [
                ("2024-01-05T04:00", "2023-12"),
                ("2024-02-05T04:00", "2024-01"),
                ("2024-03-05T04:00", "2024-02"),
            ],
        ),
    ],
)
def test_a_tick_takes_the_partition_that_has_ended(
    tmp_path: Path,
    grain: str,
    changes: dict[str, Any],
    start: datetime,
    wanted: list[tuple[str, str]],
) -> None:
    (ingest,) = dataset_dags(readings(tmp_path, grain=grain, **changes))
    assert runs(ingest, start, len(wanted)) == wanted


@pytest.mark.parametrize("grain", GRAINS)
def test_a_year_of_ticks_takes_every_partition_once_after_its_end(
    tmp_path: Path, grain: str
) -> None:
    spec = readings(tmp_path, grain=grain)
    (ingest,) = dataset_dags(spec)
    n = {"hour": 24 * 20, "day": 366, "week": 53, "month": 24}[grain]
    start = datetime(2024, 10, 20, tzinfo=UTC)
    found = runs(ingest, start, n)
    keys = [key for _, key in found]
    assert keys == spec.calendar.range(keys[0], keys[-1])
    assert ingest.start_date == spec.partition(spec.first).start
    for ran, key in found:
        if grain != "hour":  # which run by the clock of UTC
            assert datetime.fromisoformat(ran) >= spec.partition(key).local_end


@pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
def test_a_run_by_hand_takes_the_keys_of_the_grain(tmp_path: Path, grain: str) -> None:
    spec = readings(tmp_path, grain=grain)
    timetable = coerce_to_core_timetable(dataset_dags(spec)[0].timetable)
    key = spec.calendar.key_of(datetime(2024, 6, 12, 10, tzinfo=UTC), ZONE)
    assert timetable.resolve_partition_date(key) == spec.partition(key).start


@pytest.mark.parametrize("grain", ["hour", "week", "month"])
def test_a_run_of_a_model_takes_the_keys_of_its_rows(tmp_path: Path, grain: str) -> None:
    """After a round trip through JSON, as the server has it; a day is none of them."""
    found = {dag.dag_id.rpartition(".")[2]: dag for dag in model_dags(project(tmp_path, grain))}
    for verb in ("score", "monitor"):
        timetable = found[verb].timetable
        mapper = decode_partition_mapper(
            encode_partition_mapper(timetable.default_partition_mapper)
        )
        key = GRAINS[grain].key_of(datetime(2024, 6, 12, 10, tzinfo=UTC), ZONE)
        assert mapper.to_downstream(key) == key
        assert mapper.to_partition_date(key) == Partition(key, ZONE, GRAINS[grain]).start
        core = coerce_to_core_timetable(timetable)
        with pytest.raises(InvalidPartitionKeyError, match=rf"is not an? {grain}: write it as"):
            core.resolve_partition_date("2024-06-12")


def test_a_model_of_finer_datasets_takes_its_own_keys(tmp_path: Path) -> None:
    model = mixed(tmp_path, "day", InputSpec(dataset=weather(tmp_path, "hour")))
    core = coerce_to_core_timetable(score_dag(model).timetable)
    assert core.resolve_partition_date("2024-06-12") == Partition("2024-06-12", ZONE).start
    with pytest.raises(InvalidPartitionKeyError, match="is not a day"):
        core.resolve_partition_date("2024-06-12T10")


def test_a_run_by_hand_decides_as_of_a_day(tmp_path: Path) -> None:
    spec = project(tmp_path, "week")
    timetable = coerce_to_core_timetable(decision_timetable(spec.schedule))
    day = datetime(2024, 6, 16, tzinfo=ZoneInfo(ZONE))
    assert timetable.resolve_partition_date("2024-06-16") == day
    with pytest.raises(InvalidPartitionKeyError, match="write it as"):
        timetable.resolve_partition_date("2024-06")


def test_a_backfill_takes_the_weeks_of_its_range(tmp_path: Path) -> None:
    (ingest,) = dataset_dags(readings(tmp_path, grain="week", cron="0 4 * * 3"))
    timetable = coerce_to_core_timetable(ingest.timetable)
    found = timetable.iter_partition_dagrun_infos(
        earliest=instance(datetime(2024, 3, 1, tzinfo=UTC)),
        latest=instance(datetime(2024, 3, 31, tzinfo=UTC)),
    )
    keys = [one.partition_key for one in found]
    assert keys == ["2024-03-04", "2024-03-11", "2024-03-18", "2024-03-25"]


@pytest.mark.parametrize(
    ("grain", "wanted"),
    [
        ("hour", [("2024-03-31T03:00", "2024-03-30"), ("2024-04-01T03:00", "2024-03-31")]),
        ("week", [("2024-04-01T03:00", "2024-03-31"), ("2024-04-08T03:00", "2024-04-07")]),
        ("month", [("2024-04-01T03:00", "2024-03-31"), ("2024-05-01T03:00", "2024-04-30")]),
    ],
)
def test_a_decision_is_as_of_the_day_before_it(
    tmp_path: Path, grain: str, wanted: list[tuple[str, str]]
) -> None:
    decide = next(d for d in model_dags(project(tmp_path, grain)) if d.dag_id.endswith(".decide"))
    assert runs(decide, datetime(2024, 3, 30, 23, tzinfo=UTC), 2) == wanted


def test_nothing_is_scheduled_after_the_last_week(tmp_path: Path) -> None:
    (ingest,) = dataset_dags(readings(tmp_path, grain="week", end=date(2024, 3, 28)))
    assert ingest.end_date is not None
    found = runs(ingest, datetime(2024, 3, 25, tzinfo=UTC), 3)
    before = [key for ran, key in found if ran < ingest.end_date.isoformat()]
    assert before == ["2024-03-18", "2024-03-25"]


# --- what starts a run of a model


def mapper_of(dag: DAG, name: str) -> Any:
    """Return the mapper of an asset as the scheduler has it, after a round trip through JSON."""
    timetable = dag.timetable
    config = {asset.name: mapper for asset, mapper in timetable.partition_mapper_config.items()}
    return decode_partition_mapper(encode_partition_mapper(config[name]))


def score_dag(model: Any) -> DAG:
    return next(dag for dag in model_dags(model) if dag.dag_id.endswith(".score"))


def mixed(folder: Path, grain: str, joined: InputSpec) -> Any:
    rows = InputSpec(dataset=readings(folder, grain=grain))
    return project(folder, grain, inputs=(rows, joined), observed_at=("known_from",))


def weather(folder: Path, grain: str) -> Any:
    columns = {"place": "string", "at": "timestamp", "rain": "float64"}
    return dataset(folder, "weather", columns, grain=grain, key=("place", "at"))


@pytest.mark.parametrize(
    ("day", "n_hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-02-29", 24)]
)
def test_a_day_waits_for_all_its_hours_also_when_clocks_change(
    tmp_path: Path, day: str, n_hours: int
) -> None:
    model = mixed(tmp_path, "day", InputSpec(dataset=weather(tmp_path, "hour")))
    mapper = mapper_of(score_dag(model), "weather")
    hours = mapper.to_upstream(day)
    assert len(hours) == n_hours
    whole = Partition(day, ZONE)
    assert min(hours) == whole.start.strftime("%Y-%m-%dT%H")
    assert max(hours) == (whole.end - timedelta(hours=1)).strftime("%Y-%m-%dT%H")
    assert {key for hour in hours for key in mapper.to_downstream(hour)} == {day}


def test_rows_of_the_same_grain_are_started_by_their_own_key(tmp_path: Path) -> None:
    model = mixed(tmp_path, "day", InputSpec(dataset=weather(tmp_path, "hour")))
    config = score_dag(model).timetable.partition_mapper_config
    assert [asset.name for asset in config] == ["weather"]


def test_a_coarser_dataset_and_a_snapshot_start_nothing(tmp_path: Path) -> None:
    for grain, snapshot in (("week", False), ("day", True)):
        joined = InputSpec(dataset=weather(tmp_path, grain), snapshot=snapshot)
        dag = score_dag(mixed(tmp_path, "day", joined))
        rows, again = dag.timetable.asset_condition.objects  # the second: a rollback asks again
        assert (rows.name, again.name.endswith(".score_again")) == ("readings", True)
        assert "readings" in str(dag.doc_md)
        assert "weather" not in str(dag.doc_md)


def test_a_week_over_two_months_is_waited_for_by_both() -> None:
    mapper = decode_partition_mapper(
        encode_partition_mapper(waiting_for_all("week", "month", ZONE))
    )
    assert list(mapper.to_downstream("2024-01-29")) == ["2024-01", "2024-02"]
    assert "2024-01-29" in mapper.to_upstream("2024-01") & mapper.to_upstream("2024-02")


def test_finer_labels_start_a_measurement_and_late_ones_start_it_again(tmp_path: Path) -> None:
    label = failures(tmp_path, grain="hour", refresh_after="2d")
    model = project(tmp_path, "day", label=LabelSpec(dataset=label, target="failed"))
    monitor = next(dag for dag in model_dags(model) if dag.dag_id.endswith(".monitor"))
    assert len(mapper_of(monitor, "failures").to_upstream("2024-03-31")) == 23
    late = mapper_of(monitor, "failures.refreshed")
    assert isinstance(late, CoarserMapper)
    assert list(late.to_downstream("2024-03-30T23")) == ["2024-03-31"]


def test_coarser_labels_and_a_snapshot_of_rows_are_refused(tmp_path: Path) -> None:
    label = LabelSpec(dataset=failures(tmp_path, grain="week"), target="failed")
    with pytest.raises(SpecError, match="labels come by the week in 'failures', rows by the day"):
        project(tmp_path, "day", label=label)
    rows = InputSpec(dataset=readings(tmp_path), snapshot=True)
    with pytest.raises(SpecError, match="'readings' gives the rows to score and is no snapshot"):
        project(tmp_path, "day", inputs=(rows,))
    looks_back = InputSpec(dataset=weather(tmp_path, "week"), lookback="7d")
    with pytest.raises(SpecError, match="'weather' is a snapshot"):
        mixed(tmp_path, "day", looks_back)


@pytest.mark.parametrize(
    ("grain", "cron"), [("week", "0 3 * * *"), ("hour", "5 * * * *"), ("month", "0 3 * * 1")]
)
def test_a_decision_that_does_not_fit_the_grain_is_refused(
    tmp_path: Path, grain: str, cron: str
) -> None:
    with pytest.raises(SpecError, match="cron: must be one time of every"):
        project(tmp_path, grain, cron=cron)
