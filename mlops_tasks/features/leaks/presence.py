"""Features that are there, or missing, only with one label or only in older rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import Interval, share_interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.features.leaks.informedness import Classes

__all__ = ["MIN_PURITY", "Presence", "presence_of_label", "purity"]

#: Share of one class, among rows as many of each, that the lower bound must reach.
MIN_PURITY = 0.98
_MIN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Presence:
    """How pure the rows are in which a feature is there, or missing.

    Attributes
    ----------
    present : bool
        Whether it is about rows that have a value; else about those that have none.
    share, others : float
        Of the rows of one class, and of all others.
    found : Interval
        The purity, see `purity`.
    """

    present: bool
    share: float
    others: float
    found: Interval


def purity(share: Interval, others: Interval) -> Interval:
    """Return the share that one group has among rows as many of each: 0.5 is chance, 1 pure.

    By its interval's lower bound from the lower bound of one and the upper bound of the other.

    >>> purity(Interval(0.5, 0.4, 0.6), Interval(0.0, 0.0, 0.1)).lower
    0.8
    """
    pairs = ((share.value, others.value), (share.lower, others.upper), (share.upper, others.lower))
    value, lower, upper = (one / (one + other) if one else 0.0 for one, other in pairs)
    return Interval(value, lower, upper)


def presence_of_label(missing: npt.NDArray[np.bool_], classes: Classes) -> Presence | None:
    """Say whether a feature is there, or missing, only in the rows of one class.

    Parameters
    ----------
    missing : array of bool of shape (n_rows,)
        Where the feature has no value.
    classes : Classes
        Of the label.

    Returns
    -------
    Presence or None
        The most telling class, if the lower bound of its purity reaches `MIN_PURITY` and it is so
        in a tenth of its rows at least: what is rarer makes no champion.
    """
    import numpy as np

    # Half of some class has a value, or has none: of the ten rows that each has, always a tenth.
    n_missing, sizes = np.bincount(classes.codes, missing, classes.n), classes.sizes()
    if not 0 < n_missing.sum() < len(missing):
        return None
    found: list[Presence] = []
    for present, counts in ((True, sizes - n_missing), (False, n_missing)):
        for count, size in zip(counts, sizes, strict=True):
            share = share_interval(int(count), int(size))
            others = share_interval(int(counts.sum() - count), int(sizes.sum() - size))
            if share.lower >= _MIN_SHARE:
                pure = purity(share, others)
                found.append(Presence(present, share.value, others.value, pure))
    best = max(found, key=lambda one: one.found.lower)
    return best if best.found.lower >= MIN_PURITY else None
