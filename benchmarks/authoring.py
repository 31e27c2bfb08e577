"""What people can bring: the estimators that are saved, and those that are refused before the fit.

Each estimator of the list is tried on a few rows, fitted, saved, loaded and compared. Nothing here
is a race: the processor time of the trial is shown, for the fit waits for it.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path  # noqa: TC003 (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks._authoring.estimators import ESTIMATORS
from benchmarks._authoring.outcomes import N_ROWS, REFUSED, SAVED, outcome_of
from benchmarks._shared.console import console, say
from benchmarks._shared.figures import figure
from benchmarks._shared.machine import load_average, machine
from benchmarks._shared.results import RESULTS, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._authoring.estimators import Brought
    from benchmarks._authoring.outcomes import Outcome
    from benchmarks._shared.figures import Figure

PACKAGES = ("scikit-learn", "skops", "xgboost-cpu", "lightgbm")
QUICK = 10
ORDINARY_S = 1.0
NOTES = [
    f"Fitted on {N_ROWS} rows; the trial takes 150 of them, on one thread.",
    "Refused are those that hold what no safe file can: the reason says what to use instead.",
]


def main(
    *,
    quick: Annotated[bool, typer.Option(help="Every tenth; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Go through the list; exits 0 also where an estimator falls short."""
    chosen = ESTIMATORS[::QUICK] if quick else ESTIMATORS
    load = {"before": load_average()}
    outcomes = []
    for brought in chosen:
        outcomes.append(outcome_of(brought))
        say(f"{brought.name}: {outcomes[-1].outcome}")
    load["after"] = load_average()
    tables = {"Estimators": _table(outcomes)}
    figures = _figures(chosen, outcomes)
    report = Report("authoring_estimators", machine(PACKAGES), load, figures, tables, NOTES)
    report.print(console)
    if not quick:
        report.write_section(RESULTS)
    if json_file is not None:
        report.write_json(json_file)


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


if __name__ == "__main__":
    typer.run(main)
