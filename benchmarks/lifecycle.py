"""What the lifecycle of a model costs and how often its gate is wrong.

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

    TRAINING = "training"
    GATE = "gate"
    ERROR_RATES = "error_rates"
    ROLLBACK = "rollback"
    LOADING = "loading"


LIFECYCLE = Benchmark(
    "lifecycle",
    modules={
        Part.TRAINING: "training",
        Part.GATE: "gate",
        Part.ERROR_RATES: "error_rates",
        Part.ROLLBACK: "rollback",
        Part.LOADING: "loading",
    },
    packages={},
)


def main(
    *,
    only: Annotated[list[Part] | None, typer.Option(help="Nothing but this part.")] = None,
    quick: Annotated[bool, typer.Option(help="A little of each; RESULTS.md stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Measure the lifecycle; exits 0 also where a figure falls short."""
    LIFECYCLE.run(only, quick=quick, json_file=json_file)


if __name__ == "__main__":
    typer.run(main)
