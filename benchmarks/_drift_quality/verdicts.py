"""From scores to rates: false alarms, and power at an equal rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks._drift_quality.draws import Floats, Scores

__all__ = ["Rate", "alarm_shares", "false_alarms", "swept_alarms"]

_TRIPLES = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of draws with its uncertainty.

    Parameters
    ----------
    hits : int
        Draws that were hit.
    n : int
        All draws.
    """

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share."""
        return self.hits / self.n

    @property
    def at_least(self) -> float:
        """With 95 % certainty the rate is no lower (Clopper and Pearson).

        A stated rate below it is refuted by the exact binomial test at 5 %.
        """
        return float(beta.ppf(0.05, self.hits, self.n - self.hits + 1)) if self.hits else 0.0

    @property
    def at_most(self) -> float:
        """With 95 % certainty the rate is no higher (Clopper and Pearson)."""
        return float(beta.ppf(0.95, self.hits + 1, self.n - self.hits)) if self.hits < self.n else 1


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
    return Rate(int(alarms.any(axis=1).sum()), len(alarms))


def swept_alarms(
    scores: Scores,
    rate: float,
    n_columns: int,
    draws: npt.NDArray[np.int64] | None = None,
    random: np.random.Generator | None = None,
) -> Floats:
    """Return how often any column alarms at the threshold with a given rate of false alarms.

    Parameters
    ----------
    scores : Scores
        Of the method.
    rate : float
        Share of days without drift on which any column is above the threshold.
    n_columns : int
        Columns that drift; see `alarm_shares`.
    draws : array of int, optional
        Of the days with drift, by default each once.
    random : Generator, optional
        Draws the days without drift anew; by default each is there once.

    Returns
    -------
    array of shape (n_draws, n_variants)
        Shares of the sets of columns.
    """
    worst = scores.still.max(axis=1)
    if random is not None:
        worst = random.choice(worst, len(worst))
    limit = float(np.quantile(worst, 1 - rate, method="higher"))
    chosen = slice(None) if draws is None else draws
    still = scores.still[scores.same_day[chosen]] > limit
    return alarm_shares(still, scores.drifted[chosen] > limit, n_columns)


def alarm_shares(
    still: npt.NDArray[np.bool_], drifted: npt.NDArray[np.bool_], n_columns: int
) -> Floats:
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
    array of shape (n_draws, n_variants)
        Shares of the sets of columns; sets of one day are not independent.
    """
    p = drifted.shape[2]
    random = np.random.default_rng(7)
    if n_columns == 1:
        sets = [[i] for i in range(p)]
    elif n_columns == p:
        sets = [list(range(p))]
    else:
        sets = [random.choice(p, n_columns, replace=False).tolist() for _ in range(_TRIPLES)]
    moved = np.zeros((p, len(sets)), np.float32)
    for at, chosen in enumerate(sets):
        moved[chosen, at] = 1
    n_alarms = drifted.astype(np.float32) @ moved
    n_alarms += (still.astype(np.float32) @ (1 - moved))[:, None, :]
    return np.asarray((n_alarms > 0).mean(axis=2))
