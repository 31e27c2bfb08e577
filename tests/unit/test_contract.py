from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_tasks.contract import arrow_schema, contract_breaches
from tests.unit.orders import orders_dataset, rows_of

if TYPE_CHECKING:
    from pathlib import Path


def orders(**columns: list[Any]) -> pa.Table:
    """Take three good orders and replace the given columns."""
    whole = rows_of(0, n=3)["orders"]
    for name, values in columns.items():
        index = whole.schema.get_field_index(name)
        whole = whole.set_column(index, name, pa.array(values, whole.schema.field(name).type))
    return whole


def test_the_schema_follows_the_contract(tmp_path: Path) -> None:
    assert arrow_schema(orders_dataset(tmp_path)) == rows_of(0)["orders"].schema


def test_good_rows_break_nothing(tmp_path: Path) -> None:
    assert contract_breaches(orders_dataset(tmp_path), orders()) == {}


def test_nulls_break_it_where_they_are_not_allowed(tmp_path: Path) -> None:
    rows = orders(items=[1, None, 3], shop=[None, "a", None], distance=[None, None, 1.0])
    assert contract_breaches(orders_dataset(tmp_path), rows) == {"null:items": [1]}


def test_nan_and_infinity_break_it_everywhere(tmp_path: Path) -> None:
    rows = orders(distance=[math.nan, 1.0, -math.inf])
    assert contract_breaches(orders_dataset(tmp_path), rows) == {"not_finite:distance": [0, 2]}


def test_every_row_of_a_doubled_key_breaks_it(tmp_path: Path) -> None:
    rows = pa.concat_tables([orders(order_id=["a", "b", "a"]), orders(order_id=["c", "b", "a"])])
    found = contract_breaches(orders_dataset(tmp_path), rows)
    assert found == {"duplicate_key": [0, 1, 2, 4, 5]}


def test_null_keys_are_nulls_and_duplicates(tmp_path: Path) -> None:
    found = contract_breaches(orders_dataset(tmp_path), orders(order_id=[None, None, "a"]))
    assert found == {"null:order_id": [0, 1], "duplicate_key": [0, 1]}


def test_a_key_of_several_columns_is_one_key(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, key=("order_id", "zone"))
    rows = orders(order_id=["a", "a", "a"], zone=["north", "south", "north"])
    assert contract_breaches(spec, rows) == {"duplicate_key": [0, 2]}


def test_no_rows_break_nothing(tmp_path: Path) -> None:
    assert contract_breaches(orders_dataset(tmp_path), orders().slice(0, 0)) == {}
