from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.drift import population_stability_index, psi_noise
from mlops_tasks.exceptions import FeatureError


def psi(reference: list[int], current: list[int]) -> float:
    return population_stability_index(np.array(reference), np.array(current))


def test_values_worked_out_by_hand() -> None:
    # 100 rows each; half a row is added to every bin: (50.5, 50.5) and (80.5, 20.5) of 101.
    by_hand = (80.5 - 50.5) / 101 * math.log(80.5 / 50.5) + (20.5 - 50.5) / 101 * math.log(
        20.5 / 50.5
    )
    assert psi([50, 50], [80, 20]) == pytest.approx(by_hand, rel=1e-12)
    # An empty bin stays finite: (10.5, 0.5) and (0.5, 10.5) of 11, so 2 * 10/11 * ln 21.
    assert psi([10, 0], [0, 10]) == pytest.approx(20 / 11 * math.log(21), rel=1e-12)
    # Large samples come close to the textbook: p = (.5, .5), q = (.6, .4).
    textbook = 0.1 * math.log(0.6 / 0.5) - 0.1 * math.log(0.4 / 0.5)
    assert psi([500_000, 500_000], [600_000, 400_000]) == pytest.approx(textbook, rel=1e-4)


def test_equal_shares_are_zero_whatever_the_sizes() -> None:
    assert psi([50, 50, 0], [5000, 5000, 0]) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12))
def test_it_is_finite_not_negative_and_symmetric(bins: list[tuple[int, int]]) -> None:
    reference, current = [list(counts) for counts in zip(*bins, strict=True)]
    if not sum(reference) or not sum(current):
        with pytest.raises(FeatureError, match="a sample is empty"):
            psi(reference, current)
        return
    value = psi(reference, current)
    assert 0 <= value < math.inf
    assert value == pytest.approx(psi(current, reference))


@pytest.mark.parametrize("n_bins", [2, 5, 11])
@pytest.mark.parametrize(("n", "m"), [(2000, 500), (20_000, 700)])
def test_sampling_alone_stays_under_the_noise(n_bins: int, n: int, m: int) -> None:
    """999 of 1000 samples without drift must lie below; a few more or less is the draw's luck."""
    random = np.random.default_rng([5, n_bins, n])
    shares = random.dirichlet(np.full(n_bins, 20.0))
    draws = 1000
    over = 0
    values = []
    for _ in range(draws):
        reference, current = random.multinomial(n, shares), random.multinomial(m, shares)
        value = population_stability_index(reference, current)
        values.append(value)
        over += value > psi_noise(reference, current)
    assert over <= 6  # 1 expected; 7 or more has a chance of 0.0001
    bound = psi_noise(reference, current)
    assert np.quantile(values, 0.99) < bound < 4 * np.quantile(values, 0.99), "the bound is tight"


def test_real_drift_is_far_above_the_noise() -> None:
    random = np.random.default_rng(8)
    edges = np.linspace(-1.3, 1.3, 9)
    reference = np.bincount(np.searchsorted(edges, random.normal(0, 1, 3000)), minlength=10)
    current = np.bincount(np.searchsorted(edges, random.normal(0.5, 1, 700)), minlength=10)
    assert population_stability_index(reference, current) > psi_noise(reference, current)


def test_the_noise_shrinks_with_rows_and_grows_with_certainty() -> None:
    few, many = np.array([50, 50]), np.array([5000, 5000])
    assert psi_noise(many, many) < psi_noise(many, few) < psi_noise(few, few)
    assert psi_noise(few, few, quantile=0.9) < psi_noise(few, few, quantile=0.999)


def test_bins_that_nobody_uses_add_no_noise() -> None:
    assert psi_noise(np.array([50, 50, 0]), np.array([9, 9, 0])) == psi_noise(
        np.array([50, 50]), np.array([9, 9])
    )
    assert psi_noise(np.array([50]), np.array([9])) > 0
