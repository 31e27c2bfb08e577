"""Measurements in fresh processes: no cache, no memory left by what ran before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._shared.machine import ROOT
from mlops_airflow.stack.processor import numeric_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Outcome", "clocked", "in_fresh_process"]

_MARK = "OUTCOME "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one process measured.

    Parameters
    ----------
    seconds : float
        What the clock says.
    peak_mb : float
        The most memory (resident set) the process had in its whole life.
    facts : dict
        What else it found out, plain JSON.
    """

    seconds: float
    peak_mb: float
    facts: dict[str, Any]


def in_fresh_process(module: str, **arguments: Any) -> Outcome:
    """Run a module as a program that measures itself by `clocked`.

    NumPy and Arrow get the settings that the stack gives them, whoever is measured.

    Parameters
    ----------
    module : str
        Its name; it gets the arguments as one JSON object on standard input: what a command line
        holds, all users of a machine can read.
    **arguments
        Plain JSON.

    Returns
    -------
    Outcome
        What it measured.

    Raises
    ------
    RuntimeError
        If it failed; with the end of its output.
    """
    paths = (ROOT, ROOT / "plugins", ROOT / "dags")
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=os.environ | numeric_environment() | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{module} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return Outcome(**json.loads(found[-1].removeprefix(_MARK)))


@contextmanager
def clocked() -> Iterator[dict[str, Any]]:
    """Take the time of a ``with`` block, and print it with the peak of memory at its end.

    Yields
    ------
    dict
        For whatever else belongs to the outcome, plain JSON.
    """
    facts: dict[str, Any] = {}
    started = time.monotonic()
    yield facts
    seconds = time.monotonic() - started
    outcome = {"seconds": seconds, "peak_mb": _peak_mb(), "facts": facts}
    print(_MARK + json.dumps(outcome), flush=True)


def _peak_mb() -> float:
    """Return the peak of the resident set, in MB of 10**6 bytes.

    Not `getrusage`: that counts what the parent process had when it started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status names no VmHWM: memory is measured on Linux only")
