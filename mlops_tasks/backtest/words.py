"""A backtest in words and in a table, the same in the shell and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.backtest.report import BacktestReport, Figures

__all__ = ["COLUMNS", "conclusions", "counted", "notes", "table_rows", "unit"]

COLUMNS = (
    "policy",
    "metric",
    "trainings",
    "let through",
    "fit, s",
    "regret",
    "harm",
    "recovery",
    "performance alarms",
    "drift alarms",
    "drift without harm",
    "harm without drift",
)


def counted(number: int, what: str) -> str:
    """Return a number of things, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def unit(report: BacktestReport) -> str:
    """Return what a period is called."""
    return "week" if report.grain == "day" else report.grain


def table_rows(report: BacktestReport, *, shown: bool = True) -> list[tuple[str, ...]]:
    """Return the cells of each policy, and of the oracle, in the order of `COLUMNS`.

    Parameters
    ----------
    report : BacktestReport
        From `backtest`.
    shown : bool, default True
        Of the periods that are shown; else of those on which settings are chosen.
    """
    rows = [_cells(one.name, one.shown if shown else one.chosen, report) for one in report.policies]
    bound = report.oracle.shown if shown else report.oracle.chosen
    name, metric, n_trainings, *_ = _cells("oracle", bound, report)
    rows.append((name, metric, n_trainings, *[""] * 2, "0", *[""] * (len(COLUMNS) - 6)))
    return rows


def _cells(name: str, found: Figures, report: BacktestReport) -> tuple[str, ...]:
    recovery = "" if found.recovery is None else f"{found.recovery:g} {report.grain}s"
    return (
        name,
        "not defined" if found.metric is None else f"{found.metric:.4f}",
        f"{found.n_trainings}",
        f"{found.n_promoted}",
        f"{found.fit_s:.1f}",
        f"{found.regret:.4f}",
        f"{found.harm}",
        recovery,
        f"{found.performance_alarms}",
        f"{found.drift_alarms}",
        f"{found.drift_without_harm}",
        f"{found.harm_without_drift}",
    )


def conclusions(report: BacktestReport) -> list[str]:
    """Say what was chosen, what it was worth later, and how the default does beside the nights."""
    lines = []
    by_cost = sorted(report.policies, key=lambda one: one.shown.cost)
    place = [one.name for one in by_cost].index(report.choice) + 1
    lines.append(
        f"Up to {report.periods[report.n_chosen - 1].last}, {report.choice} was cheapest, its "
        f"trainings counted; from then on it comes {_ordinal(place)} of {len(by_cost)}"
        + ("." if place == 1 else f", after {', '.join(one.name for one in by_cost[: place - 1])}.")
    )
    often = report.policy("nightly") or report.policy("every")
    default = report.policy("default")
    if often is not None and default is not None:
        gain = report.beside("default", often.name)
        if gain is not None:
            direction = "better" if gain > 0 else "worse"
            within = "within" if gain >= -report.tolerance else "beyond"
            beside = f"{abs(gain):.4g} {direction}, {within}" if gain else "the same, within"
            lines.append(
                f"From {report.periods[report.n_chosen].first} on, the default has "
                f"{counted(default.shown.n_trainings, 'training')}, {often.name} "
                f"{often.shown.n_trainings}; its {report.metric_title} is {beside} the "
                f"{report.tolerance:.4g} that matter."
            )
    return lines


def notes(report: BacktestReport) -> list[str]:
    """Say how the figures come about."""
    what = unit(report)
    return [
        f"Metric: mean over {what}s of what was really served, all labels known. Let through: "
        "trainings that the gate promoted. Fit: seconds of these fits, data and gate not counted.",
        f"Regret: loss and trainings beyond those of the oracle, which chooses among a training "
        f"before each {what} and none, all labels known beforehand. A training costs "
        f"{report.training_cost:.4g} of the metric over one {what}.",
        f"Harm: {what}s in which a model trained just before would have been better by more than "
        f"{report.tolerance:.4g}. Recovery: mean length of such a stretch. Alarms: decisions on "
        "which either alarmed by the policy's own rule, whether it looks at it or not.",
        "Each partition is taken in once, as on the day of its schedule: late and corrected rows "
        "of the source are there from the start.",
    ]


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
