"""Noise of an effect size: its quantiles, and what the reference's own days add to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.drift.gauges import Gauge, Readings

__all__ = ["MIN_DAYS", "Movement", "effective_days", "movement_of", "noise_quantile", "told_days"]

MIN_DAYS = 5
"""Fewer days cannot tell how days differ; then rows count as independent."""

# Fewer rows cannot show how a day differs.
_MIN_ROWS = 5


@dataclass(frozen=True)
class Movement:
    """How far the days of a reference are from each other, beyond sampling.

    Attributes
    ----------
    excess : array
        Mean squared effect of being another day, unitless; 0 where days are nothing but samples.
    n_days : array of int
        Days it was seen on; 0 where they were too few.
    largest : array
        Squared effect of the most unusual day, as a multiple of what was to be expected of it.
    """

    excess: Floats
    n_days: npt.NDArray[np.int64]
    largest: Floats

    def expected(self, noise: Floats, n_days: float) -> Floats:
        """Return the mean squared effect without drift, of a window of some days."""
        return noise + self.excess * (1 / n_days + 1 / np.maximum(self.n_days, 1))


def movement_of(gauge: Gauge, days: Readings) -> Movement:
    """Compare each day of the reference with all of its other days.

    Parameters
    ----------
    gauge : Gauge
        What to look at.
    days : Readings
        Of each day, along the first axis. Those with fewer than 5 rows show nothing, and
        are left out.

    Returns
    -------
    Movement
        None at all from fewer than `MIN_DAYS` days.

    Notes
    -----
    This is the design effect of sample surveys (Kish), seen from the data: flights of one day share
    one weather, so 900 of them tell less than 900 independent ones.
    """
    is_day = told_days(days.n)
    days = replace(days, n=np.where(is_day, days.n, 0.0))
    n_days = is_day.sum(axis=0)
    against_rest = 1 + 1 / np.maximum(n_days - 1, 1)
    with np.errstate(all="ignore"):  # of what is no day
        rest = _without_each(gauge.pooled(days), days)
        seen, noise = gauge.squared_effect(rest, days), gauge.noise(rest, days)
        beyond = np.sum(seen - noise, axis=0, where=is_day) / np.maximum(n_days, 1)
        excess = np.maximum(beyond, 0.0) / against_rest
        expected = noise + excess * against_rest
    is_told = is_day & (expected > 0)
    ratio = np.divide(seen, expected, out=np.zeros_like(seen), where=is_told)
    return Movement(excess, n_days, ratio.max(axis=0, initial=0.0))


def effective_days(rows: Sequence[int]) -> float:
    """Return as how many days of equal size the days of a window move.

    Parameters
    ----------
    rows : sequence of int
        Of each day of the window.

    Returns
    -------
    float
        At least 1: the number of days if all have the same rows, less if few have most of them.

    Notes
    -----
    ``sum(n)**2 / sum(n**2)``, Kish's effective sample size.

    Examples
    --------
    >>> effective_days([500] * 7), round(effective_days([500] * 6 + [50_000]), 2)
    (7.0, 1.12)
    """
    squares = sum(n * n for n in rows)
    return max(sum(rows) ** 2 / squares, 1.0) if squares else 1.0


def told_days(n: Floats) -> npt.NDArray[np.bool_]:
    """Tell which days have rows enough, where enough days have.

    Parameters
    ----------
    n : array
        Rows of each day, along the first axis.

    Returns
    -------
    array of bool
        Of the same shape.
    """
    is_day = n >= _MIN_ROWS
    return np.asarray(is_day & (is_day.sum(axis=0) >= MIN_DAYS))


def noise_quantile(
    curvature: tuple[Floats, Floats],
    level: float,
    movement_share: Floats,
    n_days: npt.NDArray[np.int64],
) -> Floats:
    """Return the multiple of its mean that a squared effect exceeds by chance.

    Parameters
    ----------
    curvature : tuple of array
        `Gauge.curvature` of the sampling noise.
    level : float
        The chance, in (0, 1).
    movement_share : array
        Share of the mean that is movement from day to day, from 0 to 1.
    n_days : array
        Days that the movement was seen on.

    Returns
    -------
    array
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
    >>> straight = np.ones(2), np.ones(2)
    >>> noise_quantile(straight, 0.05, np.array([0.0, 1.0]), np.array([0, 11])).round(2).tolist()
    [3.84, 4.96]
    """
    from scipy.special import chdtri, fdtri

    second, third = _with_movement(curvature, movement_share)
    freedom = second**3 / third**2
    moves = movement_share > 0
    others = (n_days - 1) / np.sqrt(np.where(moves, movement_share, 1.0))
    point = np.where(
        moves,
        freedom * fdtri(freedom, np.where(moves, others, 1.0), 1 - level),
        chdtri(freedom, level),
    )
    return np.asarray(1 + (point - freedom) * np.sqrt(second / freedom))


def _with_movement(curvature: tuple[Floats, Floats], share: Floats) -> tuple[Floats, Floats]:
    """Add one direction of weight `share` to the widest direction of the sampling noise."""
    second, third = curvature
    widest, rest = third ** (1 / 3), 1 - share
    return (
        rest**2 * second + 2 * share * rest * widest + share**2,
        rest**3 * third + 3 * share * rest**2 * widest**2 + 3 * share**2 * rest * widest + share**3,
    )


def _without_each(whole: Readings, days: Readings) -> Readings:
    """Return what all days but one would read, for each."""
    left = whole.n - days.n
    step = np.divide(days.n, left, out=np.zeros_like(left), where=left > 0)
    values = whole.values + (whole.values - days.values) * step[..., None]
    return replace(whole, values=values, n=left, spread=np.broadcast_to(whole.spread, left.shape))
