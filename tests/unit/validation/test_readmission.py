"""Quarantined rows come in again after a fix, and nobody else is disturbed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import PartitionNotFoundError, ValidationFailedError
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import readmit
from mlops_tasks.validation import quarantine_table
from tests.unit.orders import day, orders_dataset, write_suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import Readmission
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

DAY = day(0)


@pytest.fixture
def spec(tmp_path: Path) -> DatasetSpec:
    return orders_dataset(tmp_path, max_quarantined_share=0.2)


def again(spec: DatasetSpec, lake: Lake, *, token: int = 99) -> Readmission:
    table = raw_table(spec)
    return readmit(spec, DAY, raw_table=table, lake=lake, token=token, known_at="2024-05-01")


def loosen(spec: DatasetSpec, folder: Path) -> None:
    """Let larger distances pass, as a reviewed change of the suite would."""
    suite = json.loads(spec.expectations.read_text())
    for item in suite["expectations"]:
        if item["kwargs"].get("column") == "distance":
            item["kwargs"]["max_value"] = 500
    write_suite(folder, spec.expectations.stem, suite["expectations"])


def test_what_passes_now_is_published_and_the_rest_stays(
    night: Nights, spec: DatasetSpec, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    bad = orders(distance={0: 300.0, 1: 300.0, 2: 900.0}, items={3: None})
    assert night(spec, 0, bad).n_quarantined == 4
    loosen(spec, tmp_path)
    done = again(spec, lake)
    assert (done.n_before, done.n_readmitted) == (4, 2)
    assert done.still == {"null:items": 1, "expect_column_values_to_be_between:distance": 1}
    assert lake.table("orders").read(first=DAY, last=DAY).num_rows == 78
    kept = lake.table(quarantine_table(spec)).read(first=DAY, last=DAY)
    assert kept.num_rows == 2
    assert done.result.changes is not None
    assert done.result.changes.added == 2


def test_it_is_known_from_the_day_of_the_fix_on(
    night: Nights, spec: DatasetSpec, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    night(spec, 0, orders(distance={0: 300.0}), known_at="2024-03-02")
    loosen(spec, tmp_path)
    again(spec, lake)
    before = lake.table("orders").read(first=DAY, last=DAY, known_at="2024-04-30")
    assert before.num_rows == 79, "a training as of April never sees the readmitted row"
    assert lake.table("orders").read(first=DAY, last=DAY, known_at="2024-05-01").num_rows == 80


def test_rows_that_the_source_has_taken_back_are_not_readmitted(
    night: Nights, spec: DatasetSpec, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    night(spec, 0, orders(distance={0: 300.0, 1: 300.0}))
    night.raw(spec, 0, orders(distance={1: 300.0}))
    loosen(spec, tmp_path)
    done = again(spec, lake)
    assert (done.n_before, done.n_readmitted, done.result.n_quarantined) == (2, 1, 0)


def test_nothing_kept_back_is_said(night: Nights, spec: DatasetSpec, lake: Lake) -> None:
    night(spec, 0)
    with pytest.raises(PartitionNotFoundError, match=f"nothing of {DAY} is in 'orders__quaran"):
        again(spec, lake)


def test_a_suite_that_blocks_changes_nothing(
    night: Nights, spec: DatasetSpec, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    night(spec, 0, orders(distance={0: 300.0}))
    before = {table: lake.table(table).version for table in lake.tables()}
    count = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1000}}
    write_suite(tmp_path, "orders", [count])
    with pytest.raises(ValidationFailedError):
        again(spec, lake)
    assert {table: lake.table(table).version for table in lake.tables()} == before


def test_a_raw_partition_that_is_gone_is_said(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    night(spec, 0, orders(distance={0: 300.0}))
    with pytest.raises(PartitionNotFoundError, match=f"'elsewhere' has no {DAY}; ingest"):
        readmit(spec, DAY, raw_table="elsewhere", lake=lake, token=99, known_at="2024-05-01")
