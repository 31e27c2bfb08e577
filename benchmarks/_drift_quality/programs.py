"""Programs of this benchmark that run in an environment of their own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from benchmarks._shared.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["start_module"]


def start_module(python: Path, module: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Start a module of this benchmark in some environment.

    Parameters
    ----------
    python : Path
        Which Python.
    module : str
        Below ``benchmarks._drift_quality``.
    arguments : sequence of str
        Its arguments.

    Returns
    -------
    Popen
        With its output as a pipe.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [str(python), "-W", "ignore", "-m", f"benchmarks._drift_quality.{module}"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
