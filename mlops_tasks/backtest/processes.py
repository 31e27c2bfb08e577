"""Processes side by side, each on one thread."""

from __future__ import annotations

import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_tasks.workers import THREADS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["pool_of"]

# Their threads would only wait for each other.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", THREADS_VARIABLE)


@contextmanager
def pool_of(
    n_processes: int, begin: Callable[..., None] | None = None, *about: Any
) -> Iterator[ProcessPoolExecutor]:
    """Start processes that work one after another on what they are given.

    Parameters
    ----------
    n_processes : int
        How many.
    begin : callable, optional
        Called in each of them first.
    *about
        What it is called with.

    Yields
    ------
    ProcessPoolExecutor
        What has not begun when the block ends is left out.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # read when a process begins
    pool = ProcessPoolExecutor(
        n_processes,
        # A fork would share the threads and locks of Arrow and OpenMP.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(begin, about),
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _begin(begin: Callable[..., None] | None, about: tuple[Any, ...]) -> None:
    logging.disable(logging.WARNING)
    if begin is not None:
        begin(*about)
