"""Virtual environments of the peers, made from their pinned requirements."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._shared.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["make_environment", "start_module"]

HERE = Path(__file__).parent


def make_environment(folder: Path, peer: str) -> Path:
    """Install a peer, unless it is installed already.

    Parameters
    ----------
    folder : Path
        Where environments live; kept between runs, so that later ones start at once.
    peer : {"evidently", "nannyml"}
        Whose ``requirements-<peer>.txt`` to install.

    Returns
    -------
    Path
        Its Python.
    """
    requirements = HERE / f"requirements-{peer}.txt"
    home = folder / peer
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
        _run("venv", "-q", "--clear", "--python", sys.executable, str(home))
        _run("pip", "install", "-q", "--python", str(python), "-r", str(requirements))
        stamp.write_text(wanted, encoding="utf-8")
    return python


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


def _run(*arguments: str) -> None:
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([str(uv) if uv.exists() else "uv", *arguments], check=True)
