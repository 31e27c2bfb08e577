"""Killed at any place and run again: the same tables, every row in one of them, and a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.faults import FAULT_VARIABLE
from mlops_tasks.ingestion import raw_table
from mlops_tasks.lake import Lake
from mlops_tasks.types import PartitionVersion
from mlops_tasks.validation import quarantine_table, validate
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from mlops_tasks.spec import DatasetSpec
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

ROOT = Path(__file__).resolve().parents[3]
DAY = day(0)
PLACES = (
    "quarantine:before",
    "publish:before_write",  # that of the quarantine, which is written first
    "publish:mid_write",
    "publish:before_commit",
    "publish:after_commit",
    "quarantine:after",
    "validate:after_publish",
    "report:before_write",
)
SCRIPT = """
import json, sys
from pathlib import Path
from mlops_tasks.lake import Lake
from mlops_tasks.types import PartitionVersion
from mlops_tasks.validation import validate
from tests.unit.orders import orders_dataset
folder = Path(sys.argv[1])
spec = orders_dataset(folder, max_quarantined_share=0.2, validate_chunk_rows=16)
raw = PartitionVersion(**json.loads(sys.argv[2]))
validate(spec, raw, lake=Lake(folder / "lake"), token=int(sys.argv[3]))
"""


def state(lake: Lake, spec: DatasetSpec) -> list[list[tuple[object, ...]]]:
    """Return the rows of both tables, in an order of their own."""
    return [
        sorted(tuple(map(str, row.values())) for row in _rows(lake, table))
        for table in (spec.name, quarantine_table(spec))
    ]


def _rows(lake: Lake, table: str) -> list[dict[str, object]]:
    return lake.read(table, first=DAY, last=DAY).to_pylist() if lake.exists(table) else []


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_killed_and_run_again(
    place: str, night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path, max_quarantined_share=0.2, validate_chunk_rows=16)
    old = orders(items={0: 50, 9: None})
    night(spec, 0, old)
    before = state(lake, spec)
    raw = night.raw(spec, 0, orders(items={1: 60, 7: None, 30: None}))
    said = json.dumps({name: getattr(raw, name) for name in PartitionVersion.__slots__})
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), said, "50"],
        env={
            **os.environ,
            FAULT_VARIABLE: f"{place}:kill",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    published, _ = state(lake, spec)
    assert published in (before[0], _expected(old, orders)[0])
    result = validate(spec, raw, lake=lake, token=51)
    assert (lake.root / result.report).is_file()
    assert state(lake, spec) == _expected(old, orders)
    assert len(state(lake, spec)[0]) + len(state(lake, spec)[1]) == result.n_rows_in == 80
    assert not list(lake.root.rglob("*.tmp"))


def _expected(old: pa.Table, orders: Orders) -> list[list[tuple[object, ...]]]:
    rows = orders(items={1: 60, 7: None, 30: None}).to_pylist()
    texts = [tuple(map(str, row.values())) for row in rows]
    good = sorted(text for text, row in zip(texts, rows, strict=True) if row["items"] is not None)
    bad = [
        (*text, "null:items") for text, row in zip(texts, rows, strict=True) if row["items"] is None
    ]
    return [good, sorted(bad)]


@pytest.mark.parametrize("place", ["quarantine:before", "report:before_write"])
def test_a_full_disk_is_an_error_and_the_next_run_mends_it(
    place: str,
    night: Nights,
    lake: Lake,
    tmp_path: Path,
    orders: Orders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = orders_dataset(tmp_path, max_quarantined_share=0.2)
    raw = night.raw(spec, 0, orders(items={0: None}))
    monkeypatch.setenv(FAULT_VARIABLE, f"{place}:enospc")
    with pytest.raises(OSError, match="no space left"):
        validate(spec, raw, lake=lake, token=50)
    monkeypatch.delenv(FAULT_VARIABLE)
    result = validate(spec, raw, lake=lake, token=51)
    assert (result.published.n_rows, result.n_quarantined) == (79, 1)
    assert raw_table(spec) in lake.tables()
