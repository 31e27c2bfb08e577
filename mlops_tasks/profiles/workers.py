"""Threads for work that releases the interpreter lock, never more than allowed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Self

__all__ = ["THREADS_VARIABLE", "Workers", "n_threads"]

#: Limits the threads; never more than the processors this process may use.
THREADS_VARIABLE = "MLOPS_THREADS"


def n_threads() -> int:
    """Return how many threads may work: the processors allowed, or ``MLOPS_THREADS`` if fewer.

    Raises
    ------
    ValueError
        If the variable is not a whole number of at least 1.
    """
    getaffinity = getattr(os, "sched_getaffinity", None)  # Linux only
    allowed = len(getaffinity(0)) if getaffinity else os.cpu_count() or 1
    wanted = os.environ.get(THREADS_VARIABLE, str(allowed))
    if not wanted.isdecimal() or not int(wanted):
        raise ValueError(f"{THREADS_VARIABLE}={wanted!r}: set a whole number from 1, or unset it")
    return min(int(wanted), allowed)


class Workers:
    """Run work on `n_threads` threads, or at once in the caller's when one is allowed."""

    def __init__(self) -> None:
        threads = n_threads()
        self._pool = ThreadPoolExecutor(threads, "profile") if threads > 1 else None
        self._running: list[Future[None]] = []

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Start one piece of work; `wait` raises what it raises.

        Parameters
        ----------
        work : callable
            Called with the arguments.
        *arguments : Any
            Its arguments.
        """
        if self._pool is None:
            work(*arguments)
        else:
            self._running.append(self._pool.submit(work, *arguments))

    def wait(self) -> None:
        """Wait until all work has ended."""
        running, self._running = self._running, []
        for one in running:
            one.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until all work has ended, and end the threads."""
        try:
            self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
