"""What a scheduler leaves when it dies: workers that wait for ever, and tasks that still run.

A task does not need its scheduler: its worker asks the api-server and brings the task to its end.
So a session in which a task runs is left alone until none does. If the task takes long, Airflow
gives it to the next scheduler as a new attempt and tells the old one to stop; should both write for
a moment, the attempt token of the lake lets only the newer one commit.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from mlops_airflow.stack.processes import session_processes

if TYPE_CHECKING:
    from mlops_airflow.stack.processes import ProcessId

__all__ = ["runs_task"]

#: How Airflow names the processes of its LocalExecutor, and an idle one of them.
_WORKER, _IDLE = "airflow worker -- ", "<idle>"


def runs_task(leader: ProcessId) -> bool:
    """Return whether a task still runs in the session of a scheduler.

    Parameters
    ----------
    leader : ProcessId
        The scheduler; it may have ended.

    Returns
    -------
    bool
        False where that cannot be seen, as on macOS: Airflow names no processes there.
    """
    for process in session_processes([leader]):
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline()).rstrip()
            if title.startswith(_WORKER) and not title.endswith(_IDLE):
                return True
    return False
