"""How long a prediction takes: one row alone, and many at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

__all__ = ["Latency", "measure_latency"]

_ROUNDS, _WARM_UP, _BATCHES = 5, 3, 3
_MOST_CALLS, _MOST_S = 300, 1.0
# Below it a 99th percentile is only the slowest call.
_FEWEST_CALLS = 50
_BATCH = 1000
# Nanoseconds that this thread was ready to run and did not; Linux only.
_SCHEDULED = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds that a model needs for a prediction, features given.

    Attributes
    ----------
    n_calls : int
        Calls with one row each.
    p50_ms, p99_ms : float
        Of one row, without the time in which the machine had something else to do.
    wall_p99_ms : float
        The same as the clock on the wall had it.
    least_p99_ms : float
        The 99th percentile of the calmest fifth of the calls.
    batch_rows : int
        Rows of one batch.
    batch_ms : float
        Milliseconds for them, the median of some batches.
    """

    n_calls: int
    p50_ms: float
    p99_ms: float
    wall_p99_ms: float
    least_p99_ms: float
    batch_rows: int
    batch_ms: float

    def answer(self, budget_ms: float) -> str:
        """Return whether one row keeps to a budget: ``fine``, ``alarm`` or ``cannot tell``.

        Too slow is only what is too slow in its calmest moments; a busy machine decides nothing.

        Examples
        --------
        >>> busy = Latency(100, 5.0, 140.0, 300.0, 9.0, 1000, 20.0)
        >>> busy.answer(200), busy.answer(100), busy.answer(8)
        ('fine', 'cannot tell', 'alarm')
        """
        if self.p99_ms <= budget_ms:
            return "fine"
        return "alarm" if self.least_p99_ms > budget_ms else "cannot tell"


def measure_latency(
    score: Callable[[pa.Table], Any], rows: pa.Table, *, most_s: float = _MOST_S
) -> Latency:
    """Measure how long a model takes for one row, and for a batch, on one thread.

    Parameters
    ----------
    score : callable
        Makes predictions of rows.
    rows : Table
        Some rows, at least one; each is asked alone in turn.
    most_s : float, default 1.0
        After this time no further call is begun, but for the fewest that a percentile needs.

    Returns
    -------
    Latency
        Calls are made in five rounds, which a busy machine spoils one by one.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    batch = _batch(rows)
    # Threads that wait for each other on a busy machine spin, which looks like work.
    with threadpool_limits(1):
        taken, needed = _one_by_one(score, rows, most_s)
        batches = [_timed(score, batch)[0] for _ in range(_BATCHES)]
    rounds = np.array_split(np.array(needed), _ROUNDS)
    return Latency(
        n_calls=len(taken),
        p50_ms=round(float(np.percentile(needed, 50)), 3),
        p99_ms=round(float(np.percentile(needed, 99)), 3),
        wall_p99_ms=round(float(np.percentile(taken, 99)), 3),
        least_p99_ms=round(min(float(np.percentile(one, 99)) for one in rounds), 3),
        batch_rows=batch.num_rows,
        batch_ms=round(float(np.median(batches)), 3),
    )


def _one_by_one(
    score: Callable[[pa.Table], Any], rows: pa.Table, most_s: float
) -> tuple[list[float], list[float]]:
    """Return milliseconds of each call with one row: until the answer, and at work."""
    singles = [rows.slice(number, 1) for number in range(min(rows.num_rows, 100))]
    for number in range(_WARM_UP):
        score(singles[number % len(singles)])
    taken: list[float] = []
    needed: list[float] = []
    started = time.perf_counter()
    while len(taken) < _MOST_CALLS:
        if len(taken) >= _FEWEST_CALLS and time.perf_counter() - started > most_s:
            break
        wall_ms, own_ms = _timed(score, singles[len(taken) % len(singles)])
        taken.append(wall_ms)
        needed.append(own_ms)
    return taken, needed


def _timed(score: Callable[[pa.Table], Any], rows: pa.Table) -> tuple[float, float]:
    """Return milliseconds until the answer, and how many of them the model worked.

    Features are given and nothing is read, so that it works, or waits for the machine: what the
    thread waited for its turn does not count, nor what no thread of the process spent.
    """
    waited_ns, worked_ns, started = _waited_ns(), time.process_time_ns(), time.perf_counter()
    score(rows)
    wall_ms = (time.perf_counter() - started) * 1e3
    worked_ms = (time.process_time_ns() - worked_ns) / 1e6
    return wall_ms, min(max(wall_ms - (_waited_ns() - waited_ns) / 1e6, 0.0), worked_ms)


def _waited_ns() -> int:
    try:
        return int(_SCHEDULED.read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _batch(rows: pa.Table) -> pa.Table:
    import numpy as np

    return rows.take(np.arange(_BATCH) % rows.num_rows)
