"""From scores to figures, tables and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks._drift_quality.draws import KINDS
from benchmarks._drift_quality.measuring import EVIDENTLY, NANNYML, OURS
from benchmarks._drift_quality.verdicts import Rate, alarm_power, equal_threshold, false_alarms
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.machine import machine
from benchmarks._shared.results import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._drift_quality.draws import Plan, Scores
    from benchmarks._drift_quality.measuring import Measured
    from benchmarks._drift_quality.real_days import RealDays
    from benchmarks._shared.figures import Figure

__all__ = ["quality_report"]

METHODS = (OURS, EVIDENTLY, NANNYML)
LEVEL = 0.01
#: Peers are brought to this rate of false alarms; 1 % has too few days behind it to be compared.
EQUAL_RATE = 0.05
PACKAGES = ("numpy", "pyarrow", "scipy")


def quality_report(plans: Sequence[Plan], measured: Measured, real: RealDays) -> Report:
    """Write down what the draws have shown.

    Parameters
    ----------
    plans : sequence of Plan
        What was drawn.
    measured : Measured
        Scores of every method.
    real : RealDays
        Alarms on real days.

    Returns
    -------
    Report
        The section ``drift_quality``.
    """
    figures: list[Figure] = []
    power_rows: list[Sequence[str]] = []
    for plan in plans:
        scores = measured.scores[plan.n]
        figures += _false_alarm_figures(plan, scores)
        rows, lost, behind = _power(plan, scores)
        power_rows += rows
        figures.append(
            figure(
                f"{plan.n} rows a day: cases of {len(rows)} in which a peer detects more, beyond "
                "sampling error",
                float(lost),
                "cases",
                below=1,
            )
        )
        figures.append(
            figure(
                f"{plan.n} rows a day: power in the worst case less the best peer's",
                behind,
                "points",
            )
        )
    figures += _real_figures(real)
    head = (
        "rows a day",
        "drift",
        "size",
        "columns",
        *METHODS,
        *(f"{name}, by default" for name in METHODS),
    )
    tables: dict[str, list[Sequence[str]]] = {
        f"Detected days of 100, thresholds swept to {100 * EQUAL_RATE:g} false alarms; and as set "
        "by default": [head, *power_rows],
        "Real days of 2013 that alarm, each against the rest of its month": _real_table(real),
    }
    return Report(
        "drift_quality", machine(PACKAGES), measured.load, figures, tables, _notes(plans, measured)
    )


def _false_alarm_figures(plan: Plan, scores: dict[str, Scores]) -> list[Figure]:
    what = f"{plan.n} rows a day: false alarms in 100 days"
    ours = _percent(false_alarms(scores[OURS].still_alarms))
    chance = false_alarms(scores[OURS].still > 1)
    peers = {name: _percent(false_alarms(scores[name].still_alarms)) for name in METHODS[1:]}
    figures = [
        figure(what, ours, "days", below=100 * LEVEL, peer=name, peer_measured=peer)
        for name, peer in peers.items()
    ]
    return [
        *figures,
        figure(f"{what}, of chance alone (no smallest effect)", _percent(chance), "days"),
        figure(
            f"{what}, of chance alone: 95 % sure of at least",
            100 * chance.low,
            "days",
            below=100 * LEVEL,
        ),
    ]


def _power(plan: Plan, scores: dict[str, Scores]) -> tuple[list[Sequence[str]], int, float]:
    """Return table rows, cases lost for sure, and the worst difference to the best peer."""
    rows: list[Sequence[str]] = []
    lost, behind = 0, np.inf
    for n_columns in (1, 3, scores[OURS].still.shape[1]):
        swept = {name: _swept(one, n_columns) for name, one in scores.items()}
        default = {name: _default(one, n_columns) for name, one in scores.items()}
        for i, (kind, size) in enumerate(plan.variants):
            rates = {name: swept[name][i] for name in METHODS}
            best = max((rates[name] for name in METHODS[1:]), key=lambda rate: rate.value)
            gap = rates[OURS].value - best.value
            lost += gap < -2 * (rates[OURS].error ** 2 + best.error**2) ** 0.5
            behind = min(behind, gap)
            shown = [f"{100 * rates[name].value:.0f}" for name in METHODS]
            plain = [f"{100 * default[name][i].value:.0f}" for name in METHODS]
            rows.append((str(plan.n), kind, f"{size:g}", str(n_columns), *shown, *plain))
    return rows, lost, 100 * behind


def _swept(scores: Scores, n_columns: int) -> list[Rate]:
    limit = equal_threshold(scores, EQUAL_RATE)
    still = (scores.still > limit)[scores.same_day]
    return alarm_power(still, scores.drifted > limit, n_columns)


def _default(scores: Scores, n_columns: int) -> list[Rate]:
    return alarm_power(scores.still_alarms[scores.same_day], scores.drifted_alarms, n_columns)


def _percent(rate: Rate) -> Samples:
    """Return a rate with its interval, in days of a hundred."""
    return Samples.of([100 * rate.low, 100 * rate.value, 100 * rate.high])


def _real_figures(real: RealDays) -> list[Figure]:
    return [
        figure(
            "real days of 2013, in 100: alarms",
            100 * len(real.knowing) / real.n,
            "days",
            peer="ours, rows taken for independent",
            peer_measured=100 * len(real.naive) / real.n,
        )
    ]


def _real_table(real: RealDays) -> list[Sequence[str]]:
    return [("day", "columns"), *((str(day), names) for day, names in real.knowing.items())]


def _notes(plans: Sequence[Plan], measured: Measured) -> list[str]:
    drawn = "; ".join(
        f"{plan.n} rows a day: {plan.n_references} references of {plan.n_days} days, "
        f"{plan.n_references * plan.n_still} days without drift, "
        f"{plan.n_references * plan.n_drifted} with each drift"
        for plan in plans
    )
    kinds = " and ".join(f"`{kind}`" for kind in KINDS)
    agreement = next(line for line in measured.said[EVIDENTLY] if "difference" in line)
    return [
        "Drawn with replacement from the flights of January 2013: 15 columns of numbers, 5 of "
        f"categories, whole rows. {drawn}. Every method sees the same rows (checked by digest).",
        f"Drift is of two kinds, {kinds}: the same values in other proportions (the mean rises by "
        "the size in standard deviations, one category grows by Cohen's w of the size), and "
        "numbers that move as a whole (a new category in a quarter of the size of the rows).",
        "Drift in 1 column: each column in turn; in 3: 20 random sets; then in all. Brackets and "
        "`sampling error` count days; the sets of one day are not independent.",
        "Evidently: the tests that its DataDriftPreset picks, any column counts; "
        f"{agreement}. NannyML: Jensen–Shannon distance above mean + 3 standard deviations of the "
        "reference's days. Both drop missing values.",
        "A day alarms when any column does. Power by default is only to be read beside the false "
        "alarms by default: who alarms every day misses nothing.",
        "Nobody knows which real days drifted; storms and holidays are among those listed.",
    ]
