"""End a stack: from inside, from another process, or after its runner was killed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from mlops_airflow.stack.processes import end_processes, session_processes
from mlops_airflow.stack.record import read_record

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["STOP_S", "end_stack"]

#: Longest orderly end of the runner, in seconds; afterwards its processes are ended one by one.
STOP_S = 25.0


def end_stack(settings: StackSettings) -> tuple[int, int]:
    """End whatever runs in a home, also what a killed runner left behind.

    Parameters
    ----------
    settings : StackSettings
        The stack; only its home matters.

    Returns
    -------
    tuple of (int, int)
        Processes that ran, and those that could not be ended; normally the second is 0.
    """
    record = read_record(settings.record_file)
    if record is None or record.is_of_another_boot():
        return 0, 0
    found = session_processes(record.leaders())
    if record.is_running():
        _end_runner(record.runner.pid, found)
    left = end_processes(session_processes(record.leaders()))
    if not left:
        settings.record_file.unlink(missing_ok=True)
    return len(found), left


def _end_runner(pid: int, processes: list[psutil.Process]) -> None:
    for process in processes:
        if process.pid == pid:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                process.terminate()
                process.wait(STOP_S)
