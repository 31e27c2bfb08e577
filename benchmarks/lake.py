"""What the lake costs: taking data in, versions and pins, validation.

Each part measures this project and what people use otherwise in one run, in turn, every measurement
in a fresh process whose libraries are loaded before the clock starts. A part writes its own section
of the results, so that one may be measured again alone (``--only``).
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from benchmarks._lake.plan import Plan
from benchmarks._shared.console import console, say
from benchmarks._shared.machine import load_average, machine
from benchmarks._shared.results import RESULTS, Report

if TYPE_CHECKING:
    from benchmarks._shared.figures import Figure

PACKAGES = ("deltalake", "pandas", "pyarrow")


class Part(StrEnum):
    """A part is a module ``benchmarks._lake.<part>`` with ``figures(plan) -> list[Figure]``."""

    INGEST = "ingest"
    PINS = "pins"
    VALIDATION = "validation"


def main(
    *,
    only: Annotated[list[Part] | None, typer.Option(help="Nothing but this part.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each thing.")] = 3,
    quick: Annotated[bool, typer.Option(help="Few rows, once; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure the lake; exits 0 also where a figure falls short."""
    signal.signal(signal.SIGTERM, _terminated)
    folder = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    reports: list[Report] = []
    try:
        for part in only or list(Part):
            home = folder / part
            home.mkdir()
            plan = Plan(home, 1 if quick else rounds, quick=quick, say=say)
            reports.append(measured(part, plan))
            shutil.rmtree(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for report in reports:
        report.print(console)
        if not quick:
            report.write_section(RESULTS)
    if json_file is not None:
        replace(Report.joined(reports), name="lake").write_json(json_file)


def measured(part: Part, plan: Plan) -> Report:
    """Measure one part.

    Parameters
    ----------
    part : Part
        Which one.
    plan : Plan
        How much, and where.

    Returns
    -------
    Report
        The section ``lake_<part>``.
    """
    say(f"{part}: begins")
    before = load_average()
    figures: list[Figure] = import_module(f"benchmarks._lake.{part}").figures(plan)
    load = {"before": before, "after": load_average()}
    return Report(f"lake_{part}", machine(PACKAGES), load, figures, notes=plan.notes)


def _terminated(signum: int, frame: object) -> NoReturn:
    sys.exit(128 + signum)


if __name__ == "__main__":
    typer.run(main)
