"""Named places where a test may kill, delay or fail a step, as a real machine would."""

from __future__ import annotations

import errno
import os
import signal
import time

__all__ = ["FAULT_VARIABLE", "InjectedFaultError", "fault_point"]

FAULT_VARIABLE = "MLOPS_FAULT"


class InjectedFaultError(RuntimeError):
    """The fault that a test asked for."""


def fault_point(name: str) -> None:
    """Do what the environment asks for at this place; nothing unless ``MLOPS_FAULT`` names it.

    Parameters
    ----------
    name : str
        Place, ``<step>:<where>``. ``MLOPS_FAULT="<place>:<action>"`` acts there; the action is
        ``kill`` (SIGKILL to this process), ``raise``, ``enospc`` (disk full) or
        ``sleep=<seconds>``.

    Raises
    ------
    InjectedFaultError
        For ``raise``.
    OSError
        For ``enospc``.
    ValueError
        If the action is unknown.

    Examples
    --------
    >>> fault_point("publish:before_commit")
    """
    wanted = os.environ.get(FAULT_VARIABLE, "")
    place, _, action = wanted.rpartition(":")
    if place != name:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "raise":
        raise InjectedFaultError(f"fault at {name}, as {FAULT_VARIABLE} asks")
    elif action == "enospc":
        raise OSError(errno.ENOSPC, f"no space left on device (fault at {name})")
    elif action.startswith("sleep="):
        time.sleep(float(action.removeprefix("sleep=")))
    else:
        raise ValueError(f"{FAULT_VARIABLE}={wanted!r}: unknown action {action!r}")
