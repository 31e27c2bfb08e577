"""All of 2013 of the flights, night by night, under every policy: the argument, and the clock."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._backtest.played import beside_every_night, find_spec, play, table
from benchmarks._shared.figures import figure
from benchmarks._shared.parts import Measured
from demo.source import LAST_DAY, SourceDatabase
from mlops_tasks.backtest.words import conclusions, notes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure"]

LIMIT_S = 300.0
QUICK_LAST, QUICK_POLICIES = date(2013, 4, 12), ("never", "weekly", "default")


def measure(*, quick: bool) -> Measured:
    """Play the year once: what it says does not depend on the machine, how long it takes does."""
    with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as folder:
        database = Path(folder, "flights.db")
        SourceDatabase(database).advance(QUICK_LAST if quick else LAST_DAY)
        options = {"policies": QUICK_POLICIES, "play_from": "2013-03-16"} if quick else {}
        last = QUICK_LAST if quick else LAST_DAY
        report = play(find_spec("flight_delays"), database, last=last.isoformat(), **options)
    what = (
        f"{report.n_decisions:,} decisions of {len(report.policies)} policies, {report.n_fits} fits"
    )
    figures = [figure(what, report.seconds, "s", below=LIMIT_S)]
    if not quick:
        figures += beside_every_night(report)
    seconds: list[Sequence[str]] = [["step", "seconds, of all processes"]]
    seconds += [[name, f"{one:.1f}"] for name, one in report.steps.items()]
    tables = {"Policies of flight_delays": table(report), "Where the time goes": seconds}
    return Measured(figures, tables, [*conclusions(report), *notes(report)])
