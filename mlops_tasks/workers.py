"""Threads for work that releases the interpreter lock, never more than allowed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Self

__all__ = ["THREADS_VARIABLE", "Workers", "n_threads", "side_by_side"]

Part = TypeVar("Part")
Found = TypeVar("Found")

#: Limits the threads; never more than the processors this process may use.
THREADS_VARIABLE = "MLOPS_THREADS"
# Below it the work is a matter of milliseconds, most of them under the interpreter lock.
_MANY_VALUES = 2_000_000


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


def side_by_side(
    work: Callable[[Part], Found], parts: Sequence[Part], *, n_values: int
) -> list[Found]:
    """Do the same with every part, on `n_threads` threads where that pays.

    Parameters
    ----------
    work : callable
        Called with each part.
    parts : sequence
        Of about the same size each.
    n_values : int
        Values of all parts: of few, threads would only wait for each other.

    Returns
    -------
    list
        What the work returned, in the order of the parts.

    Examples
    --------
    >>> side_by_side(len, ["a", "bcd"], n_values=4)
    [1, 3]
    """
    threads = min(n_threads(), len(parts))
    if threads < 2 or n_values < _MANY_VALUES:
        return [work(part) for part in parts]
    shares = [parts[i::threads] for i in range(threads)]
    with ThreadPoolExecutor(threads, "mlops") as pool:
        done = list(pool.map(lambda share: [work(part) for part in share], shares))
    return [done[i % threads][i // threads] for i in range(len(parts))]


class Workers:
    """Run work on `n_threads` threads, or at once in the caller's when one is allowed."""

    def __init__(self) -> None:
        threads = n_threads()
        self._pool = ThreadPoolExecutor(threads, "mlops") if threads > 1 else None
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
