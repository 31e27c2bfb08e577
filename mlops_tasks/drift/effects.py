"""Effect sizes, Cohen's h of shares and Cohen's d of means, and what sampling alone explains.

All arrays may have leading axes: of columns, and before it of profiles. The shapes below are those
of one column and one profile.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlops_tasks.drift.samples import Booleans, Floats

__all__ = ["CohensD", "CohensH", "Effect", "Readings", "never_certain", "sparse_moments"]

# Anscombe (1948): with 3/8 of a row the angle of a share has a stable variance down to one row.
_ROUND = 0.375
# The means of two merges of the same constants may differ by this, as a share.
_ROUNDING = 1e-12
# Variance of a share times its rows, below which it is that of half a row.
_GUESS = 0.9


@dataclass(frozen=True)
class Readings:
    """What is read of profiles: shares of their rows, or means.

    Attributes
    ----------
    values : array of shape (..., n_values)
        Shares below each cut, or the mean.
    n : array of shape (...)
        Rows that were read; where there are none, the values mean nothing and are finite.
    spread : array of shape (...), optional
        Of the mean: variance of the values. Of shares: variance that the sketch adds to a share,
        none where rows were counted.
    n_all : array of shape (...), optional
        Rows that there are, where only some of them were read.
    """

    values: Floats
    n: Floats
    spread: Floats | float = 0.0
    n_all: Floats | None = None

    @property
    def rows(self) -> Floats:
        """Rows that there are, read or not."""
        return self.n if self.n_all is None else self.n_all


class CohensD:
    """The mean of a column of numbers: its shift in standard deviations (Cohen's d).

    Notes
    -----
    ``d = (mean(current) - mean(reference)) / sd``, from 0 upwards in standard deviations. The
    larger standard deviation of both sides is taken: one wild value then moves the mean and the
    yardstick alike, and cannot alarm alone.

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 2.

    Examples
    --------
    >>> old, new = (
    ...     Readings(np.array([mean]), np.array(500.0), np.array(4.0)) for mean in (1.0, 2.0)
    ... )
    >>> float(np.sqrt(CohensD().squared(old, new)))
    0.5
    """

    def curvature(self, n: Floats) -> tuple[Floats, Floats]:
        """Return 1 and 1: a mean has one direction."""
        return np.ones_like(n), np.ones_like(n)

    def pooled(self, parts: Readings) -> Readings:
        """Return what the union of all profiles would read."""
        total, part, mean = _parts(parts)
        with np.errstate(over="ignore", invalid="ignore"):  # infinity times no rows
            within = parts.spread + ((parts.values - mean) ** 2)[..., 0]
            return Readings(mean, total, np.sum(part * within, axis=0, where=part > 0))

    def squared(self, reference: Readings, current: Readings) -> Floats:
        """Return the squared shift, in variances."""
        with np.errstate(all="ignore"):
            moved = ((current.values - reference.values) ** 2)[..., 0]
            size = np.maximum(np.abs(current.values), np.abs(reference.values))[..., 0]
            variance = np.maximum(reference.spread, current.spread) + (_ROUNDING * size) ** 2
            ratio = moved / variance
        # 0/0 did not move. Numbers too large to square show nothing, so they do not alarm.
        return np.where(np.isnan(ratio), 0.0, ratio)

    def noise(self, reference: Readings, current: Readings) -> Floats:
        """Return the variance of the shift, in variances."""
        return _sampling(reference, current)


@dataclass(frozen=True)
class CohensH:
    """Cuts of a column in two: mean square of Cohen's h over them.

    Attributes
    ----------
    weights : array of shape (..., n_cuts)
        What each cut counts; they sum to 1. Cuts of weight 0 are not there.
    shares : array of shape (..., n_cuts)
        Share of the reference on the first side of each cut.
    is_ordered : bool
        Whether the first sides contain each other, as "at most this value" does; otherwise they
        share no row, as categories.

    Notes
    -----
    ``h = 2 asin(sqrt(q)) - 2 asin(sqrt(p))`` of the shares p of the reference and q of the current
    rows on one side of a cut, from 0 to pi in size, unitless. For numbers the mean square is the
    statistic of Anderson and Darling on a grid, with the variance made stable by the arc sine; for
    categories a chi-square in which a cut counts half by its share of rows and half as one of its
    kind.

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 6; Anderson,
    Darling (1952), Asymptotic theory of certain goodness of fit criteria, Annals of Mathematical
    Statistics 23; Good (1953), The population frequencies of species and the estimation of
    population parameters, Biometrika 40.

    Examples
    --------
    >>> effect = CohensH(np.ones(1), np.array([0.5]))
    >>> old, new = (
    ...     Readings(np.array([share]), np.array(1e6), np.array(0.0)) for share in (0.5, 0.6)
    ... )
    >>> round(float(np.sqrt(effect.squared(old, new))), 3)
    0.201
    """

    weights: Floats
    shares: Floats
    is_ordered: bool = False

    def pooled(self, parts: Readings) -> Readings:
        """Return what the union of all profiles would read."""
        total, part, values = _parts(parts)
        return Readings(values, total, np.sum(part**2 * parts.spread, axis=0))

    def squared(self, reference: Readings, current: Readings) -> Floats:
        """Return the weighted mean square of Cohen's h."""
        n = np.asarray(current.n)[..., None]
        h = _angle(current.values, n) - _angle(reference.values, n)
        return self._mean(h**2)

    def noise(self, reference: Readings, current: Readings) -> Floats:
        """Return the mean of the weighted mean square of h without any drift."""
        varies = self._varies()
        (mean,) = sparse_moments(self._rows(current.n), 1)
        sampling = _sampling(reference, current) * self._mean(mean * varies)
        variance = self.shares * (1 - self.shares)
        # A share of half a row is a guess, no place where a sketch errs.
        seen = variance * np.asarray(reference.n)[..., None] > _GUESS
        steep = np.divide(1, variance, out=np.zeros(seen.shape), where=seen)
        return np.asarray(sampling + (current.spread + reference.spread) * self._mean(steep))

    def curvature(self, n: Floats) -> tuple[Floats, Floats]:
        """Return how unevenly the noise of n rows is spread over independent directions.

        The noise is about a weighted sum of squared normals; with weights ``w`` that sum to one
        these are ``sum(w**2)`` and ``sum(w**3)``: 1 and 1 for one direction, less for more.
        """
        mean, second, third = sparse_moments(self._rows(n), 3)
        own = self.weights * self._varies()
        scale = np.sqrt(own * mean)
        covariance = scale[..., :, None] * self._correlation() * scale[..., None, :]
        square = covariance @ covariance
        total = np.sum(own * mean, axis=-1)
        # Few rows on a side of a cut: its own moments are those of Poisson, not of the normal law.
        squares, cubes = (np.sum(m, axis=(-2, -1)) for m in (covariance**2, square * covariance))
        squares += np.sum(own**2 * (second - mean**2), axis=-1)
        cubes += np.sum(own**3 * (third - mean**3), axis=-1)
        one, some = np.ones_like(total), total > 0
        return (
            np.divide(squares, total**2, out=one.copy(), where=some),
            np.divide(cubes, total**3, out=one, where=some),
        )

    def _mean(self, values: Floats) -> Floats:
        return np.asarray(np.einsum("...k,...k->...", values, self.weights))

    def _varies(self) -> Booleans:
        return (self.shares > 0) & (self.shares < 1)

    def _rows(self, n: Floats) -> Floats:
        """Return the rows to expect on the smaller side of each cut."""
        return np.asarray(np.asarray(n)[..., None] * np.minimum(self.shares, 1 - self.shares))

    def _correlation(self) -> Floats:
        """Correlate the cuts over samples: shares below two values, or of two categories."""
        p, q = self.shares[..., :, None], self.shares[..., None, :]
        sd = np.sqrt(np.maximum(self.shares * (1 - self.shares), 1e-12))
        both = np.minimum(p, q) if self.is_ordered else p * np.eye(p.shape[-2])
        return np.asarray((both - p * q) / (sd[..., :, None] * sd[..., None, :]))


def never_certain(readings: Readings) -> Floats:
    """Return the shares of one profile, none of them 0 or 1.

    Half a row at least is on either side, after Jeffreys: that none was seen is no proof that there
    is none.
    """
    least = (0.5 / (readings.n[0] + 1))[..., None]
    return np.asarray(np.clip(readings.values[0], least, 1 - least))


def sparse_moments(rows: Floats, n_moments: int) -> tuple[Floats, ...]:
    """Return the first moments of a squared h times n, when few rows are to be expected.

    These are its mean, half its variance and an eighth of its third cumulant: 1, 1 and 1 for many
    rows on the smaller side of a cut, as those of a squared normal.
    """
    at, table = _sparse_table()
    where = np.log(np.clip(rows, math.exp(at[0]), math.exp(at[-1])))
    # As numpy.interp does, which cannot know that the table's steps are equal.
    place = (where - at[0]) / (at[1] - at[0])
    before = np.minimum(place.astype(np.intp), len(at) - 2)
    part = place - before
    return tuple(one[before] * (1 - part) + one[before + 1] * part for one in table[:n_moments])


@functools.cache
def _sparse_table() -> tuple[Floats, Floats]:
    """Sum over the Poisson distribution."""
    from scipy.special import gammaln

    at = np.linspace(math.log(1e-4), math.log(200), 400)
    rows, x = np.exp(at)[:, None], np.arange(400.0)
    chance = np.exp(x * np.log(rows) - rows - gammaln(x + 1))
    squared = 4 * (np.sqrt(x + _ROUND) - np.sqrt(rows + _ROUND)) ** 2
    once = chance * squared
    twice = once * squared
    first, second, third = (one.sum(axis=1) for one in (once, twice, twice * squared))
    cumulants = second - first**2, third - 3 * first * second + 2 * first**3
    return at, np.stack([first, cumulants[0] / 2, cumulants[1] / 8])


def _angle(share: Floats, n: Floats) -> Floats:
    return np.asarray(2 * np.arcsin(np.sqrt((share * n + _ROUND) / (n + 2 * _ROUND))))


def _sampling(reference: Readings, current: Readings) -> Floats:
    """Return the variance that drawing the rows of both sides gives to a standard unit."""
    return np.asarray(1 / np.maximum(current.n, 1) + 1 / np.maximum(reference.n, 1))


def _parts(parts: Readings) -> tuple[Floats, Floats, Floats]:
    """Return all rows, the share of them that each profile has, and the mean of the values."""
    total = np.asarray(parts.n.sum(axis=0))
    part = np.divide(parts.n, total, out=np.zeros_like(parts.n), where=total > 0)
    return total, part, np.sum(part[..., None] * parts.values, axis=0)


Effect = CohensD | CohensH
