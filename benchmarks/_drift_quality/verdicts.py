"""From scores to rates: false alarms, and power at an equal rate of false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks._drift_quality.draws import Scores

__all__ = ["Rate", "alarm_power", "equal_threshold", "false_alarms"]

_TRIPLES = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of draws with its uncertainty.

    Parameters
    ----------
    value : float
        The share.
    n : int
        Independent draws behind it.
    """

    value: float
    n: int

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval (Wilson)."""
        return self._wilson(-1)

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval (Wilson)."""
        return self._wilson(1)

    @property
    def error(self) -> float:
        """Standard error, that of a half at worst when none or all were hit."""
        p = min(max(self.value, 0.5 / self.n), 1 - 0.5 / self.n)
        return math.sqrt(p * (1 - p) / self.n)

    def _wilson(self, side: int) -> float:
        z, p, n = 1.96, self.value, self.n
        middle = p + z * z / (2 * n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return min(max((middle + side * half) / (1 + z * z / n), 0.0), 1.0)


def false_alarms(alarms: npt.NDArray[np.bool_]) -> Rate:
    """Return the share of days without drift on which any column alarms.

    Parameters
    ----------
    alarms : array of bool of shape (n_draws, n_columns)
        Of days without drift.

    Returns
    -------
    Rate
        Over the draws.
    """
    return Rate(float(alarms.any(axis=1).mean()), len(alarms))


def equal_threshold(scores: Scores, rate: float) -> float:
    """Return the threshold at which a method has a given rate of false alarms.

    Parameters
    ----------
    scores : Scores
        Of the method.
    rate : float
        Share of days without drift on which any column is above it.

    Returns
    -------
    float
        In units of the scores.
    """
    return float(np.quantile(scores.still.max(axis=1), 1 - rate, method="higher"))


def alarm_power(
    still: npt.NDArray[np.bool_], drifted: npt.NDArray[np.bool_], n_columns: int
) -> list[Rate]:
    """Return how often any column alarms when some columns drifted and the others did not.

    Parameters
    ----------
    still : array of bool of shape (n_draws, n_columns)
        Alarms of the same days without drift.
    drifted : array of bool of shape (n_draws, n_variants, n_columns)
        Alarms with drift in every column.
    n_columns : int
        Columns that drift: each one in turn, 20 random sets, or all.

    Returns
    -------
    list of Rate
        Per variant; `n` counts days, not sets of columns: sets of one day are not independent.
    """
    n, _, p = drifted.shape
    random = np.random.default_rng(7)
    if n_columns == 1:
        sets = [[i] for i in range(p)]
    elif n_columns == p:
        sets = [list(range(p))]
    else:
        sets = [random.choice(p, n_columns, replace=False).tolist() for _ in range(_TRIPLES)]
    hits = []
    for chosen in sets:
        moved = np.isin(np.arange(p), chosen)
        hits.append(np.where(moved, drifted, still[:, None, :]).any(axis=2).mean(axis=0))
    return [Rate(float(value), n) for value in np.mean(hits, axis=0)]
