"""From ``git clone`` to the first promoted champion, on a machine that has nothing yet."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._shared.machine import ROOT, commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FirstChampion", "time_to_first_champion"]

TIMEOUT_S = 1800.0
STOP_S = 90.0
N_LAST_LINES = 15

#: What the demo prints when a part begins, and what the benchmark calls the part before it.
MILESTONES = {
    "Preparing the databases": "clone, virtual environment, packages",
    "Starting mlflow": "databases",
    "Airflow  http": "stack until healthy",
    "The first champion": "January through Airflow",
    "first champion: version": "first training, its gate, promotion",
}
LAST = "first champion: version"

#: Nothing of the calling shell's own Python, caches or stacks may help or disturb.
FOREIGN_PREFIXES = ("AIRFLOW", "MLFLOW", "MLOPS", "PYTHON", "VIRTUAL_ENV", "XDG_")
FOREIGN = frozenset(("UV_CACHE_DIR", "PIP_CACHE_DIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"))


@dataclass
class FirstChampion:
    """What came of it.

    Parameters
    ----------
    commit : str
        What was cloned.
    parts : dict of str to float
        Seconds by part, in order.
    seconds : float or None
        From the start of the clone to the champion; None if there was none.
    last_lines : list of str
        The end of the output, to explain a failure.
    """

    commit: str
    parts: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    last_lines: list[str] = field(default_factory=list)


def time_to_first_champion(
    folder: Path, airflow_port: int, mlflow_port: int, say: Callable[[str], None]
) -> FirstChampion:
    """Clone the repository's last commit, run ``make demo`` and wait for the first champion.

    Parameters
    ----------
    folder : Path
        A new folder for the clone and the empty HOME.
    airflow_port, mlflow_port : int
        Where the demo's stack listens.
    say : callable
        Called with each part that has ended.

    Returns
    -------
    FirstChampion
        With empty HOME and empty caches; only the configuration of the machine itself is kept.
    """
    home, clone = folder / "home", folder / "clone"
    home.mkdir(parents=True)
    env = _environment(home) | {
        "MLOPS_AIRFLOW_PORT": str(airflow_port),
        "MLOPS_MLFLOW_PORT": str(mlflow_port),
    }
    started = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, env=env)
    found = FirstChampion(commit(clone))
    last = started
    with _demo(clone, env) as lines:
        for line in lines:
            found.last_lines = [*found.last_lines, line.rstrip()][-N_LAST_LINES:]
            text = next((text for text in MILESTONES if text in line), None)
            if text is None or MILESTONES[text] in found.parts:
                continue
            now = time.monotonic()
            found.parts[MILESTONES[text]], last = now - last, now
            say(f"{MILESTONES[text]}: {found.parts[MILESTONES[text]]:.1f} s")
            if text == LAST:
                found.seconds = now - started
                break
    return found


@contextlib.contextmanager
def _demo(clone: Path, env: dict[str, str]) -> Iterator[Iterator[str]]:
    process = subprocess.Popen(
        ["make", "demo", "EXIT=1"],
        cwd=clone,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    limit = threading.Timer(TIMEOUT_S, _stop, [process])
    limit.start()
    try:
        yield iter(process.stdout or ())
    finally:
        limit.cancel()
        _stop(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_S)
        subprocess.run(["make", "down"], cwd=clone, env=env, check=False, capture_output=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _stop(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _environment(home: Path) -> dict[str, str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN and not name.startswith(FOREIGN_PREFIXES)
    }
    here = Path(sys.executable).parent
    folders = [f for f in env.get("PATH", os.defpath).split(os.pathsep) if Path(f) != here]
    return env | {"HOME": str(home), "PATH": os.pathsep.join(folders), "PYTHONUNBUFFERED": "1"}
