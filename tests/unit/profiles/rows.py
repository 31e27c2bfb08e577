"""Rows of every kind of column, for the tests of profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from mlops_tasks.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPES = {
    "whole": pa.int64(),
    "real": pa.float64(),
    "price": pa.decimal128(12, 2),
    "text": pa.string(),
    "flag": pa.bool_(),
    "label": pa.dictionary(pa.int8(), pa.string()),
    "moment": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
}
SCHEMA = pa.schema(TYPES)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "real": st.none() | st.floats(),
    "price": st.none() | st.decimals(-(10**9), 10**9, places=2),
    "text": st.none() | st.text(max_size=6),
    "flag": st.none() | st.booleans(),
    "label": st.none() | st.sampled_from(["a", "b", "é", "🦆"]),
    "moment": st.none() | MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "day": st.none() | st.dates(),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=25)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def profile(rows: pa.Table, size: int | None = None) -> Profile:
    return Profile.of(rows.to_batches(max_chunksize=size), rows.schema)


def profile_of(values: Iterable[Any], type_: pa.DataType | None = None) -> Any:
    """Profile one column, and return its part of the profile."""
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, type_)
    return profile(pa.table({"x": column})).columns["x"]


def numbers(n: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).lognormal(size=n)


def cents(number: int) -> Decimal:
    return Decimal(number).scaleb(-2)
