"""Memory does not grow with the partition: every format and the validation, at two sizes.

The larger partition has 101 MB more of rows than the smaller one. Whoever held them, once, would
need as much more; half of it is the most that is let pass. Each measurement is a process of
its own, forked from one that has imported everything and used nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DAY = "2024-03-01"
PIECE_ROWS, TEXT = 5_000, 1_000
SMALL, LARGE = 8, 28  # pieces
MORE_MB = (LARGE - SMALL) * PIECE_ROWS * (8 + 4 + TEXT) / 1e6
MOST_MB = MORE_MB / 2
FORMATS = ("csv", "jsonl", "parquet", "delta", "validation")

#: Allocators that keep nothing for later: what is not held is given back.
PLAIN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}

SCRIPT = """
import json, os, sys
from pathlib import Path
import deltalake, great_expectations.expectations, jinja2
import pyarrow.compute, pyarrow.csv, pyarrow.dataset, pyarrow.json, pyarrow.parquet
import mlops_tasks.steps.validate
from mlops_tasks.lake import data_files
from mlops_tasks.profiles import profile
from mlops_tasks.sources import csv_files, jsonl_files, parquet_files
from tests.system.test_memory import ingested, validated
# Batches, row groups and blocks have a size: with smaller ones, small partitions have many.
data_files._ROW_GROUP_ROWS = profile._CHUNK_ROWS = parquet_files.BATCH_ROWS = 2_048
csv_files.BLOCK_BYTES = jsonl_files.BLOCK_BYTES = 2**17
for job in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        kind, folder = job
        n_rows = (validated if kind == "validation" else ingested)(kind, Path(folder))
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print("MEASURED", kind, n_rows, int(status["VmHWM"].split()[0]) * 1024 / 1e6, flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{job} failed")
"""


def pieces(n_pieces: int) -> Iterator[pa.Table]:
    """Make rows with an id each and a text that compresses little; the texts come again."""
    random = np.random.default_rng(0)
    texts = [random.bytes(TEXT // 2).hex() for _ in range(PIECE_ROWS)]
    for number in range(n_pieces):
        ids = np.arange(number * PIECE_ROWS, (number + 1) * PIECE_ROWS)
        yield pa.table({"id": ids, "day": [DAY] * PIECE_ROWS, "text": texts})


def write(kind: str, folder: Path, n_pieces: int) -> None:
    """Write a partition as others would: Parquet and Delta with all rows in one row group."""
    from mlops_tasks.lake import Lake, overwrite_partition

    folder.mkdir(parents=True)
    tables = pieces(n_pieces)
    if kind == "csv":
        first = next(tables)
        with csv.CSVWriter(folder / DAY, first.schema) as writer:
            for table in (first, *tables):
                writer.write_table(table)
    elif kind == "jsonl":
        with (folder / DAY).open("w") as file:
            for table in tables:
                file.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
    elif kind == "parquet":
        pq.write_table(pa.concat_tables(tables), folder / DAY, row_group_size=10**9)
    elif kind == "delta":
        deltalake.write_deltalake(folder / "orders", pa.concat_tables(tables))
    else:
        rows = pa.concat_tables(tables)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlops_tasks.lake.data_files._ROW_GROUP_ROWS", 2_048)
            overwrite_partition(Lake(folder / "lake").table("orders__raw"), DAY, rows, token=1)


def dataset(kind: str, folder: Path) -> Any:
    """Return the dataset; its suite has row-wise checks and one that finds a bad row."""
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.specs.source import DeltaSource, FileSource

    limits = {"column": "id", "min_value": 1}
    checks = [
        {"type": "expect_column_values_to_be_between", "kwargs": limits},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "text", "regex": "f"}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    ]
    suite = folder / "orders.json"
    suite.write_text(json.dumps({"name": "orders", "expectations": checks}))
    source: Any = DeltaSource(conn_id="landing", path="orders", time_column="day")
    if kind in ("csv", "jsonl", "parquet"):
        source = FileSource(conn_id="landing", path="{partition}", format=kind)
    return DatasetSpec(
        name="orders",
        description="Orders.",
        source=source,
        columns={"id": "int64", "day": "string", "text": "string"},
        key=("id",),
        expectations=suite,
        start=date.fromisoformat(DAY),
    )


def ingested(kind: str, folder: Path) -> int:
    from pyarrow import fs

    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import DeltaStore, FileStore
    from mlops_tasks.steps.ingest import ingest

    files = FileStore(fs.LocalFileSystem(), str(folder))
    store = DeltaStore(str(folder)) if kind == "delta" else files
    spec, lake = dataset(kind, folder), Lake(folder / "lake")
    return ingest(spec, DAY, source=store, lake=lake, token=1).raw.n_rows


def validated(kind: str, folder: Path) -> int:
    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.steps.validate import validate

    os.environ["MLOPS_VALIDATION_MEMORY"] = "8MB"
    lake = Lake(folder / "lake")
    (commit,) = lake.table("orders__raw").commits(first=DAY, last=DAY)
    raw = PartitionVersion("orders__raw", DAY, commit.version, commit.n_rows, commit.digest)
    result = validate(dataset(kind, folder), raw, lake=lake, token=2)
    assert result.n_chunks > 1
    assert result.n_quarantined == 1
    return result.n_rows_in


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Return the peaks of memory in MB, by kind: of the small partition and the large one."""
    folder, jobs = tmp_path_factory.mktemp("memory"), []
    for kind in FORMATS:
        for n_pieces in (SMALL, LARGE):
            place = folder / kind / str(n_pieces)
            write(kind, place, n_pieces)
            jobs.append((kind, str(place)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(jobs)],
        env={**os.environ, **PLAIN, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("MEASURED")]
    found: dict[str, list[float]] = {}
    for (_, kind, n_rows, peak), n_pieces in zip(lines, (SMALL, LARGE) * len(FORMATS), strict=True):
        assert int(n_rows) == n_pieces * PIECE_ROWS
        found.setdefault(kind, []).append(float(peak))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_memory_does_not_grow_with_the_partition(kind: str, peaks: dict[str, list[float]]) -> None:
    small, large = peaks[kind]
    assert MORE_MB > 100
    assert large - small < MOST_MB, f"{small:.0f} MB, then {large:.0f} MB"
