from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import ValidationFailedError
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.validation.contract import duplicate_violations, row_violations
from tests.unit.orders import day, orders_dataset, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec


def violations(spec: DatasetSpec, rows: pa.Table) -> dict[str, list[int]]:
    """Return everything of the contract that rows violate, as `validate` finds it."""
    cells = {reason: found.tolist() for reason, found in row_violations(spec, day(0), rows)}
    return cells | {r: found for r, found in duplicate_violations(spec, rows).items() if found}


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
    assert violations(orders_dataset(tmp_path), orders()) == {}


def test_nulls_break_it_where_they_are_not_allowed(tmp_path: Path) -> None:
    rows = orders(items=[1, None, 3], shop=[None, "a", None], distance=[None, None, 1.0])
    assert violations(orders_dataset(tmp_path), rows) == {"null:items": [1]}


def test_nan_and_infinity_break_it_everywhere(tmp_path: Path) -> None:
    rows = orders(distance=[math.nan, 1.0, -math.inf])
    assert violations(orders_dataset(tmp_path), rows) == {"not_finite:distance": [0, 2]}


def test_every_row_of_a_doubled_key_breaks_it(tmp_path: Path) -> None:
    rows = pa.concat_tables([orders(order_id=["a", "b", "a"]), orders(order_id=["c", "b", "a"])])
    found = violations(orders_dataset(tmp_path), rows)
    assert found == {"duplicate_key": [0, 1, 2, 4, 5]}


def test_zeros_of_both_signs_are_one_key(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, key=("distance",))
    found = violations(spec, orders(distance=[0.0, 1.0, -0.0]))
    assert found == {"duplicate_key": [0, 2]}


def test_null_keys_are_nulls_and_duplicates(tmp_path: Path) -> None:
    found = violations(orders_dataset(tmp_path), orders(order_id=[None, None, "a"]))
    assert found == {"null:order_id": [0, 1], "duplicate_key": [0, 1]}


def test_a_key_of_several_columns_is_one_key(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, key=("order_id", "zone"))
    rows = orders(order_id=["a", "a", "a"], zone=["north", "south", "north"])
    assert violations(spec, rows) == {"duplicate_key": [0, 2]}


def test_no_rows_break_nothing(tmp_path: Path) -> None:
    assert violations(orders_dataset(tmp_path), orders().slice(0, 0)) == {}


def test_days_are_dates(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, columns={"order_id": "string", "due": "date?"})
    assert arrow_schema(spec).field("due").type == pa.date32()


# --- what becomes of rows that share a key


def test_a_partition_with_a_doubled_key_may_be_refused_whole(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, duplicates="fail")
    assert violations(spec, orders()) == {}
    with pytest.raises(ValidationFailedError) as error:
        violations(spec, orders(order_id=["a", "b", "a"]))
    text = str(error.value)
    assert "1 keys ['order_id'] occur more than once, such as [('a',)]" in text
    assert "choose 'quarantine' or 'keep_last'" in text
    with pytest.raises(ValidationFailedError) as error:
        violations(spec, orders(order_id=["a" * 10**6, "b", "a" * 10**6]))
    assert len(str(error.value)) < 500


def last(tmp_path: Path, **columns: list[Any]) -> dict[str, list[int]]:
    spec = orders_dataset(tmp_path, duplicates="keep_last", order_by="distance")
    return violations(spec, orders(**columns))


def test_the_last_row_of_a_key_may_be_kept(tmp_path: Path) -> None:
    found = last(tmp_path, order_id=["a", "a", "a"], distance=[2.0, 3.0, 1.0])
    assert found == {"superseded": [0, 2]}


def test_a_row_without_a_time_is_the_first(tmp_path: Path) -> None:
    found = last(tmp_path, order_id=["a", "b", "a"], distance=[1.0, 1.0, None])
    assert found == {"superseded": [2]}


def test_of_equal_last_rows_one_is_kept(tmp_path: Path) -> None:
    row = orders().slice(1, 1)
    spec = orders_dataset(tmp_path, duplicates="keep_last", order_by="distance")
    assert violations(spec, pa.concat_tables([row, row, row])) == {"superseded": [0, 1]}
    nulls = pa.concat_tables([orders(distance=[None] * 3).slice(1, 1)] * 2)
    assert violations(spec, nulls) == {"superseded": [0]}


def test_a_negative_zero_is_the_same_row(tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, duplicates="keep_last", order_by="distance")
    rows = [orders(distance=[zero] * 3).slice(1, 1) for zero in (0.0, -0.0)]
    assert violations(spec, pa.concat_tables(rows)) == {"superseded": [0]}


def test_of_different_last_rows_none_is_kept(tmp_path: Path) -> None:
    found = last(tmp_path, order_id=["a", "a", "a"], distance=[2.0, 1.0, 2.0], shop=["x", "y", "z"])
    assert found == {"superseded": [1], "duplicate_key": [0, 2]}


def test_many_doubled_keys_are_settled_one_by_one(tmp_path: Path) -> None:
    n = 3000
    whole = pa.concat_tables([rows_of(0, n=n)["orders"]] * 2)
    numbers = pa.array([float(i) for i in range(2 * n)])
    whole = whole.set_column(whole.schema.get_field_index("distance"), "distance", numbers)
    spec = orders_dataset(tmp_path, duplicates="keep_last", order_by="distance")
    assert duplicate_violations(spec, whole) == {
        "superseded": list(range(n)),
        "duplicate_key": [],
    }
