from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.drift.alarm_rule import noise_quantile
from mlops_tasks.drift.day_effects import day_effect
from mlops_tasks.drift.effects import CohensD, CohensH, Readings


def test_quantiles_of_a_weighted_sum_are_close() -> None:
    weights = 1 / (np.arange(1, 400) * np.arange(2, 401))  # Anderson and Darling's limit
    curvature = np.sum(weights**2), np.sum(weights**3)
    # Their table: 2.492 at 5 %, 3.857 at 1 %; 5.967 at 0.1 % (Marsaglia and Marsaglia 2004).
    for level, exact in ((0.05, 2.492), (0.01, 3.857), (0.001, 5.967)):
        alone, moving = noise_quantile(curvature, level, np.array([0.0, 0.5]), np.array([0, 30]))
        assert alone == pytest.approx(exact, rel=0.02)
        assert moving > alone


@pytest.mark.parametrize(
    ("cells", "n"),
    [(np.ones(33), 100), (np.ones(33), 5000), ([0.95, *[0.01] * 5], 500), ([0.7, 0.3], 200)],
)
def test_sampling_exceeds_its_quantile_as_often_as_it_says(cells: list[float], n: int) -> None:
    random, shares = np.random.default_rng(4), np.asarray(cells) / np.sum(cells)
    draws, m = 20_000, 30 * n
    sides = [
        Readings(
            np.cumsum(random.multinomial(k, shares, draws), 1)[:, :-1] / k,
            np.full(draws, float(k)),
            np.zeros(draws),
        )
        for k in (m, n)
    ]
    cuts = len(shares) - 1
    cohens_h = CohensH(np.ones(cuts) / cuts, np.cumsum(shares)[:-1], is_ordered=True)
    curvature, still, none = cohens_h.curvature(np.array(n)), np.array(0.0), np.array(0)
    effect, noise = cohens_h.squared(*sides), cohens_h.noise(*sides)
    assert effect.mean() == pytest.approx(noise.mean(), rel=0.05)
    for level in (0.01, 0.001):
        over = np.mean(effect > noise * noise_quantile(curvature, level, still, none))
        assert over < 1.6 * level + 3 * np.sqrt(level / draws)
    over = np.mean(effect > noise * noise_quantile(curvature, 0.01, still, none))
    assert over > 0.003, "so wide a quantile has no power"


def test_days_with_an_effect_of_their_own_keep_the_level() -> None:
    """One normal effect per day beside sampling: the case the F distribution is there for."""
    random = np.random.default_rng(6)
    cohens_d, over, draws = CohensD(), 0, 0
    for _ in range(400):
        means = 0.1 * random.normal(size=80) + random.normal(size=80) / np.sqrt(500)
        readings = Readings(means[:, None], np.full(80, 500.0), np.ones(80))
        days, new = (
            Readings(*(x[part] for x in (readings.values, readings.n, readings.spread)))
            for part in (slice(0, 30), slice(30, None))
        )
        between, whole = day_effect(cohens_d, days), cohens_d.pooled(days)
        sampling = cohens_d.noise(whole, new)
        expected = between.expected(sampling, 1.0)
        quantile = noise_quantile(
            cohens_d.curvature(new.n), 0.001, 1 - sampling / expected, np.array(30)
        )
        over += int(np.sum(cohens_d.squared(whole, new) > expected * quantile))
        draws += 50
    assert over / draws < 0.003
