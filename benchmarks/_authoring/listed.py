"""The list of estimators, each tried, fitted, saved, loaded and compared, or refused."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING

from benchmarks._authoring.estimators import ESTIMATORS
from benchmarks._authoring.outcomes import N_ROWS, REFUSED, SAVED, outcome_of
from benchmarks._shared.console import say
from benchmarks._shared.figures import figure
from benchmarks._shared.parts import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._authoring.estimators import Brought
    from benchmarks._authoring.outcomes import Outcome
    from benchmarks._shared.figures import Figure

__all__ = ["measure"]

QUICK = 10
ORDINARY_S = 1.0
NOTES = [
    f"Fitted on {N_ROWS} rows; the trial takes 150 of them, on one thread.",
    "Refused are those that hold what no safe file can: the reason says what to use instead.",
]


def measure(*, quick: bool) -> Measured:
    """Go through the list, or through every tenth of it."""
    chosen, outcomes = ESTIMATORS[::QUICK] if quick else ESTIMATORS, []
    for brought in chosen:
        outcomes.append(outcome_of(brought))
        say(f"{brought.name}: {outcomes[-1].outcome}")
    return Measured(_figures(chosen, outcomes), {"Estimators": _table(outcomes)}, NOTES)


def _figures(chosen: list[Brought], outcomes: list[Outcome]) -> list[Figure]:
    wanted = [brought for brought in chosen if not brought.refused]
    saved = sum(outcome.outcome == SAVED for outcome in outcomes)
    right = sum(map(_is_right, chosen, outcomes))
    trials = [outcome.trial_s for outcome in outcomes if outcome.outcome == SAVED]
    return [
        figure("saved, and equal after they were loaded", saved, "estimators",
               at_least=len(wanted)),
        figure("refused before the fit, for the right reason", right - saved, "estimators",
               at_least=len(chosen) - len(wanted)),
        figure("processor time of the trial before the fit, median", statistics.median(trials), "s",
               below=ORDINARY_S),
        figure("processor time of the trial before the fit, longest", max(trials), "s"),
    ]  # fmt: skip


def _is_right(brought: Brought, outcome: Outcome) -> bool:
    if not brought.refused:
        return outcome.outcome == SAVED
    return outcome.outcome == REFUSED and bool(re.search(brought.refused, outcome.reason))


def _table(outcomes: list[Outcome]) -> list[Sequence[str]]:
    rows = [(one.name, one.outcome, f"{one.trial_s:.2f}", one.reason) for one in outcomes]
    return [("estimator", "outcome", "trial, s", "reason"), *rows]
