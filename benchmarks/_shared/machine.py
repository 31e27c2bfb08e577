"""Where a benchmark ran: without that no figure means anything."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ROOT", "commit", "load_average", "machine"]

ROOT = Path(__file__).resolve().parents[2]


def machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Describe this machine.

    Parameters
    ----------
    packages : iterable of str, optional
        Installed packages whose versions belong to the result.

    Returns
    -------
    dict
        Processor, cores this process may use, memory, system, Python and package versions.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        "ram_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "commit": commit(),
    }


def load_average() -> float:
    """Return the load of the last minute; about the number of cores in use."""
    return round(os.getloadavg()[0], 2)


def commit(folder: Path = ROOT) -> str:
    """Return what git calls the files that were measured, ``-dirty`` if they were edited.

    Parameters
    ----------
    folder : Path, optional
        A git working tree; this repository by default.

    Returns
    -------
    str
        Abbreviated commit, or "unknown" outside a git repository.
    """
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def _cores() -> int:
    return os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
