"""Writers that tests start in processes of their own, to be killed."""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_tasks.faults import FAULT_VARIABLE
from mlops_tasks.lake import Lake, optimize, overwrite_partition, vacuum

if TYPE_CHECKING:
    from pathlib import Path

TABLE, DAY = "orders", "2013-02-01"
DAYS = ("2013-02-01", "2013-02-02", "2013-02-03")
N_ROWS = 2_000


def content(generation: int, n_rows: int = N_ROWS) -> pa.Table:
    """Return rows that all carry one generation: a mixture of two is seen at once."""
    ids = pa.array(range(n_rows), pa.int64())
    return pa.table({"id": ids, "generation": pa.array([generation] * n_rows, pa.int64())})


def overwrite(root: Path, generation: int, fault: str = "", day: str = DAY) -> None:
    """Overwrite one partition, with a fault somewhere on the way."""
    os.environ[FAULT_VARIABLE] = fault
    # The machine's own clock counts up in all its processes alike, whatever the time is.
    overwrite_partition(
        Lake(root).table(TABLE), day, content(generation), token=time.monotonic_ns()
    )


def overwrite_for_ever(root: Path, seed: int, diary: Path) -> None:
    """Overwrite three partitions in turn until killed; the diary tells what was begun."""
    generation = seed
    while True:
        day = DAYS[generation % len(DAYS)]
        with diary.open("a") as file:
            file.write(f"{day} {generation}\n")
        overwrite(root, generation, day=day)
        generation += 1


def overwrite_on_a_small_disk(root: Path, generation: int, limit: int) -> None:
    """Overwrite one partition where no file may be longer than a number of bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    overwrite(root, generation)


def optimize_with(root: Path, fault: str) -> None:
    """Gather the commit records, with a fault on the way."""
    os.environ[FAULT_VARIABLE] = fault
    optimize(Lake(root).table(TABLE), grace_s=0)


def vacuum_with(root: Path, fault: str) -> None:
    """Remove old versions, with a fault on the way."""
    os.environ[FAULT_VARIABLE] = fault
    vacuum(Lake(root).table(TABLE), keep_days=-1, grace_s=0)


def pin_with(root: Path, fault: str) -> None:
    """Make a pin, with a fault on the way."""
    os.environ[FAULT_VARIABLE] = fault
    Lake(root).table(TABLE).pin(first=DAY, last=DAY)
