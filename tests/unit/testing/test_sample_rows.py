"""Rows for tests: made up from a contract, or given and held to it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_airflow.testing.sample_rows import publish_rows, sample_rows
from mlops_tasks.exceptions import PartitionKeyError, SchemaMismatchError
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.specs.source import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake

COLUMNS = {
    "reading_id": "int64",
    "sensor": "string",
    "read_at": "timestamp",
    "day": "date?",
    "value": "float64?",
    "broken": "bool",
    "n": "int64?",
}


def dataset(folder: Path, **changes: Any) -> DatasetSpec:
    (folder / "suite.json").write_text('{"name": "x", "expectations": []}')
    fields: dict[str, Any] = {
        "name": "readings",
        "description": "Readings of sensors.",
        "source": FileSource(conn_id="files", path="{partition}.csv", format="csv"),
        "columns": COLUMNS,
        "key": ("reading_id",),
        "expectations": folder / "suite.json",
        "start": date(2024, 3, 4),
    }
    return DatasetSpec(**fields | changes)


@pytest.mark.parametrize(
    ("grain", "partition"),
    [
        ("hour", "2024-03-31T05"),
        ("day", "2024-03-31"),
        ("week", "2024-03-25"),
        ("month", "2024-03"),
    ],
)
def test_made_up_rows_hold_the_contract(tmp_path: Path, grain: str, partition: str) -> None:
    spec = dataset(tmp_path, grain=grain, timezone="Europe/Berlin")
    rows = sample_rows(spec, partition, 500)
    assert rows.schema == arrow_schema(spec)
    assert len(set(rows["reading_id"].to_pylist())) == 500
    lies_in = spec.partition(partition)
    assert all(lies_in.start <= one < lies_in.end for one in rows["read_at"].to_pylist())
    for name, declared in COLUMNS.items():
        n_missing = rows[name].null_count
        assert (20 < n_missing < 90) if declared.endswith("?") else n_missing == 0, name


def test_the_same_partition_has_the_same_rows_and_another_one_has_others(tmp_path: Path) -> None:
    spec = dataset(tmp_path)
    assert sample_rows(spec, "2024-03-04").equals(sample_rows(spec, "2024-03-04"))
    ids = [
        set(sample_rows(spec, key)["reading_id"].to_pylist())
        for key in ("2024-03-04", "2024-03-05")
    ]
    assert not ids[0] & ids[1]


def test_labels_find_their_rows(tmp_path: Path) -> None:
    spec = dataset(tmp_path)
    labels = dataset(tmp_path, name="truth", columns={"reading_id": "int64", "failed": "bool"})
    key = "2024-03-04"
    assert sample_rows(spec, key)["reading_id"].equals(sample_rows(labels, key)["reading_id"])


def test_rows_come_as_dictionaries_tables_and_frames(tmp_path: Path, lake: Lake) -> None:
    import pandas as pd

    spec = dataset(tmp_path, columns={"reading_id": "int64", "value": "float64?"})
    given = [
        [{"reading_id": 1, "value": 0.5}, {"reading_id": 2}],
        pa.table({"value": [0.5, None], "reading_id": pa.array([1, 2], pa.int32())}),
        pd.DataFrame({"reading_id": [1, 2], "value": [0.5, None]}),
    ]
    for rows in given:
        publish_rows(lake, spec, "2024-03-04", rows)
        found = lake.table("readings").read(first="2024-03-04", last="2024-03-04")
        assert found["reading_id"].to_pylist() == [1, 2]
        assert found["value"].to_pylist() == [0.5, None]


def test_rows_are_known_when_the_schedule_takes_them(tmp_path: Path, lake: Lake) -> None:
    written = publish_rows(
        lake,
        dataset(tmp_path, delay="3d"),
        "2024-03-04",
        sample_rows(dataset(tmp_path), "2024-03-04"),
    )
    assert written.known_at == "2024-03-07"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([{"reading_id": 1, "price": 2.0}], r"unknown \['price'\]"),
        (pa.table({"reading_id": [1]}), r"missing are \['value'\]"),
        ([{"value": 2.0}], "column 'reading_id' is null in 1 of 1"),
        ([{"reading_id": "x", "value": 2.0}], "do not fit its contract"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(
    tmp_path: Path, lake: Lake, rows: Any, named: str
) -> None:
    spec = dataset(tmp_path, columns={"reading_id": "int64", "value": "float64?"})
    with pytest.raises(SchemaMismatchError, match=named) as error:
        publish_rows(lake, spec, "2024-03-04", rows)
    assert "'readings'" in str(error.value)
    assert not lake.exists("readings")


def test_a_key_of_another_grain_is_refused(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(PartitionKeyError):
        publish_rows(lake, dataset(tmp_path), "2024-03", [])


def test_the_fixtures_publish_and_return_the_keys(
    tmp_path: Path,
    lake: Lake,
    sample_partitions: Callable[..., list[str]],
    publish_rows: Callable[..., Any],
) -> None:
    spec = dataset(tmp_path, grain="week")
    assert sample_partitions(spec, 2, n_rows=7) == ["2024-03-04", "2024-03-11"]
    publish_rows(spec, "2024-03-18", sample_rows(spec, "2024-03-18", 3))
    assert [c.n_rows for c in lake.table("readings").commits()] == [7, 7, 3]


def test_today_is_what_is_said(freeze_today: Callable[[str], None]) -> None:
    from mlops_tasks.partitions import today

    freeze_today("2024-03-02T01:00+00:00")
    assert (today(), today("America/New_York")) == ("2024-03-02", "2024-03-01")
    freeze_today("2024-07-04")
    assert today() == "2024-07-04"
