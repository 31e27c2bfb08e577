"""The files that say which stack runs: a lock, and the processes by name."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import psutil

from mlops_airflow.stack.credentials import write_private
from mlops_airflow.stack.exceptions import StackRunningError
from mlops_airflow.stack.processes import ProcessId, is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

__all__ = ["StackRecord", "locked", "read_record"]

#: The start of the machine is worked out from its clock, which may be set; in seconds.
_CLOCK_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class StackRecord:
    """Say what runs: the content of ``stack.json``.

    Parameters
    ----------
    runner : ProcessId
        The process runner, leader of its own session.
    started_at : float
        Seconds since the epoch.
    airflow_url, mlflow_url, profile : str
        How the stack was started.
    boot_time : float
        Start of the machine, in seconds since the epoch: pids begin anew with it.
    components : dict of str to ProcessId
        Components by name, each the leader of its session.
    first_stop : tuple of (str, int) or None
        Component that ended first, with its return code.
    """

    runner: ProcessId
    started_at: float
    airflow_url: str
    mlflow_url: str
    profile: str = "fast"
    boot_time: float = field(default_factory=psutil.boot_time)
    components: dict[str, ProcessId] = field(default_factory=dict)
    first_stop: tuple[str, int] | None = None

    def leaders(self) -> list[ProcessId]:
        """Return every recorded session leader, the runner last.

        Returns
        -------
        list of ProcessId
            Components, then the runner.
        """
        return [*self.components.values(), self.runner]

    def is_running(self) -> bool:
        """Tell whether the process runner lives.

        Returns
        -------
        bool
            False for a record left behind by a killed runner.
        """
        return is_alive(self.runner)

    def is_of_another_boot(self) -> bool:
        """Tell whether the machine was started again since.

        Returns
        -------
        bool
            True if no recorded pid can be a process of this stack any more.
        """
        return abs(psutil.boot_time() - self.boot_time) > _CLOCK_STEP_S

    def stopped(self, component: str, returncode: int) -> StackRecord:
        """Note the first component that ended.

        Parameters
        ----------
        component : str
            Its name.
        returncode : int
            Its return code; negative for a signal.

        Returns
        -------
        StackRecord
            A new record; this one if another component ended earlier.
        """
        return self if self.first_stop else replace(self, first_stop=(component, returncode))

    def write(self, path: Path) -> None:
        """Replace the record file.

        Parameters
        ----------
        path : Path
            The file, readable by the owner only.
        """
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")


def read_record(path: Path) -> StackRecord | None:
    """Read what was recorded last.

    Parameters
    ----------
    path : Path
        The record file.

    Returns
    -------
    StackRecord or None
        None where there is no record, or none that can be read.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw["runner"] = ProcessId(**raw["runner"])
        raw["components"] = {k: ProcessId(**v) for k, v in raw["components"].items()}
        raw["first_stop"] = tuple(raw["first_stop"]) if raw["first_stop"] else None
        return StackRecord(**raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


@contextlib.contextmanager
def locked(settings: StackSettings) -> Iterator[int]:
    """Hold the lock of a home; only one stack may run in it.

    Parameters
    ----------
    settings : StackSettings
        The stack whose home is locked.

    Yields
    ------
    int
        File descriptor of the lock. A process that inherits it keeps the lock.

    Raises
    ------
    StackRunningError
        If another process holds the lock.
    """
    descriptor = os.open(settings.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackRunningError(_who(settings)) from error
        yield descriptor
    finally:
        os.close(descriptor)


def _who(settings: StackSettings) -> str:
    record = read_record(settings.record_file)
    who = "is running or being started"
    if record is not None and record.is_running():
        who = f"is running at {record.airflow_url} (process {record.runner.pid})"
    return (
        f"A stack in {settings.home} {who}. Use that one, end it with `mlops down`, "
        "or set MLOPS_HOME to start another"
    )
