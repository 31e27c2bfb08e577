"""The ends of a column are exact for every type, through storage and any merge."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.arrays import NumberArrays

LEAST, MOST, BIG = -(2**63), 2**63 - 1, 2**53
YEAR_1 = -62_135_596_800_000_000
YEAR_9999 = 253_402_300_799_999_999
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)


def profile(values: list[Any], kind: pa.DataType) -> Profile:
    batch = pa.record_batch({"x": pa.array(values, kind)})
    return Profile.of([batch], batch.schema)


@pytest.mark.parametrize(
    ("kind", "values", "ends"),
    [
        (pa.int64(), [LEAST, None, MOST], (LEAST, MOST)),
        (pa.int64(), [BIG + 1, BIG + 3], (BIG + 1, BIG + 3)),
        (pa.int64(), [0, -BIG - 1], (-BIG - 1, 0)),
        (pa.int8(), [-128, 127], (-128, 127)),
        (pa.uint64(), [BIG + 1, MOST], (BIG + 1, MOST)),
        (pa.float64(), [0.1, math.nan, math.inf, -math.inf, 1e308], (0.1, 1e308)),
        (pa.float32(), [0.5], (0.5, 0.5)),
        (pa.decimal128(38, 0), [Decimal(7), Decimal(9)], (7.0, 9.0)),
        (pa.date32(), [date(1, 1, 1), date(1970, 1, 1)], (YEAR_1, 0)),
        (pa.timestamp("us", tz="UTC"), [datetime(1, 1, 1, tzinfo=UTC), LAST], (YEAR_1, YEAR_9999)),
        (pa.timestamp("s"), [datetime(1, 1, 1)], (YEAR_1, YEAR_1)),
    ],
)
def test_ends_are_exact(kind: pa.DataType, values: list[Any], ends: tuple[Any, Any]) -> None:
    one = profile(values, kind)
    stored = Profile.from_bytes(one.to_bytes())
    split = Profile.merged([profile([value], kind) for value in values])
    none = profile([], kind)
    for found in (one, stored, stored.thinned(64), split, Profile.merged([none, stored, none])):
        column: Any = found.columns["x"]
        assert (column.minimum, column.maximum) == ends


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(5, 1)])
@pytest.mark.parametrize("values", [[], [None, None]])
def test_of_no_numbers_there_are_no_ends(kind: pa.DataType, values: list[Any]) -> None:
    column: Any = Profile.from_bytes(profile(values, kind).to_bytes()).columns["x"]
    assert (column.n, column.n_null) == (len(values), len(values))
    assert math.isnan(column.minimum)
    assert math.isnan(column.maximum)


def test_what_was_stored_before_whole_numbers_had_bounds_is_read_as_doubles() -> None:
    numbers = profile([BIG + 1, 5], pa.int64()).numbers
    old = NumberArrays(
        numbers.names,
        numbers.is_time,
        numbers.counts,
        numbers.moments,
        np.zeros_like(numbers.bounds),
        numbers.sizes,
        numbers.points,
    )
    (column,) = old.columns().values()
    assert (column.minimum, column.maximum) == (5.0, float(BIG))
