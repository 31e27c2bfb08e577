"""Start the scheduler's fork server early, so that the first task finds it warm."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver

from airflow.listeners import hookimpl


@hookimpl
def on_starting(component: object) -> None:
    """Import the heavy libraries in the background while the scheduler starts.

    Parameters
    ----------
    component : object
        The starting component; this only acts in the scheduler with ``mp_start_method=forkserver``.
    """
    # Tasks are forked from the scheduler's fork server and still carry its arguments.
    if sys.argv[1:2] != ["scheduler"] or multiprocessing.parent_process() is not None:
        return
    if multiprocessing.get_start_method(allow_none=True) == "forkserver":
        forkserver.ensure_running()
