from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import poisson

from mlops_tasks.drift.effects import CohensD, CohensH, Readings, never_certain, sparse_moments


def mean_of(value: float, n: float = 500.0, variance: float = 0.0) -> Readings:
    return Readings(np.array([value]), np.array(n), np.array(variance))


def share_of(share: float, n: float, spread: float = 0.0) -> Readings:
    return Readings(np.array([share]), np.array(n), spread)


def test_moments_of_few_rows_are_those_of_poisson() -> None:
    random = np.random.default_rng(2)
    for rows in (0.05, 1.0, 6.0, 150.0):
        drawn = random.poisson(rows, 400_000)
        squared = 4 * (np.sqrt(drawn + 0.375) - np.sqrt(rows + 0.375)) ** 2
        mean, half_variance = sparse_moments(np.array(rows), 2)
        assert mean == pytest.approx(squared.mean(), rel=0.03, abs=0.002)
        assert half_variance == pytest.approx(squared.var() / 2, rel=0.06, abs=0.002)
    assert np.array(sparse_moments(np.array([1e6]), 3)) == pytest.approx(1, abs=0.02)


def test_cuts_that_never_vary_have_one_direction() -> None:
    effect = CohensH(np.ones(1), np.ones(1))
    assert effect.curvature(np.array(500.0)) == (1.0, 1.0)


def test_means_are_pooled_by_their_rows() -> None:
    parts = Readings(np.array([[1.0], [4.0]]), np.array([100.0, 200.0]), np.array([2.0, 5.0]))
    pooled = CohensD().pooled(parts)
    # 300 rows: mean (100 + 800) / 300; within each part, and of the parts around the mean.
    assert (pooled.values, pooled.n) == ([pytest.approx(3.0)], 300.0)
    assert pooled.spread == pytest.approx((2 + 2 * 5) / 3 + (4 + 2 * 1) / 3)


def test_a_part_without_rows_adds_nothing_to_a_pool() -> None:
    values, n = np.array([[1.0], [1e200]]), np.array([100.0, 0.0])
    pooled = CohensD().pooled(Readings(values, n, np.array([2.0, 0.0])))
    assert (pooled.values, pooled.n, pooled.spread) == ([1.0], 100.0, 2.0)
    none = CohensD().pooled(Readings(values, np.zeros(2), np.zeros(2)))
    assert (none.values, none.n, none.spread) == ([0.0], 0.0, 0.0)


def test_a_pool_too_wide_to_square_is_infinitely_wide() -> None:
    values = np.array([[1e200], [-1e200]])
    assert CohensD().pooled(Readings(values, np.full(2, 20.0), np.zeros(2))).spread == np.inf


def test_the_shift_is_in_the_larger_standard_deviation() -> None:
    cohens_d = CohensD()
    assert cohens_d.squared(mean_of(1, variance=4), mean_of(4, variance=9)) == pytest.approx(1)
    assert cohens_d.squared(mean_of(1, variance=9), mean_of(-2, variance=4)) == pytest.approx(1)
    assert cohens_d.squared(mean_of(7), mean_of(7)) == 0
    # Two constants, a millionth of a million apart: as far as rounding may take a mean.
    for low, high in ((1e6, 1e6 + 1e-6), (-1e6 - 1e-6, -1e6)):
        assert cohens_d.squared(mean_of(low), mean_of(high)) == pytest.approx(1, rel=1e-3)


def test_sampling_varies_with_the_rows_of_both_sides() -> None:
    assert CohensD().noise(mean_of(0, 400), mean_of(0, 100)) == pytest.approx(0.0125)
    assert CohensD().noise(mean_of(0, 0), mean_of(0, 0)) == 2


def test_shares_are_pooled_by_their_rows() -> None:
    parts = Readings(np.array([[0.1], [0.4]]), np.array([100.0, 200.0]), np.array([0.03, 0.06]))
    pooled = CohensH(np.ones(1), np.array([0.3])).pooled(parts)
    assert (pooled.values, pooled.n) == ([pytest.approx(0.3)], 300.0)
    assert pooled.spread == pytest.approx(0.03 / 9 + 0.06 * 4 / 9)


def test_h_is_taken_with_three_eighths_of_a_row() -> None:
    old, new = (2 * math.asin(math.sqrt((k + 0.375) / 100.75)) for k in (50, 60))
    effect = CohensH(np.ones(1), np.array([0.5]))
    found = effect.squared(share_of(0.5, 1e6), share_of(0.6, 100))
    assert found == pytest.approx((new - old) ** 2, rel=1e-12)


def test_cuts_count_by_their_weights() -> None:
    effect = CohensH(np.array([0.25, 0.75]), np.array([0.5, 0.5]))
    old = Readings(np.array([0.5, 0.5]), np.array(1e9))
    one, other = (Readings(np.array(new), np.array(1e9)) for new in ([0.6, 0.5], [0.5, 0.6]))
    h = 2 * math.asin(math.sqrt(0.6)) - math.pi / 2
    assert effect.squared(old, one) == pytest.approx(h**2 / 4, rel=1e-6)
    assert effect.squared(old, other) == pytest.approx(3 * h**2 / 4, rel=1e-6)


def test_the_noise_of_a_share_is_that_of_its_rows_and_of_its_sketch() -> None:
    effect = CohensH(np.ones(1), np.array([0.2]))
    sampling = 1 / 10_000 + 1 / 40_000
    assert effect.noise(share_of(0.2, 4e4), share_of(0.2, 1e4)) == pytest.approx(sampling, rel=0.01)
    rounded = effect.noise(share_of(0.2, 4e4, 1e-3), share_of(0.2, 1e4, 2e-3))
    assert rounded == pytest.approx(sampling + 3e-3 / (0.2 * 0.8), rel=0.01)


def test_a_share_of_half_a_row_is_no_place_where_a_sketch_errs() -> None:
    for rows, errs in ((0.5, False), (2.0, True)):
        share = rows / 1000
        effect = CohensH(np.ones(1), np.array([share]))
        exact, rounded = (
            effect.noise(share_of(share, 1000, spread), share_of(share, 1000))
            for spread in (0.0, 1e-6)
        )
        added = 1e-6 / (share * (1 - share)) if errs else 0.0
        assert rounded - exact == pytest.approx(added, abs=1e-12)


def test_a_cut_that_nothing_crosses_makes_no_noise() -> None:
    effect = CohensH(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    sides = [Readings(np.array([1.0, 0.0]), np.array(500.0)) for _ in range(2)]
    assert effect.noise(*sides) == 0


@pytest.mark.parametrize(("shares", "is_ordered"), [([0.25, 0.75], True), ([0.25, 0.25], False)])
def test_curvature_is_that_of_the_directions_of_correlated_cuts(
    shares: list[float], is_ordered: bool
) -> None:
    """Correlated by 1/3, so that their common noise has the weights 2/3 and 1/3."""
    effect = CohensH(np.array([0.5, 0.5]), np.array(shares), is_ordered=is_ordered)
    squares, cubes = effect.curvature(np.array(1e6))
    assert squares == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2, rel=0.01)
    assert cubes == pytest.approx((2 / 3) ** 3 + (1 / 3) ** 3, rel=0.01)


def test_one_cut_of_few_rows_has_the_moments_of_poisson() -> None:
    rows = np.arange(60)
    chance = poisson.pmf(rows, 1.0)
    squared = 4 * (np.sqrt(rows + 0.375) - np.sqrt(1.375)) ** 2
    mean = np.sum(chance * squared)
    variance, third = (np.sum(chance * (squared - mean) ** k) for k in (2, 3))
    for share in (0.1, 0.9):
        squares, cubes = CohensH(np.ones(1), np.array([share])).curvature(np.array(10.0))
        assert squares == pytest.approx(variance / 2 / mean**2, rel=1e-3)
        assert cubes == pytest.approx(third / 8 / mean**3, rel=1e-3)


def test_columns_are_pooled_one_by_one() -> None:
    values, n = np.array([[[0.1], [0.2]], [[0.3], [0.6]]]), np.array([[100.0, 100], [100, 300]])
    spread = np.array([[0.04, 0.0], [0.04, 0.16]])
    pooled = CohensH(np.ones((2, 1)), np.full((2, 1), 0.5)).pooled(Readings(values, n, spread))
    assert pooled.values.tolist() == [[pytest.approx(0.2)], [pytest.approx(0.5)]]
    assert pooled.n.tolist() == [200, 400]
    assert pooled.spread == pytest.approx([0.02, 0.09])


def test_no_share_is_certain_half_a_row_is_on_either_side() -> None:
    shares = Readings(np.array([[[0.0], [1.0], [0.3]]]), np.array([[99.0, 99.0, 99.0]]))
    assert never_certain(shares)[:, 0] == pytest.approx([0.005, 0.995, 0.3])


def test_means_of_columns_are_pooled_one_by_one() -> None:
    values, n = np.array([[[1.0], [1.0]], [[3.0], [5.0]]]), np.array([[1.0, 1.0], [0.0, 3.0]])
    pooled = CohensD().pooled(Readings(values, n, np.array([[2.0, 2.0], [7.0, 6.0]])))
    assert pooled.values.tolist() == [[1.0], [4.0]]
    assert pooled.n.tolist() == [1, 4]
    assert pooled.spread.tolist() == [2.0, (2 + 9) / 4 + (6 + 1) * 3 / 4]


def test_curvature_of_columns_of_few_rows_is_that_of_each() -> None:
    weights, shares = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([[0.2, 0.5], [0.1, 0.7]])
    n = np.array([20.0, 40.0])
    squares, cubes = CohensH(weights, shares, is_ordered=True).curvature(n)
    for i in range(2):
        w, p = weights[i], shares[i]
        mean, second, third = sparse_moments(n[i] * np.minimum(p, 1 - p), 3)
        correlation = math.sqrt(p[0] * (1 - p[1]) / (p[1] * (1 - p[0])))
        both = correlation * math.sqrt(w[0] * mean[0] * w[1] * mean[1])
        covariance = np.array([[w[0] * mean[0], both], [both, w[1] * mean[1]]])
        own = [np.sum(w**k * (m - mean**k)) for k, m in ((2, second), (3, third))]
        total = np.sum(w * mean)
        assert squares[i] == pytest.approx((np.sum(covariance**2) + own[0]) / total**2)
        cubed = np.trace(covariance @ covariance @ covariance)
        assert cubes[i] == pytest.approx((cubed + own[1]) / total**3)


def test_numbers_too_large_to_square_did_not_move() -> None:
    assert CohensD().squared(mean_of(1e200), mean_of(-1e200)) == 0


def test_the_rarest_rows_are_seen_once_or_not() -> None:
    once = 4 * (math.sqrt(1.375) - math.sqrt(0.375)) ** 2
    (mean,) = sparse_moments(np.array([1e-4, 0.0]), 1)
    assert mean == pytest.approx(1e-4 * once, rel=0.01)
