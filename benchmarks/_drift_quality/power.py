"""Power at an equal rate of false alarms, held against the better peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._drift_quality.draws import KINDS
from benchmarks._drift_quality.measuring import EVIDENTLY, NANNYML, OURS
from benchmarks._drift_quality.verdicts import alarm_shares, swept_alarms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._drift_quality.draws import Floats, Plan, Scores

__all__ = ["EQUAL_RATE", "METHODS", "Case", "Verdict", "cases_of", "verdicts_of"]

METHODS = (OURS, EVIDENTLY, NANNYML)
#: All are brought to this rate of false alarms; 1 % has too few days behind it to be compared.
EQUAL_RATE = 0.05
_RESAMPLES = 300


@dataclass(frozen=True, slots=True)
class Case:
    """One drift, and how many of its days each method detects.

    Parameters
    ----------
    n : int
        Rows a day.
    kind, size : str, float
        Of the drift.
    n_columns : int
        Columns that drift.
    swept, default : dict of str to float
        Share of days detected by method: at the equal rate of false alarms, and as set by default.
    peer : str
        The peer that detects most at the equal rate.
    low, high : float
        Ends of the 95 % interval of our share less that of `peer`.
    """

    n: int
    kind: str
    size: float
    n_columns: int
    swept: dict[str, float]
    default: dict[str, float]
    peer: str
    low: float
    high: float

    @property
    def gap(self) -> float:
        """Our share less that of the better peer."""
        return self.swept[OURS] - self.swept[self.peer]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether our power is below a peer's, for one number of rows and kind of drift.

    Parameters
    ----------
    n, kind : int, str
        Which.
    cases : tuple of Case
        Sizes of the drift, and columns that have it.
    """

    n: int
    kind: str
    cases: tuple[Case, ...]

    @property
    def level(self) -> int:
        """Cases in which no peer detects more."""
        return sum(case.gap >= 0 for case in self.cases)

    @property
    def lost(self) -> int:
        """Cases in which a peer detects more, and the whole interval says so."""
        return sum(case.gap < 0 and case.high < 0 for case in self.cases)

    @property
    def worst(self) -> Case:
        """The case with the largest lead of a peer."""
        return min(self.cases, key=lambda case: case.gap)


def cases_of(plan: Plan, scores: dict[str, Scores]) -> list[Case]:
    """Find the power of every method for every drift of a plan.

    Parameters
    ----------
    plan : Plan
        What was drawn.
    scores : dict of str to Scores
        By method.

    Returns
    -------
    list of Case
        By columns that drift, then kind and size.
    """
    found = []
    for n_columns in (1, 3, scores[OURS].still.shape[1]):
        swept = {m: _mean(swept_alarms(scores[m], EQUAL_RATE, n_columns)) for m in METHODS}
        default = {m: _mean(_default(scores[m], n_columns)) for m in METHODS}
        gaps = _resampled(scores, n_columns)
        for i, (kind, size) in enumerate(plan.variants):
            best = max(METHODS[1:], key=lambda m: swept[m][i])
            low, high = np.quantile(gaps[best][:, i], (0.025, 0.975)).tolist()
            ours_and_theirs = _at(swept, i), _at(default, i)
            found.append(Case(plan.n, kind, size, n_columns, *ours_and_theirs, best, low, high))
    return found


def verdicts_of(cases: Sequence[Case]) -> list[Verdict]:
    """Gather cases by rows a day and kind of drift.

    Parameters
    ----------
    cases : sequence of Case
        Of one or more plans.

    Returns
    -------
    list of Verdict
        In the order of the plans.
    """
    return [
        Verdict(n, kind, tuple(case for case in cases if (case.n, case.kind) == (n, kind)))
        for n in dict.fromkeys(case.n for case in cases)
        for kind in KINDS
    ]


def _default(scores: Scores, n_columns: int) -> Floats:
    still = scores.still_alarms[scores.same_day]
    return alarm_shares(still, scores.drifted_alarms, n_columns)


def _resampled(scores: dict[str, Scores], n_columns: int) -> dict[str, Floats]:
    """Draw days again (bootstrap): those with drift are the same for all methods."""
    random = np.random.default_rng(11)
    n = len(scores[OURS].drifted)
    gaps: dict[str, list[Floats]] = {name: [] for name in METHODS[1:]}
    for _ in range(_RESAMPLES):
        draws = random.integers(0, n, n)
        rates = {
            m: _mean(swept_alarms(scores[m], EQUAL_RATE, n_columns, draws, random)) for m in METHODS
        }
        for name, found in gaps.items():
            found.append(rates[OURS] - rates[name])
    return {name: np.array(found) for name, found in gaps.items()}


def _mean(shares: Floats) -> Floats:
    return np.asarray(shares.mean(axis=0))


def _at(shares: dict[str, Floats], i: int) -> dict[str, float]:
    return {name: float(found[i]) for name, found in shares.items()}
