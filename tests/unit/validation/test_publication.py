"""What is published without writing it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.steps.validate import validate
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]


def files(lake: Lake, table: str) -> list[Path]:
    return sorted(lake.table(table).folder.glob("*/*.parquet"))


def test_a_clean_day_is_published_without_writing_it_again(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path)
    result = night(spec, 0, orders())
    assert result.n_quarantined == 0
    (one,), (other,) = files(lake, "orders__raw"), files(lake, "orders")
    assert one.samefile(other)


def test_files_older_than_a_column_are_written_again(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    """Their digest does not know the column, which the published rows have as nulls."""
    spec = orders_dataset(tmp_path)
    old = night.raw(spec, 0, orders())
    more = orders().append_column("colour", pa.array(["red"] * 80))
    overwrite_partition(lake.table("orders__raw"), day(1), more, token=50)
    result = validate(spec, old, lake=lake, token=60)
    (one, _), (other,) = files(lake, "orders__raw"), files(lake, "orders")
    assert not one.samefile(other)
    pin = lake.table("orders").pin(first=day(0), last=day(0))
    lake.table(pin.table).verify_pin(pin)
    assert result.published.n_rows == 80
