"""Writers that tests start in processes of their own, to be killed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_tasks.faults import FAULT_VARIABLE
from mlops_tasks.lake import Lake, optimize
from mlops_tasks.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

TABLE, DAY = "orders", "2013-02-01"
N_ROWS = 2_000


def content(generation: int, n_rows: int = N_ROWS) -> pa.Table:
    """Return rows that all carry one generation: a mixture of two is seen at once."""
    ids = pa.array(range(n_rows), pa.int64())
    return pa.table({"id": ids, "generation": pa.array([generation] * n_rows, pa.int64())})


def overwrite(root: Path, generation: int, fault: str = "", day: str = DAY) -> None:
    """Overwrite one partition, with a fault somewhere on the way."""
    os.environ[FAULT_VARIABLE] = fault
    token = Ledger(f"sqlite:///{root}/ledger.db").next_token()
    Lake(root).overwrite_partition(TABLE, day, content(generation), token=token)


def overwrite_for_ever(root: Path, seed: int) -> None:
    """Overwrite three partitions in turn until killed."""
    generation = seed
    while True:
        overwrite(root, generation, day=f"2013-02-{1 + generation % 3:02d}")
        generation += 1


def optimize_with(root: Path, fault: str) -> None:
    """Gather the commit records, with a fault on the way."""
    os.environ[FAULT_VARIABLE] = fault
    optimize(Lake(root), TABLE)
