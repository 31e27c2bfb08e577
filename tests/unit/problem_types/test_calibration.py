"""Predicted and observed shares: what chance explains is no gap, twice the share is one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from mlops_tasks.problem_types.calibration import calibration
from mlops_tasks.problem_types.outcomes import Outcomes


def binary(n_positive: int, n: int, predicted: float, days: Any = None) -> Outcomes:
    return Outcomes(np.repeat([1, 0], [n_positive, n - n_positive]), np.full(n, predicted), days)


def test_a_share_has_its_exact_interval() -> None:
    (found,) = calibration(binary(3, 150, 0.05), confidence=0.9)
    exact = binomtest(3, 150).proportion_ci(0.9)
    assert found.name == "positive"
    assert found.predicted == pytest.approx(0.05)
    assert found.observed.value == 0.02
    bounds = found.observed.lower, found.observed.upper
    assert bounds == pytest.approx((exact.low, exact.high), abs=1e-11)


def test_of_a_rare_class_half_the_share_is_a_gap_with_rows_enough() -> None:
    """2 % predicted as 1 % is one point: an absolute limit of three would let it pass."""
    (many,) = calibration(binary(200, 10_000, 0.01))
    (few,) = calibration(binary(4, 200, 0.01))
    assert many.predicted < many.observed.lower
    assert few.observed.lower < few.predicted < few.observed.upper


def test_the_confidence_is_99_percent_unless_said_otherwise() -> None:
    rows = binary(3, 150, 0.05)
    assert calibration(rows) == calibration(rows, confidence=0.99)


def test_classes_share_the_confidence() -> None:
    y = np.repeat([0, 1, 2, -1], [10, 20, 60, 10])
    rows = Outcomes(y, np.tile([0.2, 0.2, 0.6], (100, 1)), classes=("a", "b", "c"))
    found = calibration(rows, confidence=0.97)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert [one.predicted for one in found] == pytest.approx([0.2, 0.2, 0.6])
    assert [one.observed.value for one in found] == [0.1, 0.2, 0.6]
    exact = binomtest(10, 100).proportion_ci(0.99)
    assert found[0].observed.lower == pytest.approx(exact.low, abs=1e-11)


def test_a_mean_has_the_interval_of_student_around_the_prediction() -> None:
    random = np.random.default_rng(1)
    y = random.exponential(5, 60)
    p = y + random.normal(0.5, 1, 60)
    (found,) = calibration(Outcomes(y, p), confidence=0.9)
    known = ttest_1samp(y - p, 0).confidence_interval(0.9)
    assert found.name == "mean"
    assert (found.predicted, found.observed.value) == (
        pytest.approx(p.mean()),
        pytest.approx(y.mean()),
    )
    assert found.observed.lower == pytest.approx(p.mean() + known.low)
    assert found.observed.upper == pytest.approx(p.mean() + known.high)


def test_of_one_row_nothing_is_known() -> None:
    (found,) = calibration(Outcomes(np.array([3.0]), np.array([2.0])))
    assert (found.observed.lower, found.observed.upper) == (-math.inf, math.inf)


@pytest.mark.parametrize("n_days", [9, 10])
def test_from_ten_days_on_days_are_the_units(n_days: int) -> None:
    """All rows of a day are alike: there are as many observations as days."""
    random = np.random.default_rng(3)
    level, days = random.normal(0, 1, n_days), np.repeat(np.arange(n_days), 50)
    y = 10 + level[days]
    (found,) = calibration(Outcomes(y, np.full(len(y), 10.0), days), confidence=0.9)
    units = level if n_days >= 10 else level[days]
    known = ttest_1samp(units, 0).confidence_interval(0.9)
    assert found.observed.lower == pytest.approx(10 + known.low)
    assert found.observed.upper == pytest.approx(10 + known.high)


def test_days_of_different_size_are_a_ratio() -> None:
    random = np.random.default_rng(4)
    sizes = random.integers(5, 60, 14)
    days = np.repeat([f"2024-03-{day:02d}" for day in range(1, 15)], sizes)
    y, p = random.normal(3, 1, (2, sizes.sum()))
    (found,) = calibration(Outcomes(y, p, days), confidence=0.9)
    sums = np.array([(y - p)[days == day].sum() for day in np.unique(days)])
    ratio = sums.sum() / sizes.sum()
    error = np.std(sums - ratio * sizes, ddof=1) / np.sqrt(14) / sizes.mean()
    reach = 1.7709334  # t of 13 degrees of freedom at 95 %
    assert found.observed.lower == pytest.approx(p.mean() + ratio - reach * error)
    assert found.observed.upper == pytest.approx(p.mean() + ratio + reach * error)


def test_of_a_share_by_days_the_wider_interval_counts() -> None:
    days = np.arange(1000) % 20
    alike = np.isin(np.arange(1000) // 20, range(25))  # of each day the same half
    (calm,) = calibration(Outcomes(alike * 1, np.full(1000, 0.5), days))
    exact = binomtest(500, 1000).proportion_ci(0.99)
    bounds = calm.observed.lower, calm.observed.upper
    assert bounds == pytest.approx((exact.low, exact.high), abs=1e-9)
    wild = (days < 10) * 1  # of half the days all
    (rough,) = calibration(Outcomes(wild, np.full(1000, 0.5), days))
    assert rough.observed.lower < 0.25
    assert rough.observed.upper > 0.75
    (extreme,) = calibration(Outcomes((days < 1) * 1, np.full(1000, 0.05), days))
    assert extreme.observed.lower == 0.0
    (other,) = calibration(Outcomes((days >= 1) * 1, np.full(1000, 0.95), days))
    assert (other.name, other.predicted) == ("positive", pytest.approx(0.95))
    assert (other.observed.value, other.observed.upper) == (0.95, 1.0)


def test_of_classes_by_days_the_wider_interval_counts() -> None:
    days, y = np.repeat(np.arange(20), 50), np.repeat(np.arange(20) % 2, 50)
    rows = Outcomes(y, np.full((1000, 2), 0.5), days, classes=("a", "b"))
    assert all(one.observed.lower < 0.25 for one in calibration(rows))


@pytest.mark.parametrize("kind", ["rows", "days"])
def test_a_model_that_is_right_has_a_gap_once_in_twenty(kind: str) -> None:
    random, gaps, times = np.random.default_rng(5), 0, 300
    days = np.repeat(np.arange(12), 60)
    for _ in range(times):
        shift = random.normal(0, 1, 12)[days] if kind == "days" else 0
        y = random.normal(3, 1, 720) + shift
        rows = Outcomes(y, np.full(720, 3.0), days if kind == "days" else None)
        (found,) = calibration(rows, confidence=0.95)
        gaps += not found.observed.lower <= found.predicted <= found.observed.upper
    assert 5 <= gaps <= 27, "with one in twenty, 27 or more of 300 happen once in 1000 trials"


def test_what_predictions_tell_is_no_chance_and_few_hits_are_counted_exactly() -> None:
    random = np.random.default_rng(5)
    outside = 0
    for _ in range(400):
        scores = random.beta(0.5, 1.5, 400)
        rows = Outcomes((random.random(400) < scores).astype(int), scores)
        ((_, predicted, found),) = calibration(rows, confidence=0.95, at_their_word=True)
        ((_, _, wide),) = calibration(rows, confidence=0.95)
        assert found.upper - found.lower < wide.upper - wide.lower
        outside += not found.lower <= predicted <= found.upper
    assert 4 <= outside <= 33, "of 400 with 19 expected, both ends happen once in 1000 trials"
    few = Outcomes(np.repeat([1, 0], [2, 998]), np.full(1000, 0.002))
    assert calibration(few, at_their_word=True) == calibration(few)
