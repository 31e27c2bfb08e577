from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import f

from mlops_tasks.drift import DriftPolicy, Evidence
from mlops_tasks.drift.alarm_rule import AlarmRule, noise_quantile
from mlops_tasks.drift.aspects import Aspect, ReferenceProfiles
from mlops_tasks.drift.day_effects import DayEffect, day_effect
from mlops_tasks.drift.effects import CohensD, CohensH, Readings
from mlops_tasks.drift.samples import TwoSamples
from mlops_tasks.profiles import Profile
from tests.unit.drift.samples import profile

NO_DAYS = DayEffect(np.zeros(1), np.zeros(1, int), np.zeros(1))


class Mean(Aspect):
    """A mean that is what a test wants it to be; the reference's is 0, of variance 1."""

    name = "mean"

    def __init__(self, mean: float, n: float, between: DayEffect = NO_DAYS) -> None:
        self.columns, self.effect, self._now = ("x",), CohensD(), self._readings(mean, n)
        self.reference = self.days = self._readings(0.0, n)
        self.day_effect = between

    def learn(self, reference: ReferenceProfiles) -> None: ...

    def read(self, profiles: Sequence[Profile]) -> Readings:
        (self.seen,) = profiles
        return self._now

    def describe(self, samples: TwoSamples, i: int) -> str:
        assert samples.names == {"x"}
        return f"{self.columns[i]} moved"

    @staticmethod
    def _readings(mean: float, n: float) -> Readings:
        return Readings(np.array([[[mean]]]), np.array([[n]]), np.array([[1.0]]))


def judged(aspect: Mean, policy: DriftPolicy, *, n_days: float = 1) -> Evidence:
    samples = TwoSamples(profile(x=[1.0]), profile(x=[2.0]))
    ((name, evidence),) = AlarmRule(policy, n_days, level=0.05).apply(aspect, samples)
    assert (name, aspect.seen) == ("x", samples.current)
    return evidence


def test_the_threshold_is_the_smallest_effect_and_what_chance_explains() -> None:
    evidence = judged(Mean(0.2, 400), DriftPolicy(min_effect=0.1))
    # 3.841 is the 95 % point of chi-square with one degree of freedom.
    threshold = math.sqrt(0.1**2 + (1 / 400 + 1 / 400) * 3.841459)
    assert evidence == Evidence("mean", 0.2, round(threshold, 6), True, "x moved")


def test_day_effects_widen_the_threshold_less_for_more_days() -> None:
    between = DayEffect(np.array([0.05]), np.array([11]), np.array([0.0]))
    # Without sampling: 4.965 is the 95 % point of F with 1 and 10 degrees of freedom.
    for n_days in (1, 5):
        evidence = judged(Mean(0.2, 1e12, between), DriftPolicy(min_effect=0.0), n_days=n_days)
        expected = 0.05 * (1 / n_days + 1 / 11)
        assert evidence.threshold == pytest.approx(math.sqrt(expected * 4.964603), rel=1e-4)


def test_the_most_unusual_day_of_the_reference_sets_a_least_threshold() -> None:
    between = DayEffect(np.array([0.05]), np.array([11]), np.array([9.0]))
    evidence = judged(Mean(0.2, 1e12, between), DriftPolicy(min_effect=0.0))
    assert evidence.threshold == pytest.approx(math.sqrt(0.05 * 12 / 11 * 9), rel=1e-4)


def test_an_effect_of_just_the_threshold_is_no_alarm() -> None:
    """Of infinitely many rows nothing is noise."""
    policy = DriftPolicy(min_effect=0.5)
    assert judged(Mean(0.5, np.inf), policy) == Evidence("mean", 0.5, 0.5, False, "x moved")
    assert judged(Mean(0.500001, np.inf), policy).alarm


def test_just_the_rows_that_are_needed_are_enough() -> None:
    policy = DriftPolicy(min_rows=100)
    assert judged(Mean(0.0, 100), policy).threshold is not None
    few = judged(Mean(9.0, 99), policy)
    text = "mean: 99 rows, fewer than 100: too few rows to tell"
    assert few == Evidence("mean", None, None, False, text)


def test_what_has_no_bound_is_none_and_what_is_rounded_has_six_digits() -> None:
    policy = DriftPolicy(min_effect=0.123456789)
    assert judged(Mean(2e6, np.inf), policy) == Evidence("mean", None, 0.123457, True, "x moved")
    assert judged(Mean(1.23456789, np.inf), policy).effect == 1.234568
    lost = DayEffect(np.array([np.inf]), np.array([30]), np.array([1.0]))
    assert judged(Mean(0.2, 400, lost), policy) == Evidence("mean", 0.2, None, False, "x moved")


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


def test_day_effects_add_to_the_widest_of_four_directions() -> None:
    """Four alike, of weight 1/4 each: the widest as the sum of the cubes has it."""
    share, n_days, widest = 0.4, 21, (4 * 0.25**3) ** (1 / 3)
    second = (1 - share) ** 2 * 4 * 0.25**2 + 2 * share * (1 - share) * widest + share**2
    third = (
        (1 - share) ** 3 * 4 * 0.25**3
        + 3 * share * (1 - share) ** 2 * widest**2
        + 3 * share**2 * (1 - share) * widest
        + share**3
    )
    freedom = second**3 / third**2
    point = freedom * f.ppf(0.95, freedom, (n_days - 1) / math.sqrt(share))
    curvature = np.array(4 * 0.25**2), np.array(4 * 0.25**3)
    found = noise_quantile(curvature, 0.05, np.array(share), np.array(n_days))
    assert found == pytest.approx(1 + (point - freedom) * math.sqrt(second / freedom))
