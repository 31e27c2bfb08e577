"""How fast drift is: profile and drift of two samples, side by side with peers, in one run.

Each contender runs in a fresh process, in turn, in an environment of its own that is made from
`_shared/requirements` the first time. The floor is the bare loop of KLL sketches and counts over
the same Parquet files. Ours does the whole job in its pass: counts by kind, moments, quantiles and
frequent values, then drift.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks._drift.measure import N_DAYS, PEERS, Plan, measure
from benchmarks._drift.report import speed_report
from benchmarks._shared.console import console, say
from benchmarks._shared.results import RESULTS


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Fresh processes of each.")] = 3,
    repeats: Annotated[int, typer.Option(min=0, help="Samples in the long table.")] = 50,
    days: Annotated[int, typer.Option(min=0, help="Days of the window.")] = N_DAYS,
    quick: Annotated[bool, typer.Option(help="Small and once; RESULTS.md stays.")] = False,
    peers: Annotated[bool, typer.Option(help="Whether peers are measured.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure the speed of drift; exits 0 also where a figure falls short."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    chosen = PEERS if peers else ()
    plan = Plan(folder, rounds=rounds, repeats=repeats, days=days, peers=chosen)
    if quick:
        plan = Plan(folder, (10_000, 100_000), 1, min(repeats, 5), min(days, 35), chosen)
    try:
        report = speed_report(plan, measure(plan, say))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.print(console)
    if not quick and peers:
        report.write_section(RESULTS)
    if json_file is not None:
        report.write_json(json_file)


if __name__ == "__main__":
    typer.run(main)
