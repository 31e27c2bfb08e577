"""Drift of one column: how far its distribution moved, beyond what sampling explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]

__all__ = ["population_stability_index", "psi_noise"]


def population_stability_index(reference: Counts, current: Counts) -> float:
    """Measure how far a binned distribution moved from its reference.

    Parameters
    ----------
    reference, current : array of int of shape (n_bins,)
        Counts in the same bins, both with at least one row.

    Returns
    -------
    float
        In nats, from 0 (same shares in every bin) upwards.

    Raises
    ------
    FeatureError
        If a sample is empty.

    Notes
    -----
    ``sum((q - p) * ln(q / p))`` over bin shares p and q; half a row is added to every bin that
    either sample has, so that empty bins stay finite. O(n_bins).

    References
    ----------
    Yurdakul (2018), Statistical Properties of Population Stability Index, Western Michigan
    University.

    Examples
    --------
    >>> import numpy as np
    >>> population_stability_index(np.array([50, 50]), np.array([500, 500]))
    0.0
    """
    import numpy as np

    if not reference.sum() or not current.sum():
        raise FeatureError("no rows to compare: a sample is empty")
    used = (reference + current) > 0
    p, q = reference[used] + 0.5, current[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def psi_noise(reference: Counts, current: Counts, *, quantile: float = 0.999) -> float:
    """Return the population stability index that sampling alone stays under.

    Parameters
    ----------
    reference, current : array of int of shape (n_bins,)
        Counts in the same bins.
    quantile : float, default 0.999
        How sure, in (0, 1).

    Returns
    -------
    float
        In nats.

    Notes
    -----
    Without drift the index is close to ``(1/n + 1/m)`` times a chi-square variable with one degree
    of freedom less than there are used bins (Yurdakul 2018).

    Examples
    --------
    >>> import numpy as np
    >>> round(psi_noise(np.array([500, 500]), np.array([50, 50])), 3)
    0.119
    """
    from scipy.stats import chi2

    used = int(((reference + current) > 0).sum())
    scale = 1 / reference.sum() + 1 / current.sum()
    return float(scale * chi2.ppf(quantile, max(used - 1, 1)))
