"""What people can bring, and what it costs them: estimators, problem types, grains, tests, models.

Each part writes a section of the results, so that one may be measured again alone (``--only``).
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path  # noqa: TC003 (typer reads it)
from typing import Annotated

import typer

from benchmarks._shared.parts import Benchmark

# Before the first import of MLflow, which reads them then.
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class Part(StrEnum):
    """What is measured."""

    ESTIMATORS = "estimators"
    PROBLEM_TYPES = "problem_types"
    GRAINS = "grains"
    TRY = "try"
    DAGTEST = "dagtest"
    MUTATIONS = "mutations"
    CHAMPION = "champion"


AUTHORING = Benchmark(
    "authoring",
    modules={
        Part.ESTIMATORS: "listed",
        Part.PROBLEM_TYPES: "problem_types",
        Part.GRAINS: "grains",
        Part.TRY: "trial",
        Part.DAGTEST: "dag_tests",
        Part.MUTATIONS: "mutations",
        Part.CHAMPION: "champion",
    },
    packages={
        Part.ESTIMATORS: ("scikit-learn", "skops", "xgboost-cpu", "lightgbm"),
        Part.DAGTEST: ("apache-airflow", "pytest", "deltalake", "mlflow", "pandas", "pyarrow"),
    },
)


def main(
    *,
    only: Annotated[list[Part] | None, typer.Option(help="Nothing but this part.")] = None,
    quick: Annotated[bool, typer.Option(help="A little of each; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure what can be brought; exits 0 also where a figure falls short."""
    AUTHORING.run(only, quick=quick, json_file=json_file)


if __name__ == "__main__":
    typer.run(main)
