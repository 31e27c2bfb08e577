"""Informedness by hand, with intervals that hold for few rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlops_tasks.features.leaks.informedness import (
    Classes,
    cells_of_names,
    cells_of_numbers,
    informedness,
)
from mlops_tasks.features.leaks.presence import presence_of_label, purity
from mlops_tasks.problem_types.metrics import Interval


def halves(codes: Any) -> Classes:
    """Put every other row of each class into the second half."""
    codes = np.asarray(codes)
    second = np.zeros(len(codes), bool)
    for code in range(codes.max() + 1):
        second[np.nonzero(codes == code)[0][1::2]] = True
    return Classes(codes, second)


def test_the_label_itself_has_one_and_exact_bounds() -> None:
    """All of 100 rows right: at least 0.025 ** (1 / 100) of all rows are (Clopper, Pearson)."""
    codes = np.repeat([0, 1], 100)
    found = informedness(codes, halves(codes))
    missed = 1 - 0.025 ** (1 / 100)
    assert (found.value, found.upper) == (1, 1)
    assert found.lower == pytest.approx(1 - math.sqrt(2 * missed**2), abs=1e-12)


def test_it_is_sensitivity_and_specificity_less_one() -> None:
    """Of 100 positive rows 90 have the flag, of 400 negative ones 20."""
    codes = np.repeat([1, 0], [100, 400])
    flag = np.concatenate([np.arange(100) < 90, np.arange(400) < 20]).astype(int)
    found = informedness(flag, halves(codes))
    assert found.value == pytest.approx(0.9 + 0.95 - 1)
    assert found.lower < 0.85 < found.upper < 1


def test_each_of_three_classes_counts_the_same() -> None:
    """Two of them look the same: recalls 1, 1 and 0, and chance is a third."""
    codes = np.repeat([0, 1, 2], [100, 60, 20])
    found = informedness(np.minimum(codes, 1), halves(codes))
    assert found.value == pytest.approx((2 / 3 - 1 / 3) / (2 / 3))


def test_what_says_nothing_has_nothing() -> None:
    codes = np.repeat([0, 1], 50)
    assert informedness(np.zeros(100, int), halves(codes)).value == 0
    assert informedness(np.arange(100), halves(codes)).value == -1  # cells that were never seen


def test_a_number_that_was_never_seen_is_like_its_neighbours() -> None:
    codes = np.repeat([0, 1], 50)
    found = informedness(np.arange(100), halves(codes), ordered=True)
    assert found.value >= 0.96


def test_each_half_is_asked_what_the_other_one_shows() -> None:
    """The first half says cell 1 of class 1; of the second one, 6 of 10 such rows are in cell 0."""
    codes = np.repeat([0, 1, 0, 1], 10)
    cells = np.concatenate([codes[:30], np.repeat([1, 0], [4, 6])])
    found = informedness(cells, Classes(codes, np.arange(40) >= 20))
    assert found.value == pytest.approx(1 + (10 + 4) / 20 - 1)


def test_a_number_that_was_seen_is_not_like_its_neighbours() -> None:
    cells = np.repeat(np.arange(10), 20)
    assert informedness(cells, halves(cells % 2), ordered=True).value == 1


def test_confidence_widens_the_interval() -> None:
    codes = np.repeat([0, 1], 50)
    wide, narrow = (
        informedness(codes, halves(codes), confidence=confidence) for confidence in (0.99, 0.9)
    )
    assert wide.lower < narrow.lower


def test_cells_of_numbers() -> None:
    """Few different ones have a cell each; many are cut by rank, equal ones never."""
    assert cells_of_numbers(np.array([3.0, np.nan, 1.0, 3.0])).tolist() == [2, 0, 1, 2]
    numbers = np.random.default_rng(0).permutation(800).astype(float)
    cells = cells_of_numbers(numbers)
    assert np.bincount(cells)[1:].tolist() == [8] * 100
    assert (np.diff(cells[numbers.argsort()]) >= 0).all()
    assert len(set(cells_of_numbers(np.arange(100_000.0)).tolist())) == 512
    mostly = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    assert len(set(cells_of_numbers(mostly)[:900].tolist())) == 1
    assert cells_of_numbers(np.full(5, np.nan)).tolist() == [0] * 5
    assert cells_of_numbers(np.arange(100.0)).max() == 100 // 8
    assert cells_of_numbers(np.arange(10.0)).tolist() == [1] * 5 + [2] * 5


def test_cells_of_names() -> None:
    names = np.array(["b", None, "a", "b", np.nan], dtype=object)
    assert cells_of_names(names).tolist() == [1, 0, 2, 1, 0]
    assert cells_of_names(names).dtype == np.int64


def test_rows_without_one_half_of_a_class_tell_nothing() -> None:
    classes = halves(np.repeat([0, 1], 4))
    some = classes.take(np.array([1, 1, 1, 1, 1, 1, 0, 0], bool))
    assert some is not None
    assert some.codes.tolist() == [0, 0, 0, 0, 1, 1]
    assert some.second.tolist() == [False, True, False, True, False, True]
    assert classes.take(np.array([1, 1, 1, 1, 1, 0, 1, 0], bool)) is None


# --- presence


def test_purity_by_hand() -> None:
    found = purity(Interval(0.4, 0.3, 0.5), Interval(0.1, 0.0, 0.2))
    assert (found.value, found.lower, found.upper) == (0.8, 0.6, 1.0)
    assert purity(Interval(0.0, 0.0, 0.1), Interval(0.0, 0.0, 0.1)).value == 0


def presence(there: Any, codes: Any) -> Any:
    return presence_of_label(~np.asarray(there, bool), halves(codes))


def test_a_value_that_only_one_class_has() -> None:
    codes = np.repeat([1, 0], [200, 2000])
    there = np.arange(2200) < 100
    found = presence(there, codes)
    assert (found.present, found.share, found.others) == (True, 0.5, 0.0)
    # at least 0.4287 of one class and at most 0.001843 of the other (Clopper, Pearson)
    assert found.found.lower == pytest.approx(0.4287 / (0.4287 + 0.001843), abs=1e-4)
    missing = presence(~there, codes)
    assert (missing.present, missing.share) == (False, 0.5)


def test_a_value_that_only_the_last_class_always_has() -> None:
    codes = np.repeat([0, 1], 400)
    found = presence((codes == 1) | (np.arange(800) % 2 == 1), codes)
    assert (found.present, found.share, found.others) == (False, 0.5, 0.0)


@pytest.mark.parametrize(
    ("n_there", "n_others"), [(24, 0), (100, 12), (10, 0)], ids=["a tenth", "not pure", "rare"]
)
def test_values_that_are_rare_or_not_pure(n_there: int, n_others: int) -> None:
    codes = np.repeat([1, 0], [200, 2000])
    there = np.concatenate([np.arange(200) < n_there, np.arange(2000) < n_others])
    assert presence(there, codes) is None


def test_a_feature_that_is_always_or_never_there() -> None:
    codes = np.repeat([1, 0], 100)
    assert presence(np.ones(200), codes) is None
    assert presence(np.zeros(200), codes) is None
