"""Snapshots: the newest state before a row's moment, the same in training and in scoring."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import assert_parity, feature_rows, labelled_rows, published_inputs
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import InputSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.pin import pin_training_data
from tests.unit.machines import dataset, failures, project, readings

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec, ModelSpec

AS_OF = """
    SELECT r.reading_id, r.read_at, r.machine, r.heat, p.grade AS age, p.valid_from AS known_from
    FROM readings AS r
    LEFT JOIN parts AS p
        ON r.machine = p.machine AND r.read_at > p.valid_from AND r.read_at <= p.valid_until
"""


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def publish(lake: Lake, spec: DatasetSpec, key: str, *rows: dict[str, Any], known_at: str) -> None:
    table = pa.Table.from_pylist(list(rows), arrow_schema(spec))
    overwrite_partition(lake.table(spec.name), key, table, token=1, known_at=known_at)


def parts(folder: Path, grain: str) -> DatasetSpec:
    columns = {"machine": "string", "grade": "float64"}
    return dataset(folder, "parts", columns, grain=grain, key=("machine",), timezone="UTC")


def model(folder: Path, grain: str, snapshots: str, sql: str = AS_OF) -> ModelSpec:
    joined = InputSpec(dataset=parts(folder, snapshots), snapshot=True)
    rows = InputSpec(dataset=readings(folder, grain=grain, timezone="UTC"))
    label = failures(folder, grain=grain, timezone="UTC")
    return project(
        folder,
        grain,
        sql=sql,
        inputs=(rows, joined),
        label={"dataset": label, "target": "failed"},
        observed_at=("known_from",),
        train="2d",
        evaluation="1d",
    )


def read(number: int, at: str) -> dict[str, Any]:
    return {"reading_id": number, "read_at": instant(at), "machine": "drill", "heat": 1.0, "age": 1}


def grades(spec: ModelSpec, lake: Lake, first: str, last: str) -> dict[int, float | None]:
    rows = feature_rows(spec, lake, first=first, last=last)
    return dict(
        zip(*(rows.column(name).to_pylist() for name in ("reading_id", "age")), strict=True)
    )


def drill(grade: float) -> dict[str, Any]:
    return {"machine": "drill", "grade": grade}


@pytest.fixture
def daily(tmp_path: Path, lake: Lake) -> ModelSpec:
    """Three days of rows, and a snapshot of each day with the same key in all."""
    spec = model(tmp_path / "project", "day", "day")
    for number, day in enumerate(("2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01")):
        publish(lake, spec.inputs[1].dataset, day, drill(number), known_at=day)
        n = 10 * number
        rows = [read(n, f"{day}T00:30"), read(n + 1, f"{day}T01:00"), read(n + 2, f"{day}T23:00")]
        publish(lake, spec.rows, day, *rows, known_at=day)
        labels = [
            {"reading_id": n + i, "read_at": instant(f"{day}T00:30"), "failed": bool(i % 2)}
            for i in range(3)
        ]
        publish(lake, spec.label.dataset, day, *labels, known_at=day)
    return spec


def test_the_newest_snapshot_before_the_moment_counts(daily: ModelSpec, lake: Lake) -> None:
    # The snapshot of a day is taken at one in the night after it: not before, and not at one.
    assert grades(daily, lake, "2024-02-29", "2024-02-29") == {20: 0.0, 21: 0.0, 22: 1.0}
    assert grades(daily, lake, "2024-02-27", "2024-02-27") == {0: None, 1: None, 2: None}


def test_a_window_of_days_has_one_row_each_as_a_day_alone(daily: ModelSpec, lake: Lake) -> None:
    days = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    alone = {key: value for day in days for key, value in grades(daily, lake, day, day).items()}
    assert grades(daily, lake, days[0], days[-1]) == alone
    assert assert_parity(daily, "2024-02-29", lake=lake) == 3


def test_a_missing_snapshot_leaves_the_one_before_it_valid(daily: ModelSpec, lake: Lake) -> None:
    nothing = pa.Table.from_pylist([], arrow_schema(daily.inputs[1].dataset))
    for day in ("2024-02-28", "2024-02-29"):
        overwrite_partition(lake.table("parts"), day, nothing, token=2, known_at=day)
    assert grades(daily, lake, "2024-03-01", "2024-03-01") == {30: 0.0, 31: 0.0, 32: 0.0}


def test_a_row_that_a_newer_snapshot_lacks_is_gone(daily: ModelSpec, lake: Lake) -> None:
    lathe = {"machine": "lathe", "grade": 9.0}
    snapshot = pa.Table.from_pylist([lathe], arrow_schema(daily.inputs[1].dataset))
    overwrite_partition(lake.table("parts"), "2024-02-29", snapshot, token=2, known_at="2024-02-29")
    assert grades(daily, lake, "2024-03-01", "2024-03-01") == {30: 1.0, 31: 1.0, 32: None}


def test_a_pin_holds_the_snapshots_that_its_rows_saw(daily: ModelSpec, lake: Lake) -> None:
    pin = pin_training_data(daily, "2024-03-01", lake=lake)
    assert (pin.train, pin.evaluation[1]) == (("2024-02-28", "2024-02-29"), "2024-03-01")
    seen = pin.inputs["parts"]
    assert (seen.first, seen.last) == ("2024-02-26", "2024-02-29"), "taken in the night after"
    before = labelled_rows(daily, pin, pin.train, lake=lake).column("age").to_pylist()
    for day in ("2024-02-27", "2024-02-28"):
        corrected = pa.Table.from_pylist([drill(77)], arrow_schema(daily.inputs[1].dataset))
        overwrite_partition(lake.table("parts"), day, corrected, token=2, known_at="2024-03-02")
    assert labelled_rows(daily, pin, pin.train, lake=lake).column("age").to_pylist() == before
    assert 77 not in before


def test_a_snapshot_from_after_the_moment_is_refused(
    tmp_path: Path, daily: ModelSpec, lake: Lake
) -> None:
    wrong = AS_OF.replace("r.read_at > p.valid_from", "r.read_at > p.valid_from - INTERVAL 1 HOUR")
    spec = model(tmp_path / "wrong", "day", "day", sql=wrong)
    with pytest.raises(LeakageError, match="known_from"):
        feature_rows(spec, lake, first="2024-03-01", last="2024-03-01")


def test_hours_read_the_snapshot_of_a_month_as_of_their_moment(tmp_path: Path, lake: Lake) -> None:
    spec = model(tmp_path / "project", "hour", "month")
    for number, month in enumerate(("2024-01", "2024-02")):
        publish(lake, spec.inputs[1].dataset, month, drill(number), known_at=f"{month}-28")
    for number, hour in enumerate(("2024-02-29T23", "2024-03-01T00", "2024-03-01T01")):
        publish(lake, spec.rows, hour, read(number, f"{hour}:30"), known_at=hour[:10])
    assert grades(spec, lake, "2024-02-29T23", "2024-03-01T01") == {0: 0.0, 1: 0.0, 2: 1.0}
    seen = published_inputs(spec, lake, first="2024-03-01T00", last="2024-03-01T00")
    assert seen["parts"].to_table().column("partition_key").to_pylist() == ["2024-01"]
