from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.profiles.accumulators import kind_of
from tests.unit.profiles.rows import MOMENTS, cents, profile_of

fast = settings(max_examples=30, deadline=None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@fast
@given(st.lists(st.none() | st.floats(), max_size=60))
def test_every_number_is_counted_once(values: list[float | None]) -> None:
    column = profile_of(values, pa.float64())
    finite = [x for x in values if x is not None and math.isfinite(x)]
    assert column.kind == "numeric"
    assert column.n == len(values)
    assert column.n_nan == sum(x is not None and math.isnan(x) for x in values)
    assert (column.n_pos_inf, column.n_neg_inf) == (values.count(np.inf), values.count(-np.inf))
    assert column.n_finite == len(finite)
    if finite:
        assert (column.minimum, column.maximum) == (min(finite), max(finite))
        assert column.quantiles([0, 1]).tolist() == [min(finite), max(finite)]
        mean = float(sum(map(Fraction, finite)) / len(finite))
        assert column.mean == pytest.approx(mean, rel=1e-9, abs=1e-12 * max(map(abs, finite)))
    else:
        assert all(math.isnan(x) for x in (column.minimum, column.maximum, column.mean))
        assert math.isnan(column.variance)
        assert np.isnan(column.quantiles([0, 0.5, 1])).all()


@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_moments_are_stable_far_from_zero(shift: float) -> None:
    values = np.random.default_rng(1).gamma(2.0, size=200_000)
    column = profile_of(values + shift)
    tolerance = 1e-12 if not shift else 1e-6
    assert column.mean == pytest.approx(values.mean() + shift, rel=1e-14)
    assert column.variance == pytest.approx(values.var(), rel=tolerance)


def test_equal_values_do_not_vary() -> None:
    column = profile_of([4.0, 4.0])
    assert (column.mean, column.variance) == (4.0, 0.0)


def test_numbers_too_large_to_add_still_have_a_mean() -> None:
    column = profile_of([1.5e308, 1.5e308, None, math.inf])
    assert column.mean == pytest.approx(1.5e308)
    assert column.n_finite == 2
    assert math.isinf(profile_of([-1.5e308, 1.5e308]).variance)


@fast
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_integers_of_any_size_have_ends(values: list[int]) -> None:
    column = profile_of(values, pa.int64())
    assert (column.minimum, column.maximum) == (float(min(values)), float(max(values)))
    assert column.cdf(float(max(values))) == 1


def test_integers_beyond_the_mantissa_of_a_float_are_distinguished() -> None:
    column = profile_of([2**24, 2**24 + 1, 2**53 - 1], pa.int64())
    assert column.cdf([2**24, 2**24 + 1]).tolist() == [1 / 3, 2 / 3]


@pytest.mark.parametrize("type_", [pa.decimal128(12, 2), pa.decimal256(40, 2)])
def test_decimals_become_doubles(type_: pa.DataType) -> None:
    column = profile_of([cents(110), cents(220), None], type_)
    assert column.quantiles([0, 1]).tolist() == [1.1, 2.2]
    assert (column.n, column.n_finite) == (3, 2)


@pytest.mark.parametrize("type_", [pa.int8(), pa.uint16(), pa.float16(), pa.float32()])
def test_narrow_numbers(type_: pa.DataType) -> None:
    column = profile_of(pa.array([1, 2, 3]).cast(type_))
    assert column.quantiles([0.5]).tolist() == [2.0]


@fast
@given(st.lists(st.none() | MOMENTS, max_size=30), st.sampled_from(["s", "ms", "us", "ns"]))
def test_moments_are_exact_to_their_unit(values: list[datetime | None], unit: str) -> None:
    array = pa.array(values, pa.timestamp("us", tz="UTC")).cast(
        pa.timestamp(unit, tz="UTC"), safe=False
    )
    column = profile_of(array)
    present = [
        microseconds(x) for x in array.cast(pa.timestamp("us", "UTC")).drop_null().to_pylist()
    ]
    assert (column.kind, column.n, column.n_finite) == ("time", len(values), len(present))
    if present:
        assert (column.minimum, column.maximum) == (min(present), max(present))
        assert (
            column.quantiles([0, 0.5, 1]).tolist()
            == np.quantile(present, [0, 0.5, 1], method="inverted_cdf").tolist()
        )
        assert column.cdf(max(present)) == 1
        assert column.rank_error == 0
        assert column.mean == pytest.approx(np.mean(present), rel=1e-9, abs=1)
        assert column.variance == pytest.approx(np.var(present), rel=1e-6, abs=1)
    else:
        assert all(map(math.isnan, (column.minimum, column.maximum, column.mean, column.variance)))
        assert np.isnan(column.quantiles([0.5])).all()


def test_zones_are_ways_to_write_a_moment() -> None:
    moment = datetime(2013, 6, 1, 12, tzinfo=UTC)
    berlin = moment.astimezone(timezone(timedelta(hours=2)))
    columns = [
        profile_of(pa.array([moment], pa.timestamp("us", tz="UTC"))),
        profile_of(pa.array([berlin], pa.timestamp("ms", tz="Europe/Berlin"))),
        profile_of(pa.array([moment.replace(tzinfo=None)], pa.timestamp("s"))),
    ]
    assert {column.minimum for column in columns} == {microseconds(moment)}


@pytest.mark.parametrize("type_", [pa.date32(), pa.date64()])
def test_dates_begin_at_midnight(type_: pa.DataType) -> None:
    column = profile_of([date(1999, 1, 1), date(9999, 12, 31), None], type_)
    assert column.minimum == microseconds(datetime(1999, 1, 1, tzinfo=UTC))
    assert column.maximum == float(microseconds(datetime(9999, 12, 31, tzinfo=UTC)))


@fast
@given(
    st.lists(st.none() | st.text(max_size=5), max_size=40),
    st.sampled_from(["string", "large", "view", "dictionary"]),
)
def test_texts_are_counted_however_they_are_stored(values: list[str | None], storage: str) -> None:
    types = {"string": pa.string(), "large": pa.large_string(), "view": pa.string_view()}
    array = pa.array(values, types.get(storage, pa.string()))
    column = profile_of(array.dictionary_encode() if storage == "dictionary" else array)
    present = [text for text in values if text is not None]
    assert (column.kind, column.n, column.n_null) == ("category", len(values), values.count(None))
    assert column.counts == Counter(present)


def test_emoji_are_texts_of_their_own() -> None:
    column = profile_of(["👩‍🚀", "e\u0301", "é", ""])
    assert column.counts == {"👩‍🚀": 1, "e\u0301": 1, "é": 1, "": 1}


def test_booleans_are_categories() -> None:
    column = profile_of([True, False, True, None])
    assert dict(column.counts) == {"true": 2, "false": 1}
    assert column.n_null == 1


def test_dictionaries_hold_what_their_rows_hold() -> None:
    unused = pa.DictionaryArray.from_arrays(pa.array([0, 0, None], pa.int8()), ["a", "never"])
    assert dict(profile_of(unused).counts) == {"a": 2}
    holes = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))
    column = profile_of(holes)
    assert (dict(column.counts), column.n_null) == ({"a": 1}, 2)
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", "a"]))
    assert dict(profile_of(twice).counts) == {"a": 2}
    numbers = pa.array([7, 7, 8]).dictionary_encode()
    assert dict(profile_of(numbers).counts) == {"7": 2, "8": 1}


@pytest.mark.parametrize("type_", [pa.null(), pa.string(), pa.float64(), pa.timestamp("us")])
def test_columns_of_nothing_but_null(type_: Any) -> None:
    column = profile_of(pa.nulls(5, type_))
    present = column.n - column.n_null if column.kind == "category" else column.n_finite
    assert (column.n, present) == (5, 0)


def test_what_has_no_profile_is_named() -> None:
    with pytest.raises(TypeError, match=r"no profile for column 'tags' of type list"):
        kind_of("tags", pa.list_(pa.string()))
