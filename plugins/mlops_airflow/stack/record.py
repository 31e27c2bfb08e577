"""The files that say which stack runs: a lock, and the processes by name."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import psutil

from mlops_airflow.stack.credentials import write_private
from mlops_airflow.stack.exceptions import StackRunningError
from mlops_airflow.stack.processes import ProcessId, is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

__all__ = ["ComponentRecord", "StackRecord", "State", "is_locked", "locked", "read_record"]

#: ``unknown`` is a component that cannot be asked, because what knows about it does not answer.
State = Literal["starting", "healthy", "unhealthy", "unknown", "restarting", "ending", "ended"]

#: The start of the machine is worked out from its clock, which may be set; in seconds.
_CLOCK_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class ComponentRecord:
    """Say how one component is.

    Parameters
    ----------
    process : ProcessId or None
        Its process, leader of its session; the last one while it waits for its restart.
    state : str
        One of `State`.
    since : float
        When the state was entered, in seconds since the epoch.
    detail : str
        What is wrong, or what comes next; empty for a healthy component.
    restarts : int
        How often it was started again since the stack was started.
    last_exit : int or None
        Exit code of its last end, negative for a signal; None if it never ended.
    """

    process: ProcessId | None = None
    state: State = "starting"
    since: float = 0.0
    detail: str = ""
    restarts: int = 0
    last_exit: int | None = None


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
    components : dict of str to ComponentRecord
        Components by name.
    left_over : tuple of ProcessId
        Leaders of earlier sessions in which tasks still run.
    ending : bool
        Whether the stack is being ended.
    failure : tuple of (str, str) or None
        Component that ended the stack, and the reason; None for an end that was asked for.
    """

    runner: ProcessId
    started_at: float
    airflow_url: str
    mlflow_url: str
    profile: str = "fast"
    boot_time: float = field(default_factory=psutil.boot_time)
    components: dict[str, ComponentRecord] = field(default_factory=dict)
    left_over: tuple[ProcessId, ...] = ()
    ending: bool = False
    failure: tuple[str, str] | None = None

    def leaders(self) -> list[ProcessId]:
        """Return every recorded session leader, the runner last.

        Returns
        -------
        list of ProcessId
            Components, what earlier ones left, then the runner.
        """
        processes = [component.process for component in self.components.values()]
        return [*(p for p in processes if p is not None), *self.left_over, self.runner]

    def is_running(self) -> bool:
        """Return whether the process runner lives.

        Returns
        -------
        bool
            False for a record left behind by a killed runner.
        """
        return is_alive(self.runner)

    def is_of_another_boot(self) -> bool:
        """Return whether the machine was started again since.

        Returns
        -------
        bool
            True if no recorded pid can be a process of this stack any more.
        """
        return abs(psutil.boot_time() - self.boot_time) > _CLOCK_STEP_S

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
        raw["components"] = {name: _component(c) for name, c in raw["components"].items()}
        raw["left_over"] = tuple(ProcessId(**leader) for leader in raw["left_over"])
        raw["failure"] = tuple(raw["failure"]) if raw["failure"] else None
        return StackRecord(**raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _component(raw: dict[str, Any]) -> ComponentRecord:
    process = ProcessId(**raw["process"]) if raw["process"] else None
    return ComponentRecord(**raw | {"process": process})


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


def is_locked(settings: StackSettings) -> bool:
    """Return whether a stack runs in a home, or is being prepared or ended.

    Parameters
    ----------
    settings : StackSettings
        The stack whose home is looked at.

    Returns
    -------
    bool
        False also where there is no home yet.
    """
    if not settings.lock_file.exists():
        return False
    try:
        with locked(settings):
            return False
    except StackRunningError:
        return True


def _who(settings: StackSettings) -> str:
    record = read_record(settings.record_file)
    who = "is running or being started"
    if record is not None and record.is_running():
        who = f"is running at {record.airflow_url} (process {record.runner.pid})"
    return (
        f"A stack in {settings.home} {who}. Use that one, end it with `mlops down`, "
        "or set MLOPS_HOME to start another"
    )
