"""A backtest of one project, with a word now and then, and what it says as figures and tables."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._shared.console import say
from benchmarks._shared.figures import Figure, figure
from mlops_tasks.backtest import backtest
from mlops_tasks.backtest.words import COLUMNS, table_rows
from mlops_tasks.sources import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_tasks.backtest import BacktestReport
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.trial import TrialStep

__all__ = ["beside_every_night", "find_spec", "play", "table"]

_DAGS = Path(__file__).resolve().parents[2] / "dags"
_SAID_EVERY_S = 60.0
_QUARTER = 0.25


def find_spec(model: str) -> ModelSpec:
    """Return the spec of an example."""
    from mlops_airflow.projects import find_model

    return find_model(model, _DAGS)


def connections(database: Path) -> Callable[[str], Connection]:
    """Return the connection of every id: the one file that an example reads."""
    return lambda conn_id: Connection(conn_id, "sqlite", host=str(database))


def play(spec: ModelSpec, database: Path, **options: Any) -> BacktestReport:
    """Compare policies, and say from time to time where it is."""
    logging.disable(logging.WARNING)
    said = [time.monotonic()]

    def watch(step: TrialStep) -> None:
        if time.monotonic() - said[0] > _SAID_EVERY_S:
            said[0] = time.monotonic()
            say(f"{spec.name}: {step.name} {step.about} {step.key}")

    try:
        return backtest(spec, connect=connections(database), watch=watch, **options)
    finally:
        logging.disable(logging.NOTSET)


def beside_every_night(report: BacktestReport) -> list[Figure]:
    """Judge the default beside a training with every decision, where settings are shown."""
    often = "nightly" if report.policy("nightly") else "every"
    default, nightly = report.policy("default"), report.policy(often)
    gain = report.beside("default", often)
    found = [
        figure(
            f"{report.model}: {report.metric_title} of the default, better than {often} by",
            None if gain is None else gain / report.tolerance,
            f"of the {report.tolerance:.4g} that matter",
            at_least=-1,
        )
    ]
    if default is None or nightly is None or not nightly.shown.n_trainings:
        return found
    share = default.shown.n_trainings / nightly.shown.n_trainings
    what = f"{report.model}: trainings of the default beside {often}"
    within = share <= _QUARTER
    return [*found, Figure(what, round(share, 4), "share", "at most 0.25", within)]


def table(report: BacktestReport) -> list[Sequence[str]]:
    """Return what each policy came to, where settings are shown."""
    names = [report.metric_title if name == "metric" else name for name in COLUMNS]
    return [names, *table_rows(report)]
