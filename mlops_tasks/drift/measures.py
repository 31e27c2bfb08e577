"""Measures of drift between two samples, as the field defines them, for any number of columns.

They are reported, not decided upon: none of them says by itself whether chance explains it. The
last axis of every array is that of cells, or of the values at which distribution functions are
taken; those before it are columns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlops_tasks.drift.samples import Floats, NumberSamples, TwoSamples

    Measures = dict[str, float | None]

__all__ = [
    "jensen_shannon_distance",
    "kolmogorov_smirnov_statistic",
    "measure_all",
    "missing_share_change",
    "new_category_share",
    "population_stability_index",
    "total_variation_distance",
    "wasserstein_distance",
]

_DECILES = np.arange(1, 10) / 10
# Quantiles of each sample at which distribution functions are compared, beside the ends.
_LEVELS = (np.arange(512) + 0.5) / 512


def population_stability_index(reference: Floats, current: Floats) -> Floats:
    """Measure how far the shares of cells moved, in nats.

    Parameters
    ----------
    reference, current : array of shape (..., n_cells)
        Rows per cell. Missing values are in no cell; see `missing_share_change`.

    Returns
    -------
    array
        From 0 (same shares in every cell) upwards, in nats; NaN if a side has no rows.

    Notes
    -----
    ``sum((q - p) * ln(q / p))`` over cell shares p and q; half a row is added to every cell that
    either side uses, so that empty cells stay finite. It is biased upwards by about
    ``(n_cells - 1) * (1/n + 1/m)``.

    References
    ----------
    Yurdakul (2018), Statistical Properties of Population Stability Index, Western Michigan
    University.

    Examples
    --------
    >>> old, new = np.array([2.0, 1.0]), np.array([1.0, 2.0])
    >>> float(population_stability_index(old, new).round(3))
    0.255
    """
    from scipy.special import rel_entr

    used = (reference + current) > 0
    p, q = (_shares(np.where(used, rows + 0.5, 0.0)) for rows in (reference, current))
    index = np.sum(rel_entr(p, q) + rel_entr(q, p), axis=-1)
    return np.where(reference.any(axis=-1) & current.any(axis=-1), index, np.nan)


def jensen_shannon_distance(reference: Floats, current: Floats) -> Floats:
    """Measure how far the shares of cells moved, from 0 to 1.

    Parameters
    ----------
    reference, current : array of shape (..., n_cells)
        Rows per cell. Missing values are in no cell.

    Returns
    -------
    array
        From 0 (same shares) to 1 (no cell in common), unitless; NaN if a side has no rows.

    Notes
    -----
    The square root of ``(KL(p, (p+q)/2) + KL(q, (p+q)/2)) / 2`` to base 2.

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy, IEEE Transactions on Information
    Theory 37; Endres, Schindelin (2003), A new metric for probability distributions, ibid. 49.

    Examples
    --------
    >>> old, new = np.array([2.0, 1.0]), np.array([1.0, 2.0])
    >>> float(jensen_shannon_distance(old, new).round(3))
    0.286
    """
    from scipy.special import rel_entr

    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = np.sum(rel_entr(p, middle) + rel_entr(q, middle), axis=-1) / (2 * math.log(2))
    return np.asarray(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def total_variation_distance(reference: Floats, current: Floats) -> Floats:
    """Measure the share of rows that would have to change their cell.

    Parameters
    ----------
    reference, current : array of shape (..., n_cells)
        Rows per cell. Missing values are in no cell.

    Returns
    -------
    array
        From 0 to 1, a share of rows; NaN if a side has no rows.

    Notes
    -----
    ``sum(abs(q - p)) / 2``.

    References
    ----------
    Levin, Peres, Wilmer (2009), Markov Chains and Mixing Times, chapter 4.

    Examples
    --------
    >>> float(total_variation_distance(np.array([3.0, 1.0]), np.array([1.0, 3.0])))
    0.5
    """
    return np.asarray(np.abs(_shares(current) - _shares(reference)).sum(axis=-1) / 2)


def new_category_share(reference: Floats, current: Floats, n: Floats) -> Floats:
    """Measure the share of current rows whose category the reference never had.

    Parameters
    ----------
    reference, current : array of shape (..., n_categories)
        Rows per category. With both sides changed it is the share of vanished categories.
    n : array
        Current rows with a value, also in categories that were not counted one by one: nobody knows
        whether those are new, and they are not called so.

    Returns
    -------
    array
        From 0 to 1, a share of rows with a value; NaN if the current side has none.

    Notes
    -----
    ``sum(q[k] for k if p[k] == 0)`` over shares of rows p and q by category k. Without drift it is
    not 0, but about the share of reference rows whose category was seen once (Good 1953); rare
    categories vanish on small days without any drift.

    References
    ----------
    Good (1953), The population frequencies of species and the estimation of population parameters,
    Biometrika 40; Breck, Polyzotis, Roy, Whang, Zinkevich (2019), Data Validation for Machine
    Learning, SysML.

    Examples
    --------
    >>> old, new = np.array([2.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])
    >>> float(new_category_share(old, new, np.array(4.0)))
    0.5
    """
    return np.asarray(np.sum(current, axis=-1, where=reference == 0) / n)


def missing_share_change(n: Floats, n_present: Floats) -> Floats:
    """Measure by how much the share of missing values grew.

    Parameters
    ----------
    n, n_present : array of shape (2, ...)
        All rows, and those with a value, of the reference and of the current side. Nulls, NaN and
        infinities are all missing.

    Returns
    -------
    array
        From -1 to 1, a difference of shares of all rows; NaN if a side has no rows.

    Notes
    -----
    ``q - p`` of the shares q and p of rows without a value.

    References
    ----------
    Breck, Polyzotis, Roy, Whang, Zinkevich (2019), Data Validation for Machine Learning, SysML.

    Examples
    --------
    >>> float(missing_share_change(np.array([2.0, 2.0]), np.array([2.0, 1.0])))
    0.5
    """
    shares = n_present / n
    return np.asarray(shares[0] - shares[1])


def kolmogorov_smirnov_statistic(f: Floats, g: Floats) -> Floats:
    """Measure the largest gap between two distribution functions.

    Parameters
    ----------
    f, g : array of shape (..., n_values)
        Both functions, at the same values. Only finite values of a column count.

    Returns
    -------
    array
        From 0 to 1, a share of rows; NaN where a function is.

    Notes
    -----
    ``max(abs(F - G))``. Of profiles it is taken at 512 quantiles of both sides: exact for up to 512
    values a side that the profiles hold unrounded; else off by at most ``1/512`` plus the
    `rank_error` of both.

    References
    ----------
    Smirnov (1948), Table for estimating the goodness of fit of empirical distributions, Annals of
    Mathematical Statistics 19.

    Examples
    --------
    >>> f, g = np.array([0.25, 0.5, 0.75, 1.0, 1.0]), np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    >>> float(kolmogorov_smirnov_statistic(f, g))
    0.25
    """
    return np.asarray(np.abs(f - g).max(axis=-1))


def wasserstein_distance(x: Floats, f: Floats, g: Floats, variance: Floats) -> Floats:
    """Measure how far values moved on average, in standard deviations of the reference.

    Parameters
    ----------
    x : array of shape (..., n_values)
        In order, and beyond both distributions.
    f, g : array of shape (..., n_values)
        Both distribution functions there. Only finite values of a column count.
    variance : array
        Of the reference, as a population.

    Returns
    -------
    array
        From 0 upwards, in standard deviations; infinite if the reference is constant and the
        current values are not all the same as it; NaN if values are too far apart to be squared.

    Notes
    -----
    ``integral(abs(F - G)) / sd(reference)``, the earth mover's distance of two distributions on a
    line. As exact as the sketches are, see `kolmogorov_smirnov_statistic`.

    References
    ----------
    Vallender (1974), Calculation of the Wasserstein distance between probability distributions on
    the line, Theory of Probability and its Applications 18.

    Examples
    --------
    >>> x, f, g = np.array([0, 2, 3, 5]), np.array([0.5, 1, 1, 1]), np.array([0, 0, 0.5, 1])
    >>> float(wasserstein_distance(x, f, g, np.array(1.0)))
    3.0
    """
    with np.errstate(all="ignore"):
        moved = np.sum(np.abs(f - g)[..., :-1] * np.diff(x), axis=-1)
        spread = np.sqrt(np.maximum(variance, 0.0))
        ratio = np.where(np.isfinite(spread), moved / spread, np.nan)
    return np.where(moved == 0, 0.0, ratio)


def measure_all(samples: TwoSamples) -> dict[str, Measures]:
    """Take every measure of every column, by its name; None where it is not a finite number."""
    with np.errstate(all="ignore"):  # where there is nothing to measure
        of_numbers = _of_numbers(samples.numbers)
        found = {name: _of_categories(samples, name) for name in samples.tables}
    for i, name in enumerate(samples.numbers.names):
        found[name] = {measure: float(values[i]) for measure, values in of_numbers.items()}
    return {
        column: {name: value if math.isfinite(value) else None for name, value in own.items()}
        for column, own in found.items()
    }


def _of_numbers(numbers: NumberSamples) -> dict[str, Floats]:
    bins = numbers.histogram(numbers.quantiles(_DECILES)[0])
    ends = np.stack([numbers.low, numbers.high], axis=-1)
    steps = np.sort(np.concatenate([*numbers.quantiles(_LEVELS), *ends], axis=-1), axis=-1)
    some = np.where((numbers.n_present > 0).all(axis=0), 1.0, np.nan)
    f, g = numbers.cdf(steps)
    return {
        "population_stability_index": population_stability_index(*bins),
        "jensen_shannon_distance": jensen_shannon_distance(*bins),
        "missing_share_change": missing_share_change(numbers.n, numbers.n_present),
        "kolmogorov_smirnov_statistic": some * kolmogorov_smirnov_statistic(f, g),
        "wasserstein_distance": some * wasserstein_distance(steps, f, g, numbers.variance[0]),
    }


def _of_categories(samples: TwoSamples, name: str) -> dict[str, float]:
    table, columns = samples.tables[name], samples.columns(name)
    n, n_present = np.array([one.n for one in columns], float), table.rows.sum(axis=1)
    old, new = table.rows[:, : table.n_named]
    # Of a side that did not count all its categories nobody knows what it never had.
    known = [1.0 if one.is_exact else math.nan for one in columns]  # type: ignore[union-attr]
    found = {
        "population_stability_index": population_stability_index(*table.rows),
        "jensen_shannon_distance": jensen_shannon_distance(*table.rows),
        "missing_share_change": missing_share_change(n, n_present),
        "total_variation_distance": total_variation_distance(*table.rows),
        "new_category_share": known[0] * new_category_share(old, new, n_present[1]),
        "vanished_category_share": known[1] * new_category_share(new, old, n_present[0]),
    }
    return {name: float(value) for name, value in found.items()}


def _shares(rows: Floats) -> Floats:
    return np.asarray(rows / rows.sum(axis=-1, keepdims=True))
