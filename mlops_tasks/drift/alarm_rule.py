"""The alarm rule: an effect alarms beyond what sampling, sketches and day effects explain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.decision import Answer, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.drift.aspects.base import Aspect
    from mlops_tasks.drift.decision import DriftPolicy
    from mlops_tasks.drift.effects import Readings
    from mlops_tasks.drift.samples import Floats, Integers, TwoSamples

__all__ = ["AlarmRule", "noise_quantile"]

# Standard deviations. Only a constant that became another one is further away.
_UNBOUNDED = 1e6


@dataclass(frozen=True)
class AlarmRule:
    """A policy, the days of the window, and the chance of a false alarm of each comparison."""

    policy: DriftPolicy
    n_days: float
    level: float

    def apply(self, aspect: Aspect, samples: TwoSamples) -> Iterator[tuple[str, Evidence]]:
        """Judge the columns of an aspect that both sides have."""
        old, now = aspect.reference, aspect.read([samples.current])
        squared = aspect.effect.squared(old, now)
        noise = self._noise(aspect, now)
        rows = np.minimum(now.rows, old.rows)
        columns = zip(*(values[0].tolist() for values in (rows, squared, noise)), strict=True)
        for i, (name, numbers) in enumerate(zip(aspect.columns, columns, strict=True)):
            if name in samples.names:
                yield name, self._evidence(aspect, i, samples, *numbers)

    def _evidence(
        self, aspect: Aspect, i: int, samples: TwoSamples, rows: float, squared: float, noise: float
    ) -> Evidence:
        if rows < self.policy.min_rows:
            why = f"{rows:.0f} rows, fewer than {self.policy.min_rows}: {Answer.TOO_FEW}"
            return Evidence(aspect.name, None, None, False, f"{aspect.name}: {why}")
        effect, bound = math.sqrt(squared), self.policy.min_effect**2 + noise
        threshold = math.sqrt(bound)
        return Evidence(
            aspect.name,
            round(effect, 6) if effect < _UNBOUNDED else None,
            round(threshold, 6) if math.isfinite(threshold) else None,
            squared > bound,
            aspect.describe(samples, i),
        )

    def _noise(self, aspect: Aspect, now: Readings) -> Floats:
        """Return the squared effect that chance exceeds as often as the level says."""
        days = aspect.day_effect
        sampling = aspect.effect.noise(aspect.reference, now)
        expected = days.expected(sampling, self.n_days)
        is_noisy = (expected > 0) & np.isfinite(expected)
        share = 1 - np.divide(sampling, expected, out=np.ones_like(expected), where=is_noisy)
        quantile = noise_quantile(aspect.effect.curvature(now.n), self.level, share, days.n_days)
        return expected * np.where(is_noisy, np.maximum(quantile, days.largest), 1.0)


def noise_quantile(
    curvature: tuple[Floats, Floats], level: float, day_share: Floats, n_days: Integers
) -> Floats:
    """Return the multiple of its mean that a squared effect exceeds by chance.

    Parameters
    ----------
    curvature : tuple of array
        `curvature` of the sampling noise of an effect.
    level : float
        The chance, in (0, 1).
    day_share : array
        Share of the mean that is day effects, from 0 to 1.
    n_days : array
        Days that the day effects were seen on.

    Returns
    -------
    array
        At least about 1, unitless.

    Notes
    -----
    A weighted sum of chi-squares is replaced by the one chi-square with the same mean, variance and
    skewness (Imhof 1961; exact for one cut). Day effects are taken to have one dimension, that in
    which sampling is widest: the worst case. As they are only estimated from `n_days` days,
    Fisher's F takes the place of chi-square, as Student's t does that of the normal distribution.

    References
    ----------
    Imhof (1961), Computing the distribution of quadratic forms in normal variables, Biometrika 48.
    Rao, Scott (1984), On chi-squared tests for multiway contingency tables with cell proportions
    estimated from survey data, Annals of Statistics 12.

    Examples
    --------
    >>> straight = np.ones(2), np.ones(2)
    >>> noise_quantile(straight, 0.05, np.array([0.0, 1.0]), np.array([0, 11])).round(2).tolist()
    [3.84, 4.96]
    """
    from scipy.special import chdtri, fdtri

    second, third = _with_day_effects(curvature, day_share)
    freedom = second**3 / third**2
    moves = day_share > 0
    others = (n_days - 1) / np.sqrt(np.where(moves, day_share, 1.0))
    point = np.where(
        moves,
        freedom * fdtri(freedom, np.where(moves, others, 1.0), 1 - level),
        chdtri(freedom, level),
    )
    return np.asarray(1 + (point - freedom) * np.sqrt(second / freedom))


def _with_day_effects(curvature: tuple[Floats, Floats], share: Floats) -> tuple[Floats, Floats]:
    """Add one direction of weight `share` to the widest direction of the sampling noise."""
    second, third = curvature
    widest, rest = third ** (1 / 3), 1 - share
    return (
        rest**2 * second + 2 * share * rest * widest + share**2,
        rest**3 * third + 3 * share * rest**2 * widest**2 + 3 * share**2 * rest * widest + share**3,
    )
