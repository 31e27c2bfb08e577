"""Memory of a stack: the proportional share (PSS) of all its processes, added up."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mlops_airflow.stack.processes import session_processes
from mlops_airflow.stack.record import read_record

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["MemorySampler"]

#: Reading the page tables of twenty processes takes some tens of milliseconds.
INTERVAL_S = 1.0


class MemorySampler:
    """Sample a stack's memory in a thread for the length of a ``with`` block.

    A page that several processes share counts once in the sum: resident set sizes added up would
    count the forked workers' common libraries many times.

    Parameters
    ----------
    settings : StackSettings
        A running stack; the processes of its components' sessions and their descendants count.
    """

    def __init__(self, settings: StackSettings) -> None:
        record = read_record(settings.record_file)
        self._leaders = record.leaders() if record else []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_gb: float = 0.0
        self.peak_processes: int = 0

    def __enter__(self) -> Self:
        """Start to sample."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Take the last sample and stop."""
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            processes = session_processes(self._leaders)
            total_gb = sum(_pss_bytes(process.pid) for process in processes) / 1e9
            if total_gb > self.peak_gb:
                self.peak_gb, self.peak_processes = total_gb, len(processes)
            if self._end.wait(INTERVAL_S):
                return


def _pss_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
