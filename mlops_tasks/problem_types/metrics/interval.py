"""A value with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval", "share_interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its confidence interval; all three are NaN where it is not defined.

    Attributes
    ----------
    value, lower, upper : float
        The value as seen, and its bounds.
    """

    value: float
    lower: float
    upper: float


def share_interval(n_hits: int, n_rows: int, *, confidence: float = 0.95) -> Interval:
    """Return the share of hits with its exact interval, also of none and all of the rows.

    Parameters
    ----------
    n_hits, n_rows : int
        Hits among the rows; at least one row.
    confidence : float, default 0.95
        Of the two-sided interval.

    Returns
    -------
    Interval
        In [0, 1].

    References
    ----------
    Clopper, Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26.

    Examples
    --------
    >>> round(share_interval(0, 100).upper, 4)
    0.0362
    """
    from scipy.special import betainccinv, betaincinv

    # In closed form: scipy.stats searches for it, a millisecond for each class of many.
    tail, misses = (1 - confidence) / 2, n_rows - n_hits
    lower = float(betaincinv(n_hits, misses + 1, tail)) if n_hits else 0.0
    upper = float(betainccinv(n_hits + 1, misses, tail)) if misses else 1.0
    return Interval(n_hits / n_rows, lower, upper)
