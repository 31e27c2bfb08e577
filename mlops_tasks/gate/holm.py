"""Several questions to one sample at one level together: the procedure of Holm."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["holm_levels"]


def holm_levels(levels: Sequence[float], level: float) -> list[float]:
    """Return the level that each question is to be answered at.

    Parameters
    ----------
    levels : sequence of float
        For each, the smallest level at which it is answered with yes (its p-value).
    level : float
        Chance of any wrong yes among all of them.

    Returns
    -------
    list of float
        ``level / (m - k)`` for the one with the k-th smallest p-value, k from 0, up to the first
        one that misses it; all from there on have the same.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6.

    Examples
    --------
    >>> holm_levels([0.04, 0.001, 0.5], 0.03)
    [0.015, 0.01, 0.015]
    """
    order, found = sorted(range(len(levels)), key=levels.__getitem__), [0.0] * len(levels)
    own, missed = 0.0, False
    for rank, place in enumerate(order):
        if not missed:
            own = level / (len(levels) - rank)
            missed = levels[place] >= own
        found[place] = own
    return found
