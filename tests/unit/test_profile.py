from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tasks.profile import Binning, ColumnProfile, profile_frame


def numbers(n: int = 1000) -> pd.Series[Any]:
    return pd.Series(np.random.default_rng(3).normal(10, 4, n))


def test_numbers_are_cut_into_bins_of_equal_counts() -> None:
    counts = Binning.of(numbers()).count(numbers())
    assert counts.tolist() == [*[100] * 10, 0]


def test_missing_values_are_a_bin_of_their_own() -> None:
    sample = pd.Series([1.0, None, math.nan, 2.0])
    assert Binning(edges=(1.5,)).count(sample).tolist() == [1, 1, 2]
    assert Binning(categories=("a",)).count(pd.Series(["a", None, "b"])).tolist() == [1, 1, 1]


def test_what_the_reference_never_had_is_counted() -> None:
    bins = Binning.of(pd.Series([1.0, 2.0, 3.0, 4.0]), n_bins=2)
    assert bins.count(pd.Series([-math.inf, -99.0, 99.0, math.inf])).tolist() == [2, 2, 0]


def test_ties_make_fewer_bins() -> None:
    bins = Binning.of(pd.Series([0.0] * 90 + [1.0] * 10))
    assert len(bins.edges) < 9
    assert bins.count(pd.Series([0.0, 1.0])).tolist()[0] == 1
    constant = Binning.of(pd.Series([7, 7, 7]))
    assert constant.count(pd.Series([6, 7, 8])).tolist() == [2, 1, 0]


def test_numbers_without_any_value_have_one_bin() -> None:
    bins = Binning.of(pd.Series([math.nan, math.nan]))
    assert bins.edges == ()
    assert bins.count(pd.Series([1.0, math.nan])).tolist() == [1, 1]


def test_booleans_and_whole_numbers_are_numbers() -> None:
    assert Binning.of(pd.Series([True, False])).categories == ()
    assert Binning.of(pd.Series([1, 2], dtype="int64")).categories == ()


def test_categories_are_the_most_frequent_and_the_rest() -> None:
    texts = pd.Series([f"c{i}" for i in range(40) for _ in range(40 - i)])
    bins = Binning.of(texts)
    assert len(bins.categories) == 30
    assert bins.categories[0] == "c0"
    counts = bins.count(pd.Series(["c0", "c0", "c39", "new", None]))
    assert (counts[0], counts[30], counts[31], counts.sum()) == (2, 2, 1, 5)


def test_a_profile_survives_json() -> None:
    frame = pd.DataFrame({"x": numbers(100), "c": ["a", "b", None, "ü"] * 25, "k": [1] * 100})
    for profile in profile_frame(frame, pd.Series([0, 1] * 50)).values():
        again = ColumnProfile.from_json(json.loads(json.dumps(profile.as_json(), allow_nan=False)))
        assert again == profile
        assert again.n_rows == 100


def test_what_a_column_does_by_itself_is_its_most_unusual_block() -> None:
    blocks = pd.Series([0] * 500 + [1] * 500)
    calm = pd.Series(np.tile(np.arange(500.0), 2))
    spells = pd.Series([*np.arange(500.0), *(np.arange(500.0) + 300)])
    found = profile_frame(pd.DataFrame({"calm": calm, "spells": spells}), blocks)
    assert found["calm"].typical == 0.0
    assert found["spells"].typical > 0.2


def test_every_column_is_profiled_under_its_name() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}, index=[7, 9])
    found = profile_frame(frame, pd.Series([0, 0]))
    assert list(found) == ["x", "c"]
    assert found["c"].counts == (1, 1, 0, 0)


@pytest.mark.parametrize("n_bins", [2, 4])
def test_the_number_of_bins_can_be_chosen(n_bins: int) -> None:
    assert len(Binning.of(numbers(), n_bins=n_bins).edges) == n_bins - 1
