"""What people can bring, and what it costs them: estimators, problem types, grains, tests, models.

Each part writes a section of the results, so that one may be measured again alone (``--only``).
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path  # noqa: TC003 (typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks._shared.console import console, say
from benchmarks._shared.machine import load_average, machine
from benchmarks._shared.results import RESULTS, Report

if TYPE_CHECKING:
    from benchmarks._authoring.measured import Measured

# Before the first import of MLflow, which reads them then.
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class Part(StrEnum):
    """What is measured, each by a module's ``measure(quick=)``."""

    ESTIMATORS = "estimators"
    PROBLEM_TYPES = "problem_types"
    GRAINS = "grains"
    TRY = "try"
    DAGTEST = "dagtest"
    MUTATIONS = "mutations"
    CHAMPION = "champion"


MODULES = {
    Part.ESTIMATORS: "listed",
    Part.PROBLEM_TYPES: "problem_types",
    Part.GRAINS: "grains",
    Part.TRY: "trial",
    Part.DAGTEST: "dag_tests",
    Part.MUTATIONS: "mutations",
    Part.CHAMPION: "champion",
}
LAKE = ("deltalake", "mlflow", "pandas", "pyarrow")
PACKAGES = {
    Part.ESTIMATORS: ("scikit-learn", "skops", "xgboost-cpu", "lightgbm"),
    Part.DAGTEST: ("apache-airflow", "pytest", *LAKE),
}


def main(
    *,
    only: Annotated[list[Part] | None, typer.Option(help="Nothing but this part.")] = None,
    quick: Annotated[bool, typer.Option(help="A little of each; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure what can be brought; exits 0 also where a figure falls short."""
    reports = [_report(part, quick=quick) for part in only or list(Part)]
    for report in reports:
        report.print(console)
        if not quick:
            report.write_section(RESULTS)
    if json_file is not None:
        replace(Report.joined(reports), name="authoring").write_json(json_file)


def _report(part: Part, *, quick: bool) -> Report:
    say(f"{part}: begins")
    before = load_average()
    module = import_module(f"benchmarks._authoring.{MODULES[part]}")
    found: Measured = module.measure(quick=quick)
    load = {"before": before, "after": load_average()}
    return Report(f"authoring_{part}", machine(PACKAGES.get(part, LAKE)), load, *found)


if __name__ == "__main__":
    typer.run(main)
