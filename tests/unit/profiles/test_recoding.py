"""Columns declared as categorical: profiled as such, or read as such from older profiles."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.recoding import categories_of

BIG = 2**53


def declared(values: Any, kind: pa.DataType | None = None) -> Any:
    batch = pa.record_batch({"x": values if kind is None else pa.array(values, kind)})
    return Profile.of([batch], batch.schema, categorical=["x", "not there"]).columns["x"]


@pytest.mark.parametrize(
    ("kind", "values", "counts"),
    [
        (pa.int64(), [1, 2, 2, None], {"2": 2, "1": 1}),
        (pa.int64(), [BIG, BIG + 1, 2**63 - 1], {str(BIG): 1, str(BIG + 1): 1, str(2**63 - 1): 1}),
        (pa.uint64(), [2**64 - 1], {str(2**64 - 1): 1}),
        (pa.int8(), [-1, 0], {"-1": 1, "0": 1}),
        (pa.float64(), [1.0, 1.5, 0.0, -0.0, None], {"0": 2, "1": 1, "1.5": 1}),
        (pa.float64(), [float("nan"), float("inf"), 1e22], {"1e+22": 1, "inf": 1}),
        (pa.float32(), [0.5, 2.0], {"0.5": 1, "2": 1}),
        (pa.bool_(), [True, False, True], {"true": 2, "false": 1}),
        (pa.string(), ["1", "a"], {"1": 1, "a": 1}),
        (pa.dictionary(pa.int8(), pa.string()), ["b", None, "b"], {"b": 2}),
        (pa.decimal128(20, 2), [Decimal("1.50")], {"1.50": 1}),
        (pa.date32(), [date(1, 1, 1), date(9999, 12, 31)], {"0001-01-01": 1, "9999-12-31": 1}),
        (pa.timestamp("us"), [datetime(2024, 1, 1)], {"2024-01-01 00:00:00.000000": 1}),
        (pa.int64(), [None, None], {}),
        (pa.int64(), [], {}),
    ],
)
def test_a_declared_column_is_a_category_whatever_its_type(
    kind: pa.DataType, values: list[Any], counts: dict[str, int]
) -> None:
    found = declared(values, kind)
    assert (found.kind, dict(found.counts), found.is_exact) == ("category", counts, True)
    assert found.n_null == len(values) - sum(counts.values())


def test_moments_with_a_zone_are_categories_too() -> None:
    found = declared([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    assert len(found.counts) == 1


@pytest.mark.parametrize("values", [[3, 1, 3], [0.1, 2.0, float("nan"), None], [BIG, -1]])
def test_what_was_profiled_as_numbers_is_read_as_what_is_profiled_as_categories(
    values: list[Any],
) -> None:
    batch = pa.record_batch({"x": pa.array(values)})
    old = Profile.from_bytes(Profile.of([batch], batch.schema).to_bytes())
    read, made = old.declared(["x"]), Profile.of([batch], batch.schema, categorical=["x"])
    assert dict(read.columns["x"].counts) == dict(made.columns["x"].counts)  # type: ignore[union-attr]
    both = Profile.merged([read, made])
    assert both.n_rows == 2 * len(values)
    assert Profile.from_bytes(both.to_bytes()).columns["x"].kind == "category"


def test_of_many_rows_the_counts_are_within_the_stated_error() -> None:
    codes = np.random.default_rng(0).choice([1, 2, 3, 40], 50_000, p=[0.6, 0.3, 0.09, 0.01])
    batch = pa.record_batch({"x": codes})
    found = categories_of(Profile.of([batch], batch.schema).columns["x"])  # type: ignore[arg-type]
    assert not found.is_exact
    assert sum(found.counts.values()) == len(codes)
    assert 0 < found.error < 0.005 * len(codes)
    for code, rows in found.counts.items():
        assert abs(rows - int((codes == int(code)).sum())) <= found.error


def test_columns_that_are_not_declared_stay_numbers() -> None:
    batch = pa.record_batch({"x": [1, 2], "y": [1, 2], "at": pa.array([1, 2], pa.timestamp("us"))})
    profile = Profile.of([batch], batch.schema)
    kinds = {name: c.kind for name, c in profile.declared(["y", "at", "z"]).columns.items()}
    assert kinds == {"x": "numeric", "y": "category", "at": "time"}
    assert profile.declared(["z"]) is profile


def test_no_column_is_taken_apart_where_none_is_to_be_read_anew() -> None:
    """It takes longer than to read the profile, and a window has many days."""
    batch = pa.record_batch({"x": [1, 2], "y": ["a", "b"]})
    profile = Profile.from_bytes(Profile.of([batch], batch.schema).to_bytes())
    assert profile.declared(["y", "z"]) is profile
    assert "columns" not in vars(profile)
