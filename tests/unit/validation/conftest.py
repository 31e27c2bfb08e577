"""A dataset of orders, and rows to put into its lake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import validate
from tests.unit.orders import day, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import ValidationResult


def changed(rows: pa.Table, **cells: dict[int, Any]) -> pa.Table:
    """Replace single cells: column to row position to value."""
    for name, values in cells.items():
        index, column = rows.schema.get_field_index(name), rows.column(name).to_pylist()
        for position, value in values.items():
            column[position] = value
        rows = rows.set_column(index, name, pa.array(column, rows.schema.field(name).type))
    return rows


@dataclass
class Nights:
    """Ingests and validates days, each with a token of its own."""

    lake: Lake
    token: int = field(default=0)

    def raw(self, spec: DatasetSpec, number: int, rows: pa.Table) -> PartitionVersion:
        self.token += 1
        rows = rows.select(list(spec.columns))
        table = raw_table(spec)
        return overwrite_partition(self.lake.table(table), day(number), rows, token=self.token)

    def __call__(
        self, spec: DatasetSpec, number: int, rows: pa.Table | None = None, **options: Any
    ) -> ValidationResult:
        rows = rows_of(number)["orders"] if rows is None else rows
        part = self.raw(spec, number, rows)
        return validate(spec, part, lake=self.lake, token=self.token, **options)


@pytest.fixture
def night(lake: Lake) -> Nights:
    return Nights(lake)


@pytest.fixture
def orders() -> Callable[..., pa.Table]:
    """Return the orders of a day with some cells changed."""

    def make(number: int = 0, **cells: dict[int, Any]) -> pa.Table:
        return changed(rows_of(number)["orders"], **cells)

    return make
