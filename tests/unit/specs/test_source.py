from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs.source import DeltaSource, FileSource, SourceSpec, SqlSource
from tests.unit.orders import orders_dataset

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t WHERE d = :partition",
        "SELECT * FROM t WHERE at >= :start AND at < :end",
        "SELECT * FROM t WHERE at >= :local_start AND at < :local_end",
        "SELECT * FROM t WHERE at BETWEEN :start AND :end AND d = :partition",
        "SELECT at::date, '12\\:30', \"a:b\" FROM t WHERE d = :partition::date",
    ],
)
def test_a_query_selects_one_day(query: str) -> None:
    assert SqlSource(conn_id="shop", query=query).query == query


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT 1", "[]"),
        ("SELECT 1 WHERE d = :partition_key", "[':partition_key']"),
        ("SELECT 1 WHERE at >= :start", "[':start']"),
        ("SELECT 1 WHERE at >= :start AND at < :local_end", "[':local_end', ':start']"),
        ("SELECT 1 WHERE d = :partition AND shop = :shop", "[':partition', ':shop']"),
    ],
)
def test_a_query_that_does_not_is_refused(query: str, found: str) -> None:
    with pytest.raises(SpecError, match="query must select one day: bind :start and :end") as error:
        SqlSource(conn_id="shop", query=query)
    assert f"found {found}" in str(error.value)
    assert "pydantic" not in str(error.value)


@pytest.mark.parametrize(
    "path",
    ["{partition}.csv", "{year}/{month}/{day}/*.parquet", "d={partition}", "{{a}}/{partition}/**"],
)
def test_a_path_names_one_day(path: str) -> None:
    assert FileSource(conn_id="drop", path=path).path == path


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"path": "orders.csv"}, "path must name one day"),
        ({"path": "{year}/{day}/orders.csv"}, "path must name one day"),
        ({"path": "{partition}/{minute}"}, "unknown ['minute']"),
        ({"path": "{partition.year}"}, "unknown ['partition.year']"),
        ({"path": "{partition!r}"}, "fields take no format"),
        ({"path": "{day:02}/{partition}"}, "fields take no format"),
        ({"path": "{partition"}, "write {{ and }}"),
        ({"path": "{}/{partition}"}, "unknown ['']"),
        ({"path": ""}, "must lie below the root"),
        ({"path": "/etc/{partition}"}, "must lie below the root"),
        ({"path": "a/../../{partition}"}, "must lie below the root"),
        ({"path": "s3://other/{partition}"}, "must lie below the root"),
        ({"path": "{partition}", "format": "xlsx"}, "format:"),
        ({"path": "{partition}", "delimiter": ";;"}, "delimiter:"),
        ({"path": "{partition}", "conn_id": ""}, "conn_id:"),
    ],
)
def test_a_path_that_does_not_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError) as error:
        FileSource(**{"conn_id": "drop", **fields})
    assert text in str(error.value)


def test_a_delta_table_lies_below_the_root() -> None:
    assert DeltaSource(conn_id="lake", path=".", time_column="at").path == "."
    with pytest.raises(SpecError, match="must lie below the root"):
        DeltaSource(conn_id="lake", path="../other", time_column="at")
    with pytest.raises(SpecError, match="give `time_column`, which says the day"):
        DeltaSource(conn_id="lake", path="orders")


def test_sources_do_not_change() -> None:
    source = SqlSource(conn_id="shop", query="SELECT :partition")
    with pytest.raises(ValueError, match="frozen"):
        source.query = "SELECT 1"


def test_a_source_is_of_one_kind() -> None:
    with pytest.raises(
        SpecError, match="of one kind: write DeltaSource, DerivedSource, FileSource"
    ):
        SourceSpec(kind="sql", conn_id="shop")


@pytest.mark.parametrize(
    ("grain", "path", "text"),
    [
        ("hour", "{year}/{month}/{day}/{hour}.csv", ""),
        (
            "hour",
            "{year}/{month}/{day}.csv",
            "path must name one hour: use {partition}, or {year},",
        ),
        ("day", "{year}/{month}/orders.csv", "path must name one day: use {partition}"),
        ("day", "{year}/{month}/{day}/{hour}", "path names ['hour'], which a day does not say"),
        ("week", "{year}/{month}/{day}.csv", ""),
        ("month", "{year}/{month}.csv", ""),
        ("month", "{year}/{month}/{day}.csv", "path names ['day'], which a month does not say"),
    ],
)
def test_a_path_says_what_the_grain_needs(tmp_path: Path, grain: str, path: str, text: str) -> None:
    source = FileSource(conn_id="drop", path=path)
    if not text:
        assert orders_dataset(tmp_path, grain=grain, source=source).source == source
        return
    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, grain=grain, source=source)
    assert text in str(error.value)


def test_an_hour_is_never_asked_for_by_a_local_time(tmp_path: Path) -> None:
    query = "SELECT * FROM orders WHERE at >= :local_start AND at < :local_end"
    source = SqlSource(conn_id="shop", query=query)
    assert orders_dataset(tmp_path, grain="hour", source=source).timezone is None
    with pytest.raises(SpecError, match="bind :start and :end"):
        orders_dataset(tmp_path, grain="hour", source=source, timezone="Europe/Berlin")
