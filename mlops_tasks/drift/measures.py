"""Measures of drift between two profiles of one column, as the field defines them.

They are reported, not decided upon: none of them says by itself whether chance explains it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.cells import cell_counts, same_kind
from mlops_tasks.drift.columns import present_rows

if TYPE_CHECKING:
    from mlops_tasks.drift.cells import Edges
    from mlops_tasks.drift.columns import Categories, Floats, Numbers
    from mlops_tasks.drift.pairs import CategoryPair, NumberPairs

    AnyColumn = Numbers | Categories
    Measures = dict[str, float | None]

__all__ = [
    "jensen_shannon_distance",
    "kolmogorov_smirnov_statistic",
    "measure_categories",
    "measure_numbers",
    "missing_share_change",
    "new_category_share",
    "population_stability_index",
    "total_variation_distance",
    "vanished_category_share",
    "wasserstein_distance",
]

_LEVELS = 512


def population_stability_index(
    reference: AnyColumn, current: AnyColumn, *, bins: Edges = 10
) -> float:
    """Measure how far the shares of cells moved, in nats.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Profiles of one column. Missing values are left out; see `missing_share_change`.
    bins : int or array-like of float, default 10
        Bins of equal reference share, or inner edges; categories are their own cells.

    Returns
    -------
    float
        From 0 (same shares in every cell) upwards, in nats; NaN if a side has no values.

    Raises
    ------
    SchemaMismatchError
        If one holds categories and the other numbers.

    Notes
    -----
    ``sum((q - p) * ln(q / p))`` over cell shares p and q; half a row is added to every cell that
    either side uses, so that empty cells stay finite. It is biased upwards by about
    ``(n_cells - 1) * (1/n + 1/m)``. O(n_cells).

    References
    ----------
    Yurdakul (2018), Statistical Properties of Population Stability Index, Western Michigan
    University.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> round(population_stability_index(column(*"aab"), column(*"bba")), 3)
    0.255
    >>> population_stability_index(column(*"aab"), column(*"aab"))
    0.0
    """
    if not _have_values(reference, current):
        return math.nan
    return float(_stability(*cell_counts(reference, current, bins)))


def jensen_shannon_distance(reference: AnyColumn, current: AnyColumn, *, bins: Edges = 10) -> float:
    """Measure how far the shares of cells moved, from 0 to 1.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Profiles of one column. Missing values are left out.
    bins : int or array-like of float, default 10
        Bins of equal reference share, or inner edges; categories are their own cells.

    Returns
    -------
    float
        From 0 (same shares) to 1 (no cell in common), unitless; NaN if a side has no values.

    Raises
    ------
    SchemaMismatchError
        If one holds categories and the other numbers.

    Notes
    -----
    The square root of ``(KL(p, (p+q)/2) + KL(q, (p+q)/2)) / 2`` to base 2. O(n_cells).

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy, IEEE Transactions on Information
    Theory 37; Endres, Schindelin (2003), A new metric for probability distributions, ibid. 49.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> jensen_shannon_distance(column(*"aab"), column(*"ccc"))
    1.0
    >>> round(jensen_shannon_distance(column(*"aab"), column(*"bba")), 3)
    0.286
    """
    if not _have_values(reference, current):
        return math.nan
    return float(_divergence(*cell_counts(reference, current, bins)))


def total_variation_distance(
    reference: AnyColumn, current: AnyColumn, *, bins: Edges = 10
) -> float:
    """Measure the share of rows that would have to change their cell.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Profiles of one column. Missing values are left out.
    bins : int or array-like of float, default 10
        Bins of equal reference share, or inner edges; categories are their own cells.

    Returns
    -------
    float
        From 0 to 1, a share of rows; NaN if a side has no values.

    Raises
    ------
    SchemaMismatchError
        If one holds categories and the other numbers.

    Notes
    -----
    ``sum(abs(q - p)) / 2``. O(n_cells).

    References
    ----------
    Levin, Peres, Wilmer (2009), Markov Chains and Mixing Times, chapter 4.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> total_variation_distance(column(*"aaab"), column(*"abbb"))
    0.5
    """
    if not _have_values(reference, current):
        return math.nan
    return float(_variation(*cell_counts(reference, current, bins)))


def kolmogorov_smirnov_statistic(reference: Numbers, current: Numbers) -> float:
    """Measure the largest gap between two distribution functions.

    Parameters
    ----------
    reference, current : Numbers
        Profiles of one column. Only finite values count.

    Returns
    -------
    float
        From 0 to 1, a share of rows; NaN if a side has no values.

    Notes
    -----
    ``max(abs(F - G))`` over the quantiles of both. Exact for up to 512 values a side that the
    profiles hold unrounded; else at most ``1/512`` plus both profiles' `rank_error` below or above
    the value of the rows. O(1024).

    References
    ----------
    Smirnov (1948), Table for estimating the goodness of fit of empirical distributions, Annals of
    Mathematical Statistics 19.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> kolmogorov_smirnov_statistic(column(1, 2, 3, 4), column(2, 3, 4, 5))
    0.25
    """
    if not _have_values(reference, current):
        return math.nan
    return float(_largest_gap(*_steps(reference, current)))


def wasserstein_distance(reference: Numbers, current: Numbers) -> float:
    """Measure how far values moved on average, in standard deviations of the reference.

    Parameters
    ----------
    reference, current : Numbers
        Profiles of one column. Only finite values count.

    Returns
    -------
    float
        From 0 upwards, in standard deviations; infinite if the reference is constant and the
        current values are not all the same as it; NaN if a side has no values, or if values are too
        far apart to be squared.

    Notes
    -----
    ``integral(abs(F - G)) / sd(reference)``, the earth mover's distance of two distributions on a
    line; the standard deviation is that of the population. As exact as the sketches are, see
    `kolmogorov_smirnov_statistic`. O(1024).

    References
    ----------
    Vallender (1974), Calculation of the Wasserstein distance between probability distributions on
    the line, Theory of Probability and its Applications 18.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> round(wasserstein_distance(column(0, 2), column(3, 5)), 9)
    3.0
    """
    if not _have_values(reference, current):
        return math.nan
    return float(_moved(*_steps(reference, current), np.asarray(reference.variance)))


def new_category_share(reference: Categories, current: Categories) -> float:
    """Return the share of current rows whose category the reference never had.

    Parameters
    ----------
    reference, current : Categories
        Profiles of one column. Missing values are left out.

    Returns
    -------
    float
        From 0 to 1, a share of rows with a value; NaN if the current side has none, or if the
        reference did not count all its categories: then nobody knows what it never had.

    Notes
    -----
    ``sum(q[k] for k if p[k] == 0)`` over shares of rows p and q by category k. Current categories
    that were not counted one by one are not called new. Without drift it is not 0, but about the
    share of reference rows whose category was seen once (Good 1953). O(n_categories).

    References
    ----------
    Good (1953), The population frequencies of species and the estimation of population parameters,
    Biometrika 40; Breck, Polyzotis, Roy, Whang, Zinkevich (2019), Data Validation for Machine
    Learning, SysML.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> new_category_share(column(*"aab"), column(*"abcd"))
    0.5
    """
    n = present_rows(current)
    if not n or not reference.is_exact:
        return math.nan
    return sum(current.counts[name] for name in current.counts.keys() - reference.counts.keys()) / n


def vanished_category_share(reference: Categories, current: Categories) -> float:
    """Return the share of reference rows whose category is gone.

    Parameters
    ----------
    reference, current : Categories
        Profiles of one column. Missing values are left out.

    Returns
    -------
    float
        From 0 to 1, a share of rows with a value; NaN if the reference has none, or if the current
        side did not count all its categories.

    Notes
    -----
    ``sum(p[k] for k if q[k] == 0)`` over shares of rows p and q by category k. Rare categories
    vanish on small days without any drift. O(n_categories).

    References
    ----------
    Breck, Polyzotis, Roy, Whang, Zinkevich (2019), Data Validation for Machine Learning, SysML.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> vanished_category_share(column(*"aabc"), column(*"ab"))
    0.25
    """
    return new_category_share(current, reference)


def missing_share_change(reference: AnyColumn, current: AnyColumn) -> float:
    """Return by how much the share of missing values grew.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Profiles of one column. Nulls, NaN and infinities are all missing.

    Returns
    -------
    float
        From -1 to 1, a difference of shares of all rows; NaN if a side has no rows.

    Notes
    -----
    ``q - p`` of the shares q and p of rows without a finite value or category. O(1).

    References
    ----------
    Breck, Polyzotis, Roy, Whang, Zinkevich (2019), Data Validation for Machine Learning, SysML.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def column(*values):
    ...     batch = pa.record_batch({"x": pa.array(values)})
    ...     return Profile.of([batch], batch.schema).columns["x"]
    >>> missing_share_change(column(1.0, 2.0), column(1.0, None))
    0.5
    """
    if not reference.n or not current.n:
        return math.nan
    return present_rows(reference) / reference.n - present_rows(current) / current.n


def measure_categories(pair: CategoryPair) -> Measures:
    """Take every measure that a column of categories has.

    Parameters
    ----------
    pair : CategoryPair
        Both sides.

    Returns
    -------
    dict of str to float or None
        By the name of the measure; None where it is not a finite number.
    """
    reference, current = pair.reference, pair.current
    have = _have_values(reference, current)
    return _told(
        population_stability_index=float(_stability(*pair.cells)) if have else math.nan,
        jensen_shannon_distance=float(_divergence(*pair.cells)) if have else math.nan,
        missing_share_change=missing_share_change(reference, current),
        total_variation_distance=float(_variation(*pair.cells)) if have else math.nan,
        new_category_share=new_category_share(reference, current),
        vanished_category_share=vanished_category_share(reference, current),
    )


def measure_numbers(pairs: NumberPairs) -> dict[str, Measures]:
    """Take every measure that columns of numbers have, of all at once.

    Parameters
    ----------
    pairs : NumberPairs
        Both sides.

    Returns
    -------
    dict of str to (dict of str to float or None)
        By column, and by the name of the measure; None where it is not a finite number.
    """
    old, new = pairs.reference, pairs.current
    have = (old.n_finite > 0) & (new.n_finite > 0)
    with np.errstate(all="ignore"):  # where there is nothing to measure
        cells = pairs.cells(old.quantiles(np.arange(1, 10) / 10))
        steps = pairs.steps(_LEVELS)
        found = {
            "population_stability_index": np.where(have, _stability(*cells), np.nan),
            "jensen_shannon_distance": np.where(have, _divergence(*cells), np.nan),
            "missing_share_change": old.n_finite / old.n - new.n_finite / new.n,
            "kolmogorov_smirnov_statistic": np.where(have, _largest_gap(*steps), np.nan),
            "wasserstein_distance": np.where(have, _moved(*steps, old.variance), np.nan),
        }
    rows = zip(*(values.tolist() for values in found.values()), strict=True)
    told = (_told(**dict(zip(found, row, strict=True))) for row in rows)
    return dict(zip(pairs.names, told, strict=True))


def _told(**found: float) -> Measures:
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _have_values(reference: AnyColumn, current: AnyColumn) -> bool:
    same_kind(reference, current)
    return present_rows(reference) > 0 and present_rows(current) > 0


# Formulas; the last axis is that of cells or steps, those before it are columns.


def _stability(p: Floats, q: Floats) -> Floats:
    used = (p + q) > 0
    p, q = _normed(np.where(used, p + 0.5, 0.0)), _normed(np.where(used, q + 0.5, 0.0))
    ratio = np.divide(q, p, out=np.ones_like(p), where=used)
    return np.asarray(np.sum((q - p) * np.log(ratio), axis=-1))


def _divergence(p: Floats, q: Floats) -> Floats:
    p, q = _normed(p), _normed(q)
    middle = (p + q) / 2
    terms = [
        np.sum(s * np.log2(np.where(s > 0, s, 1) / np.where(s > 0, middle, 1)), axis=-1)
        for s in (p, q)
    ]
    return np.asarray(np.sqrt(np.clip((terms[0] + terms[1]) / 2, 0.0, 1.0)))


def _variation(p: Floats, q: Floats) -> Floats:
    return np.asarray(np.abs(_normed(q) - _normed(p)).sum(axis=-1) / 2)


def _largest_gap(_points: Floats, f: Floats, g: Floats) -> Floats:
    return np.asarray(np.abs(f - g).max(axis=-1))


def _moved(points: Floats, f: Floats, g: Floats, variance: Floats) -> Floats:
    with np.errstate(all="ignore"):
        moved = np.sum(np.abs(f - g)[..., :-1] * np.diff(points), axis=-1)
        spread = np.sqrt(np.maximum(variance, 0.0))
        ratio = np.where(np.isfinite(spread), moved / spread, np.nan)
    return np.where(moved == 0, 0.0, ratio)


def _normed(cells: Floats) -> Floats:
    return np.asarray(cells / cells.sum(axis=-1, keepdims=True))


def _steps(reference: Numbers, current: Numbers) -> tuple[Floats, Floats, Floats]:
    """Return points where a distribution function may step, and both functions there."""
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    ends = [[side.minimum, side.maximum] for side in (reference, current)]
    points = np.unique(
        np.concatenate([reference.quantiles(levels), current.quantiles(levels), *ends])
    )
    return points, reference.cdf(points), current.cdf(points)
