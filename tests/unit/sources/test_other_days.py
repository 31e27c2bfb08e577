"""A query or a path may give rows of other days; the time column of the source says so."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import fs

from mlops_tasks.exceptions import SchemaMismatchError, SpecError
from mlops_tasks.sources import FileStore
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import FileSource, SqlSource
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.steps.ingest import IngestResult
    from mlops_tasks.steps.validate import ValidationResult

DAY = "2024-03-10"  # of 23 hours in New York
IN_DAY = ("2024-03-10T05:00:00Z", "2024-03-11T03:59:59.999999Z")
OTHERS = ("2024-03-10T04:59:59.999999Z", "2024-03-11T04:00:00Z")


def dataset(tmp_path: Path, **changes: Any) -> DatasetSpec:
    (tmp_path / "orders.json").write_text('{"name": "orders", "expectations": []}')
    source = FileSource(conn_id="x", path="{partition}.csv", format="csv", time_column="at")
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders.",
        "source": source,
        "columns": {"id": "int64", "at": "timestamp"},
        "key": ("id",),
        "timezone": "America/New_York",
        "expectations": tmp_path / "orders.json",
        "start": date(2024, 3, 1),
    }
    return DatasetSpec(**fields | changes)


@pytest.fixture
def take(tmp_path: Path, lake: Lake) -> Any:
    tokens = count(1)

    def taken(times: list[str], **changes: Any) -> tuple[IngestResult, ValidationResult]:
        rows = "".join(f"{i},{time}\n" for i, time in enumerate(times))
        (tmp_path / f"{DAY}.csv").write_text(f"id,at\n{rows}")
        spec, store = dataset(tmp_path, **changes), FileStore(fs.LocalFileSystem(), str(tmp_path))
        result = ingest(spec, DAY, source=store, lake=lake, token=next(tokens))
        return result, validate(spec, result.raw, lake=lake, token=next(tokens))

    return taken


def test_a_source_of_many_days_is_refused(take: Any, lake: Lake) -> None:
    """500 rows of five days are no partition."""
    times = [f"2024-03-{8 + i % 5:02}T12:00:00Z" for i in range(500)]
    with pytest.raises(SchemaMismatchError) as error:
        take(times)
    text = str(error.value)
    assert "400 of the 500 rows that the source 'x' gives for 2024-03-10 are not of that" in text
    assert "'at' in America/New_York: 100 of 2024-03-08, 100 of 2024-03-09" in text
    assert "others of 1 more days" in text
    assert lake.table("orders__raw").partitions() == []


def test_the_day_is_that_of_the_datasets_zone(take: Any) -> None:
    take(list(IN_DAY), max_quarantined_share=0)
    for other in OTHERS:
        with pytest.raises(SchemaMismatchError, match="1 of the 3 rows"):
            take([*IN_DAY, other], max_quarantined_share=0)


@pytest.mark.parametrize(
    ("kind", "reason"), [("timestamp?", "no_day:at"), ("timestamp", "null:at")]
)
def test_few_of_them_are_quarantined_with_their_reason(
    take: Any, lake: Lake, kind: str, reason: str
) -> None:
    columns = {"id": "int64", "at": kind}
    _, found = take([*IN_DAY * 10, *OTHERS, ""], columns=columns, max_quarantined_share=0.2)
    assert found.quarantined_by_reason == {"other_day:at": 2, reason: 1}
    assert found.published.n_rows == 20
    bad = lake.table("orders__quarantine").read(first=DAY, last=DAY)
    assert sorted(bad["id"].to_pylist()) == [20, 21, 22]


def test_rows_of_no_day_count_as_bad(take: Any) -> None:
    with pytest.raises(SchemaMismatchError, match=r"3 of the 5 rows.*3 of no day"):
        take([*IN_DAY, "", "", ""], columns={"id": "int64", "at": "timestamp?"})


def test_dates_are_distinguished_like_times(take: Any) -> None:
    columns = {"id": "int64", "at": "date"}
    take(["2024-03-10"] * 3, columns=columns)
    with pytest.raises(SchemaMismatchError, match=r"2 of the 3 rows.*2 of 2024-03-11"):
        take(["2024-03-10", "2024-03-11", "2024-03-11"], columns=columns)


def test_a_source_without_a_time_column_is_not_looked_at(take: Any) -> None:
    source = FileSource(conn_id="x", path="{partition}.csv", format="csv")
    _, found = take([*IN_DAY, *OTHERS], source=source)
    assert found.n_quarantined == 0


@pytest.mark.parametrize("column", ["id", "when"])
def test_a_time_column_is_a_time_of_the_contract(tmp_path: Path, column: str) -> None:
    query = "SELECT * FROM orders WHERE at >= :start AND at < :end"
    assert SqlSource(conn_id="x", query=query, time_column="at").time_column == "at"
    for source in (
        SqlSource(conn_id="x", query=query, time_column=column),
        FileSource(conn_id="x", path="{partition}", time_column=column),
    ):
        with pytest.raises(SpecError, match=f"time_column '{column}' must be a timestamp or date"):
            dataset(tmp_path, source=source)
