"""How far a column moved, as an effect size, and how far sampling alone would move it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from mlops_tasks.drift.columns import is_categories, present_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

    from mlops_tasks.drift.columns import Categories, Floats, Numbers

__all__ = ["Gauge", "LevelGauge", "Readings", "SplitGauge", "gauges_of", "sparse_moments"]

Aspect = Literal["shape", "level", "shares", "unseen", "missing"]

# Cuts of a column of numbers: at 31 quantiles, below its minimum and at its maximum.
_N_CUTS = 32
_MAX_CATEGORIES = 64
# Anscombe (1948): with 3/8 of a row the angle of a share has a stable variance down to one row.
_ROUND = 0.375
# Aspects whose last cut is between the categories that have one of their own and all others.
_CHOSEN = ("shares", "unseen")
# The means of two merges of the same constants may differ by this, as a share.
_ROUNDING = 1e-12
# `rank_error` is the largest error of a share; errors up to it are about equally likely.
_SD_PER_RANK_ERROR = 1 / math.sqrt(3)


@dataclass(frozen=True)
class Readings:
    """What one gauge reads from one profile, or from many at once.

    Attributes
    ----------
    values : array of shape (n_values,) or (n_profiles, n_values)
        Shares below each cut, or the mean.
    n : array of shape () or (n_profiles,)
        Rows behind them.
    spread : array of shape () or (n_profiles,)
        Of the mean: variance of the values. Of shares: variance that the sketch adds to a share.
    """

    values: Floats
    n: Floats
    spread: Floats

    @classmethod
    def stacked(cls, readings: list[Readings]) -> Readings:
        """Put the readings of several profiles on top of each other."""
        return cls(
            np.stack([one.values for one in readings]),
            np.array([one.n for one in readings], dtype=float),
            np.array([one.spread for one in readings], dtype=float),
        )


class Gauge(Protocol):
    """One aspect of one column, with its zero set on the reference."""

    @property
    def aspect(self) -> Aspect:
        """What it looks at."""

    def curvature(self, n: float) -> tuple[float, float]:
        """Return how unevenly the noise of n rows is spread over independent directions.

        The noise is about a weighted sum of squared normals; with weights ``w`` that sum to one
        these are ``sum(w**2)`` and ``sum(w**3)``: 1 and 1 for one direction, less for more.
        """

    def read(self, column: Any) -> Readings:
        """Read a profile."""

    def read_own(self, day: Any) -> Readings:
        """Read a day of the reference as if the reference had been made without it."""

    def read_whole(self, column: Any, days: Readings | None) -> Readings:
        """Read the reference as its own days, or a new one, would; None where days are too few."""

    def pooled(self, parts: Readings) -> Readings:
        """Return what the union of all profiles would read."""

    def squared_effect(self, reference: Readings, current: Readings) -> Floats:
        """Return the square of the effect size, unitless."""

    def noise(self, reference: Readings, current: Readings) -> Floats:
        """Return the mean of the squared effect that sampling and sketches alone explain."""


@dataclass(frozen=True)
class LevelGauge:
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
    >>> float(np.sqrt(LevelGauge().squared_effect(old, new)))
    0.5
    """

    aspect: Aspect = "level"

    def curvature(self, n: float) -> tuple[float, float]:
        """Return 1 and 1: a mean has one direction."""
        return 1.0, 1.0

    def read(self, column: Any) -> Readings:
        """Read a profile of numbers."""
        return Readings(
            np.array([column.mean]), np.asarray(float(column.n_finite)), np.asarray(column.variance)
        )

    def read_own(self, day: Any) -> Readings:
        """Read a day of the reference; a mean depends on nothing that the reference has chosen."""
        return self.read(day)

    def read_whole(self, column: Any, days: Readings | None) -> Readings:
        """Read the reference."""
        return self.read(column)

    def pooled(self, parts: Readings) -> Readings:
        """Return what the union of all profiles would read."""
        total = parts.n.sum()
        mean = np.einsum("b,bk->k", parts.n / total, parts.values)
        with np.errstate(over="ignore"):
            within = parts.spread + ((parts.values - mean) ** 2)[:, 0]
        return Readings(mean, total, (parts.n * within).sum() / total)

    def squared_effect(self, reference: Readings, current: Readings) -> Floats:
        """Return the squared shift, in variances."""
        with np.errstate(all="ignore"):
            moved = ((current.values - reference.values) ** 2)[..., 0]
            size = np.maximum(np.abs(current.values), np.abs(reference.values))[..., 0]
            variance = np.maximum(reference.spread, current.spread) + (_ROUNDING * size) ** 2
            ratio = moved / variance
        # 0/0 did not move. Numbers too large to square tell nothing, so they do not alarm.
        return np.where(np.isnan(ratio), 0.0, ratio)

    def noise(self, reference: Readings, current: Readings) -> Floats:
        """Return the variance of the shift, in variances."""
        return 1 / current.n + 1 / reference.n


@dataclass(frozen=True)
class SplitGauge:
    """Cuts of a column in two: mean square of Cohen's h over them.

    Attributes
    ----------
    aspect : {"shape", "shares", "unseen", "missing"}
        Cuts at values, by category, at "the reference has this category", or at "has a value".
    weights : array of shape (n_cuts,)
        What each cut counts; they sum to 1.
    shares : array of shape (n_cuts,)
        Share of the reference on the first side of each cut.
    points : array of shape (n_cuts,), optional
        Values of the cuts of numbers.
    names : collection of str
        Categories of the cuts; the last cut is between all of these and all others. All known ones
        for ``unseen``.
    known : mapping of str to int
        Rows of each category that the reference counted.
    most, least : int
        At most so many categories have a cut, and none with fewer rows than this.

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
    >>> gauge = SplitGauge("missing", np.ones(1), np.array([0.5]))
    >>> old, new = (
    ...     Readings(np.array([share]), np.array(1e6), np.array(0.0)) for share in (0.5, 0.6)
    ... )
    >>> round(float(np.sqrt(gauge.squared_effect(old, new))), 3)
    0.201
    """

    aspect: Aspect
    weights: Floats
    shares: Floats
    points: Floats | None = None
    names: Collection[str] = ()
    known: Mapping[str, int] = field(default_factory=dict)
    most: int = 0
    least: int = 1

    def read(self, column: Any) -> Readings:
        """Read a profile."""
        if self.aspect == "missing":
            n, values = column.n, np.array([1 - present_rows(column) / max(column.n, 1)])
        elif self.aspect == "unseen":
            n, values = present_rows(column), np.array([self._unseen_share(column)])
        elif is_categories(column):
            n, values = present_rows(column), self._category_shares(column)
        else:
            n, values = present_rows(column), column.cdf(self.points)
        return Readings(values, np.asarray(float(n)), np.asarray(self._sketch_variance(column)))

    def read_own(self, day: Any) -> Readings:
        """Read a day of the reference as if the reference had been made without it.

        Notes
        -----
        A category has a cut because of the very rows that are read here: a day of the reference
        has no unseen ones, and more rows of those that just made it among the frequent ones than
        the next day will have. So a row has a cut here only if the other days give it one. Days of
        one row each would make this the estimate of Good (1953).
        """
        read = self.read(day)
        if self.aspect not in _CHOSEN:
            return read
        others = {name: rows - day.counts.get(name, 0) for name, rows in self.known.items()}
        enough = _rows_for_a_cut(others.values(), self.most, self.least)
        named = sum(rows for name, rows in day.counts.items() if others.get(name, 0) >= enough)
        return _with_last(read, 1 - named / max(present_rows(day), 1))

    def read_whole(self, column: Any, days: Readings | None) -> Readings:
        """Read the reference; what has no cut is what its days have, each without itself."""
        read = self.read(column)
        if self.aspect in _CHOSEN and days is not None:
            return _with_last(read, self.pooled(days).values[-1])
        return _with_last(read, self.shares[-1]) if self.aspect == "unseen" else read

    def pooled(self, parts: Readings) -> Readings:
        """Return what the union of all profiles would read."""
        total = parts.n.sum()
        part = parts.n / total
        return Readings(
            np.einsum("b,bk->k", part, parts.values), total, np.sum(part**2 * parts.spread)
        )

    def squared_effect(self, reference: Readings, current: Readings) -> Floats:
        """Return the weighted mean square of Cohen's h."""
        n = np.asarray(current.n)[..., None]
        h = _angle(current.values, n) - _angle(reference.values, n)
        return np.asarray(h**2 @ self.weights)

    def noise(self, reference: Readings, current: Readings) -> Floats:
        """Return the mean of the weighted mean square of h without any drift."""
        mean = sparse_moments(self._rows(current.n))[0] * self._varies()
        sampling = (1 / current.n + 1 / reference.n) * (mean @ self.weights)
        variance = self.shares * (1 - self.shares)
        steep = np.divide(1, variance, out=np.zeros_like(variance), where=self._varies())
        return np.asarray(sampling + (current.spread + reference.spread) * (steep @ self.weights))

    def curvature(self, n: float) -> tuple[float, float]:
        """Return how unevenly the noise of n rows is spread over independent directions."""
        mean, second, third = sparse_moments(self._rows(np.asarray(n)))
        scale = np.sqrt(self.weights * mean * self._varies())
        covariance = scale[:, None] * self._correlation() * scale
        total = np.trace(covariance)
        if total <= 0:
            return 1.0, 1.0
        square = covariance @ covariance
        # Few rows on a side of a cut: its own moments are those of Poisson, not of the normal law.
        own = self.weights * self._varies()
        extra = np.sum(own**2 * (second - mean**2)), np.sum(own**3 * (third - mean**3))
        return (
            float((np.trace(square) + extra[0]) / total**2),
            float((np.sum(square * covariance) + extra[1]) / total**3),
        )

    def _varies(self) -> npt.NDArray[np.bool_]:
        return (self.shares > 0) & (self.shares < 1)

    def _rows(self, n: Floats) -> Floats:
        """Return the rows to expect on the smaller side of each cut."""
        return np.asarray(np.asarray(n)[..., None] * np.minimum(self.shares, 1 - self.shares))

    def _correlation(self) -> Floats:
        """Correlate the cuts over samples: shares below two values, or of two categories."""
        p = self.shares
        sd = np.sqrt(np.maximum(p * (1 - p), 1e-12))
        if self.points is not None:
            joint = np.minimum(p[:, None], p) - p[:, None] * p
        else:
            joint = np.diag(p) - p[:, None] * p
        return np.asarray(joint / (sd[:, None] * sd))

    def _category_shares(self, column: Categories) -> Floats:
        counted = np.array([column.counts.get(name, 0) for name in self.names], dtype=float)
        n = max(present_rows(column), 1)
        return np.append(counted, n - counted.sum()) / n

    def _unseen_share(self, column: Categories) -> float:
        unseen = sum(rows for name, rows in column.counts.items() if name not in self.names)
        return unseen / max(present_rows(column), 1)

    def _sketch_variance(self, column: Numbers | Categories) -> float:
        if self.aspect != "shape":
            return 0.0
        return float((column.rank_error * _SD_PER_RANK_ERROR) ** 2)  # type: ignore[union-attr]


def _with_last(read: Readings, share: float) -> Readings:
    return replace(read, values=np.append(read.values[:-1], share))


def sparse_moments(rows: Floats) -> Floats:
    """Return the moments of a squared h times n, when few rows are to be expected.

    Parameters
    ----------
    rows : array
        Rows to expect on the smaller side of a cut, at least 0.

    Returns
    -------
    array of shape (3, ...)
        Its mean, half its variance and an eighth of its third cumulant: 1, 1 and 1 for many rows,
        as those of a squared normal.

    Notes
    -----
    Sums over the Poisson distribution, tabled once.
    """
    at, table = _sparse_table()
    where = np.log(np.clip(rows, math.exp(at[0]), math.exp(at[-1])))
    return np.stack([np.interp(where, at, column) for column in table])


@functools.cache
def _sparse_table() -> tuple[Floats, Floats]:
    from scipy.special import gammaln

    at = np.linspace(math.log(1e-4), math.log(200), 400)
    rows, x = np.exp(at)[:, None], np.arange(400.0)
    chance = np.exp(x * np.log(rows) - rows - gammaln(x + 1))
    squared = 4 * (np.sqrt(x + _ROUND) - np.sqrt(rows + _ROUND)) ** 2
    first, second, third = ((chance * squared**power).sum(axis=1) for power in (1, 2, 3))
    cumulants = second - first**2, third - 3 * first * second + 2 * first**3
    return at, np.stack([first, cumulants[0] / 2, cumulants[1] / 8])


def gauges_of(reference: Numbers | Categories) -> list[Gauge]:
    """Set up every gauge that the kind of a column has.

    Parameters
    ----------
    reference : Numbers or Categories
        Profile of the whole reference.

    Returns
    -------
    list of Gauge
        Missing values for every column; shape and level of numbers, shares of categories and, if
        the reference counted them all, unseen categories. Instants move on by themselves, so only
        their missing values are looked at; the same holds for a column without any value in the
        reference.
    """
    # Half a row, after Jeffreys: that none was seen is no proof that there is none.
    missing = (reference.n - present_rows(reference) + 0.5) / (reference.n + 1)
    gauges: list[Gauge] = [SplitGauge("missing", np.ones(1), np.array([missing]))]
    if present_rows(reference) and is_categories(reference):
        gauges.append(_category_gauge(reference))
        if reference.is_exact:
            gauges.append(_unseen_gauge(reference))
    elif present_rows(reference) and reference.kind == "numeric":
        gauges += [_number_gauge(reference), LevelGauge()]  # type: ignore[arg-type]
    return gauges


def _number_gauge(reference: Numbers) -> SplitGauge:
    levels = np.arange(1, _N_CUTS) / _N_CUTS
    with np.errstate(over="ignore"):  # below the smallest double lies infinity, as it should
        below = np.nextafter(reference.minimum, -np.inf)
    cuts = np.concatenate([[below], reference.quantiles(levels), [reference.maximum]])
    points, counts = np.unique(cuts, return_counts=True)
    return SplitGauge("shape", counts / counts.sum(), reference.cdf(points), points)


def _category_gauge(reference: Categories) -> SplitGauge:
    known = reference.counts
    # Of the categories that were not counted, some may have as many rows as the last that was.
    least = 1 if reference.is_exact else min(known.values(), default=1)
    enough = _rows_for_a_cut(known.values(), _MAX_CATEGORIES, least)
    names = tuple(name for name, rows in known.items() if rows >= enough)
    counted = np.array([known[name] for name in names], dtype=float)
    n = present_rows(reference)
    shares = np.append(counted, n - counted.sum()) / n
    weights = shares / 2 + 0.5 / len(shares)
    return SplitGauge("shares", weights, shares, None, names, known, _MAX_CATEGORIES, least)


def _rows_for_a_cut(counts: Collection[int], most: int, least: int) -> int:
    """Return more rows than the next category has: of those that tie none has a cut."""
    if len(counts) <= most:
        return least
    return max(sorted(counts, reverse=True)[most] + 1, least)


def _unseen_gauge(reference: Categories) -> SplitGauge:
    # Good (1953): as many rows are new as there are rows of categories that were seen once.
    once = sum(rows == 1 for rows in reference.counts.values())
    share = np.array([(once + 0.5) / (present_rows(reference) + 1)])
    known = reference.counts
    return SplitGauge("unseen", np.ones(1), share, None, known.keys(), known, len(known))


def _angle(share: Floats, n: Floats) -> Floats:
    rounded = (share * n + _ROUND) / (n + 2 * _ROUND)
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(rounded, 0.0, 1.0))))
