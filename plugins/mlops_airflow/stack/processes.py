"""Find and end the processes of a stack: by recorded pid and session, never by name.

Every component leads a session of its own. Airflow's tasks leave the process group of their
scheduler but not its session, and shells started by tasks may leave the session but stay children:
a component is therefore its session and everything below it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "ProcessId",
    "adopt_orphans",
    "descendants",
    "end_processes",
    "is_alive",
    "reap_orphans",
    "session_processes",
]

_PR_SET_CHILD_SUBREAPER = 36
#: Clock steps move the creation times psutil reports by less than this, in seconds.
_SAME_TIME_S = 2.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """Name one process for good: a pid alone may be given to another process later.

    Parameters
    ----------
    pid : int
        Process id, also the id of the session the process leads.
    create_time : float
        Start of the process in seconds since the epoch.
    """

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Name the process that has this pid now.

        Parameters
        ----------
        pid : int
            Process id of a living process.

        Returns
        -------
        ProcessId
            The pid with the start of the process; 0.0 where it has ended already.
        """
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return cls(pid, 0.0)


def is_alive(process: ProcessId) -> bool:
    """Return whether exactly this process still runs.

    Parameters
    ----------
    process : ProcessId
        The process as recorded.

    Returns
    -------
    bool
        False also where its pid belongs to another process now, or only waits to be reaped.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        now = psutil.Process(process.pid)
        if now.status() != psutil.STATUS_ZOMBIE:
            return abs(now.create_time() - process.create_time) < _SAME_TIME_S
    return False


def session_processes(leaders: Iterable[ProcessId]) -> list[psutil.Process]:
    """List the living processes of some sessions, and everything below them.

    Parameters
    ----------
    leaders : iterable of ProcessId
        Session leaders as recorded when they were started; they may have ended since.

    Returns
    -------
    list of psutil.Process
        Members of the sessions and their descendants, without the calling process.

    Notes
    -----
    The system does not reuse a pid as long as it names a session with members, so a session whose
    leader is gone is still the recorded one. A leader with another start is another process.
    """
    wanted = {leader.pid for leader in leaders if not _taken_by_another(leader)}
    if not wanted:
        return []
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in wanted:
                members.append(process)
    return _living(members + [p for m in members for p in descendants(m)])


def descendants(process: psutil.Process | None = None) -> list[psutil.Process]:
    """List everything below a process.

    Parameters
    ----------
    process : psutil.Process, optional
        Its root, not listed itself; the calling process by default.

    Returns
    -------
    list of psutil.Process
        Children of any depth.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        return (process or psutil.Process()).children(recursive=True)
    return []


def end_processes(processes: Iterable[psutil.Process], *, grace_s: float = 5.0) -> int:
    """End processes: SIGTERM first, SIGKILL for those left after the grace.

    Parameters
    ----------
    processes : iterable of psutil.Process
        Processes to end.
    grace_s : float, default 5.0
        Seconds between the two signals.

    Returns
    -------
    int
        Number of processes that are still there; normally 0.
    """
    left = _living(processes)
    for sign, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        for process in left:
            # psutil compares the start of the process before it sends anything.
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(sign)
        deadline = time.monotonic() + wait_s
        while (left := _living(left)) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(left)


def adopt_orphans() -> bool:
    """Make the calling process the new parent of orphans below it, where Linux offers that.

    Returns
    -------
    bool
        Whether the system agreed; without it orphans are found by their session only.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def reap_orphans(own: Collection[int]) -> None:
    """Collect adopted processes that have ended; they come from other sessions than this one.

    Parameters
    ----------
    own : collection of int
        Children that lead other sessions, too, whose starter needs their exit code.

    Notes
    -----
    A process that nobody collects keeps its pid: months of tasks would use them up.
    """
    if not sys.platform.startswith("linux"):
        return  # there are no adopted ones
    with contextlib.suppress(ChildProcessError):
        look, here = os.WEXITED | os.WNOHANG | os.WNOWAIT, os.getsid(0)
        while found := os.waitid(os.P_ALL, 0, look):
            if found.si_pid in own or os.getsid(found.si_pid) == here:
                return  # its starter collects it; the others have their turn next time
            os.waitpid(found.si_pid, 0)


def _taken_by_another(leader: ProcessId) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return abs(psutil.Process(leader.pid).create_time() - leader.create_time) >= _SAME_TIME_S
    return False


def _living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process
    found.pop(os.getpid(), None)
    return list(found.values())
