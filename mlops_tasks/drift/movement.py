"""Noise of an effect size: its quantiles, and what the reference's own days add to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlops_tasks.drift.gauges import Gauge, Readings

__all__ = ["MIN_DAYS", "Movement", "movement_of", "noise_quantile"]

MIN_DAYS = 5
"""Fewer days cannot tell how days differ; then rows count as independent."""


@dataclass(frozen=True)
class Movement:
    """How far the days of a reference are from each other, beyond sampling.

    Attributes
    ----------
    excess : float
        Mean squared effect of being another day, unitless; 0 where days are nothing but samples.
    n_days : int
        Days it was seen on.
    largest : float
        Squared effect of the most unusual day, as a multiple of what was to be expected of it.
    """

    excess: float = 0.0
    n_days: int = 0
    largest: float = 0.0

    def expected(self, noise: float, n_days: float) -> float:
        """Return the mean squared effect without drift, of a window of some days."""
        return noise + self.excess * (1 / n_days + 1 / max(self.n_days, 1))


def movement_of(gauge: Gauge, days: Readings) -> Movement:
    """Compare each day of the reference with all of its other days.

    Parameters
    ----------
    gauge : Gauge
        What to look at.
    days : Readings
        Of each day, with at least one row each.

    Returns
    -------
    Movement
        None at all from fewer than `MIN_DAYS` days.

    Notes
    -----
    This is the design effect of sample surveys (Kish), seen from the data: flights of one day share
    one weather, so 900 of them tell less than 900 independent ones.
    """
    n_days = len(days.n)
    if n_days < MIN_DAYS:
        return Movement()
    whole = gauge.pooled(days)
    rest = _without_each(whole, days)
    seen, noise = gauge.squared_effect(rest, days), gauge.noise(rest, days)
    against_rest = 1 + 1 / (n_days - 1)
    excess = max(0.0, float(np.mean(seen - noise))) / against_rest
    expected = noise + excess * against_rest
    ratio = np.divide(seen, expected, out=np.zeros_like(seen), where=expected > 0)
    return Movement(excess, n_days, float(ratio.max()))


def noise_quantile(
    curvature: tuple[float, float], level: float, movement_share: float, n_days: int
) -> float:
    """Return the multiple of its mean that a squared effect exceeds by chance.

    Parameters
    ----------
    curvature : tuple of float
        `Gauge.curvature` of the sampling noise.
    level : float
        The chance, in (0, 1).
    movement_share : float
        Share of the mean that is movement from day to day, from 0 to 1.
    n_days : int
        Days that the movement was seen on.

    Returns
    -------
    float
        At least about 1, unitless.

    Notes
    -----
    A weighted sum of chi-squares is replaced by the one chi-square with the same mean, variance and
    skewness (Imhof 1961; exact for one cut). Movement is taken to have one dimension, that in which
    sampling is widest: the worst case. As it is only estimated from `n_days` days, Fisher's F takes
    the place of chi-square, as Student's t does that of the normal distribution.

    References
    ----------
    Imhof (1961), Computing the distribution of quadratic forms in normal variables, Biometrika 48.
    Rao, Scott (1984), On chi-squared tests for multiway contingency tables with cell proportions
    estimated from survey data, Annals of Statistics 12.

    Examples
    --------
    >>> round(noise_quantile((1.0, 1.0), 0.05, 0.0, 0), 2)
    3.84
    >>> round(noise_quantile((1.0, 1.0), 0.05, 1.0, 11), 2)
    4.96
    """
    from scipy.special import chdtri, fdtri

    second, third = _with_movement(curvature, movement_share)
    freedom = second**3 / third**2
    if movement_share > 0:
        others = (n_days - 1) / math.sqrt(movement_share)
        point = freedom * float(fdtri(freedom, others, 1 - level))
    else:
        point = float(chdtri(freedom, level))
    return 1 + (point - freedom) * math.sqrt(second / freedom)


def _with_movement(curvature: tuple[float, float], share: float) -> tuple[float, float]:
    """Add one direction of weight `share` to the widest direction of the sampling noise."""
    second, third = curvature
    widest, rest = third ** (1 / 3), 1 - share
    return (
        rest**2 * second + 2 * share * rest * widest + share**2,
        rest**3 * third + 3 * share * rest**2 * widest**2 + 3 * share**2 * rest * widest + share**3,
    )


def _without_each(whole: Readings, days: Readings) -> Readings:
    """Return what all days but one would read, for each."""
    from mlops_tasks.drift.gauges import Readings

    left = whole.n - days.n
    with np.errstate(all="ignore"):
        values = whole.values + (whole.values - days.values) * (days.n / left)[:, None]
    return Readings(values, left, np.broadcast_to(whole.spread, left.shape))
