"""A dataset computed from others: exact versions in, published like any other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SourceNotFoundError, SourceQueryError, SpecError
from mlops_tasks.lake import Lake, Pin, overwrite_partition
from mlops_tasks.partitions import today
from mlops_tasks.serialization import from_json
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.specs import DerivedSource, InputSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate
from tests.unit.orders import day, orders_dataset, rows_of, traffic_dataset, write_suite

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec

QUERY = """
    SELECT shop, count(*) AS orders, sum(distance) AS distance,
           count(DISTINCT o.partition_key) AS days,
           max(o.ordered_at) AS last_at, any_value(t.ends_at) AS ends_at
    FROM orders AS o CROSS JOIN this_partition AS t
    GROUP BY shop
"""
COLUMNS = {
    "shop": "string",
    "orders": "int64",
    "distance": "float64",
    "days": "int64",
    "last_at": "timestamp",
    "ends_at": "timestamp",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def shops(folder: Path, query: str = QUERY, **changes: Any) -> DatasetSpec:
    source = DerivedSource(
        inputs=(InputSpec(dataset=orders_dataset(folder), lookback="2d"),), query=query
    )
    fields: dict[str, Any] = {
        "name": "shops",
        "description": "What shops have sold in three days.",
        "source": source,
        "columns": COLUMNS,
        "key": ("shop",),
        "expectations": write_suite(folder, "shops", []),
    }
    return orders_dataset(folder, **fields | changes)


def publish(lake: Lake, folder: Path, number: int, token: int, **changes: Any) -> pa.Table:
    spec = orders_dataset(folder)
    rows = rows_of(number)["orders"].cast(arrow_schema(spec))
    for name, value in changes.items():
        index = rows.schema.get_field_index(name)
        rows = rows.set_column(index, name, pa.array([value] * len(rows), rows.schema.types[index]))
    known_at = day(max(number, token - 10))
    table = lake.table("orders")
    overwrite_partition(table, day(number), rows, token=token, known_at=known_at)
    return rows


def compute(lake: Lake, spec: DatasetSpec, number: int, token: int) -> Any:
    raw = ingest(spec, day(number), source=PublishedDatasets(lake), lake=lake, token=token)
    return raw, validate(spec, raw.raw, lake=lake, token=token)


def test_rows_are_those_of_the_window_with_its_gaps_counted(tmp_path: Path, lake: Lake) -> None:
    kept = [publish(lake, tmp_path, number, 1) for number in (0, 1, 2, 3, 5)]
    raw, done = compute(lake, shops(tmp_path), 3, 1)
    assert done.published.table == "shops"
    assert raw.notes == ()
    found = lake.table("shops").read(first=day(3), last=day(3)).sort_by("shop").to_pylist()
    window = pa.concat_tables(kept[1:4])
    expected = window.group_by("shop").aggregate([("shop", "count"), ("ordered_at", "max")])
    assert [(row["shop"], row["orders"], row["last_at"]) for row in found] == [
        tuple(row.values()) for row in expected.sort_by("shop").to_pylist()
    ]
    assert {row["days"] for row in found} == {3}
    assert {row["ends_at"] for row in found} == {datetime(2024, 3, 5, tzinfo=UTC)}
    raw, _ = compute(lake, shops(tmp_path), 5, 1)
    assert raw.notes == ("orders: 2 of the 3 days looked at are there",)
    raw, _ = compute(lake, shops(tmp_path), 0, 1)
    assert raw.notes == ()  # before the first day there is nothing to miss


def test_the_versions_that_were_read_are_recorded_with_the_commit(
    tmp_path: Path, lake: Lake
) -> None:
    for number in range(3):
        publish(lake, tmp_path, number, 1)
    _, first = compute(lake, shops(tmp_path), 2, 1)
    publish(lake, tmp_path, 2, 2, items=3, distance=1.5)
    _, second = compute(lake, shops(tmp_path), 2, 2)
    assert first.published.digest != second.published.digest
    orders = lake.table("orders")
    by_version = lake.table("shops").records.commits
    for done, distance in ((first, None), (second, 1.5)):
        for table in ("shops__raw", "shops"):
            commits = lake.table(table).records.commits.values()
            (commit,) = [one for one in commits if one.digest == done.published.digest]
            pin = from_json(Pin, commit.inputs["orders"])
            assert (pin.first, pin.last) == (day(0), day(2))
            orders.verify_pin(pin)
            last = orders.read_pin(pin, first=day(2), last=day(2))
            assert (set(last.column("distance").to_pylist()) == {distance}) == (done is second)
    assert len(by_version) == 2
    assert not orders.commits(first=day(0), last=day(0))[0].inputs


def test_what_is_computed_again_from_the_same_rows_is_unchanged(tmp_path: Path, lake: Lake) -> None:
    for number in range(3):
        publish(lake, tmp_path, number, 1)
    _, first = compute(lake, shops(tmp_path), 2, 1)
    raw = ingest(shops(tmp_path), day(2), source=PublishedDatasets(lake), lake=lake, token=2).raw
    again = validate(
        shops(tmp_path), raw, lake=lake, token=2, published_digest=first.published.digest
    )
    assert not again.changed


def test_rows_are_known_when_the_newest_of_their_inputs_is(tmp_path: Path, lake: Lake) -> None:
    publish(lake, tmp_path, 0, 1)
    publish(lake, tmp_path, 1, 1)
    compute(lake, shops(tmp_path), 1, 1)
    (commit,) = lake.table("shops").commits(first=day(1), last=day(1))
    assert commit.known_at == day(1)
    assert commit.assumed
    publish(lake, tmp_path, 0, 15, items=2)  # a correction of the day before
    ingest(shops(tmp_path), day(1), source=PublishedDatasets(lake), lake=lake, token=2)
    assert lake.table("shops__raw").commits(first=day(1), last=day(1))[0].known_at == day(5)
    publish(lake, tmp_path, 0, 16, distance=2.0)  # one that changes what is computed
    ingest(shops(tmp_path), day(1), source=PublishedDatasets(lake), lake=lake, token=3)
    (commit,) = lake.table("shops__raw").commits(first=day(1), last=day(1))
    assert commit.known_at == today()


def test_an_input_that_has_not_published_the_partition_is_named(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(SourceNotFoundError, match="its input 'orders' has not published 2024-03"):
        compute(lake, shops(tmp_path), 0, 1)
    publish(lake, tmp_path, 0, 1)
    with pytest.raises(SourceNotFoundError, match=f"has not published {day(1)}"):
        compute(lake, shops(tmp_path), 1, 1)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM traffic", "traffic does not exist"),
        ("SELECT * FROM read_parquet('/x')", "disabled"),
        ("SELECT now() AS last_at FROM orders", "now answers otherwise"),
    ],
)
def test_the_query_reads_its_inputs_alone(
    tmp_path: Path, lake: Lake, query: str, message: str
) -> None:
    publish(lake, tmp_path, 0, 1)
    with pytest.raises(SourceQueryError, match=message):
        compute(lake, shops(tmp_path, query), 0, 1)


def test_a_wrong_derived_dataset_is_refused(tmp_path: Path) -> None:
    orders = orders_dataset(tmp_path)
    with pytest.raises(SpecError, match=r"inputs name \['orders'\] twice"):
        DerivedSource(inputs=(InputSpec(dataset=orders), InputSpec(dataset=orders)), query="x")
    with pytest.raises(SpecError, match="its partitions are those of its inputs"):
        shops(tmp_path, timezone="Europe/Berlin")
    with pytest.raises(SpecError, match="delay and refresh_after belong to the inputs"):
        shops(tmp_path, delay="1d")
    with pytest.raises(SpecError, match="'orders' cannot be its own input"):
        shops(tmp_path, name="orders")
    with pytest.raises(SpecError, match="the source's query names its columns"):
        shops(tmp_path, rename={"Shop": "shop"})
    late = orders_dataset(tmp_path, delay="3d", refresh_after="6d")
    source = DerivedSource(
        inputs=(InputSpec(dataset=late), InputSpec(dataset=traffic_dataset(tmp_path))), query="x"
    )
    assert shops(tmp_path, source=source).last_as_of(day(0)) == late.last_as_of(day(0))
