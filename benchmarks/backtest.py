"""Policies of retraining on the past: how the default does, what it costs, and how long it takes.

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

    FLIGHTS = "flights"
    PROJECTS = "projects"
    STATIONARY = "stationary"
    VOLUME = "volume"


BACKTEST = Benchmark(
    "backtest",
    modules={
        Part.FLIGHTS: "flights",
        Part.PROJECTS: "projects",
        Part.STATIONARY: "stationary",
        Part.VOLUME: "volume",
    },
    packages={},
    usual=("deltalake", "duckdb", "pandas", "pyarrow", "scikit-learn"),
)


def main(
    *,
    only: Annotated[list[Part] | None, typer.Option(help="Nothing but this part.")] = None,
    quick: Annotated[bool, typer.Option(help="A little of each; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Compare policies; exits 0 also where a figure falls short."""
    BACKTEST.run(only, quick=quick, json_file=json_file)


if __name__ == "__main__":
    typer.run(main)
