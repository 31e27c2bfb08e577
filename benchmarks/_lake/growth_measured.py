"""Nights written to a lake, and a look at what lies there; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Loaded before the clock starts, as in the tasks' fork server. The specs are, too: the first class
# of pydantic's in a process reads the metadata of all installed packages, 20 ms.
import deltalake
import pyarrow as pa
import pyarrow.dataset

from benchmarks._lake.fresh import clocked
from mlops_tasks import specs
from mlops_tasks.lake import Lake, overwrite_partition, vacuum

if TYPE_CHECKING:
    from collections.abc import Callable

PRELOADED = (deltalake, pyarrow.dataset, specs)
TABLES = ("orders__raw", "orders", "orders__quarantine", "late_orders__predictions")
LOOKED_AT = "orders"
_N_ROWS, _N_COLUMNS, _REFRESH_AFTER = 100, 20, 7


def day(number: int) -> str:
    """Return the partition key of a night."""
    return (date(2024, 1, 1) + timedelta(days=number)).isoformat()


def rows(number: int) -> pa.Table:
    """Return a few rows of 20 columns."""
    values = [number * _N_ROWS + row for row in range(_N_ROWS)]
    return pa.table({f"column_{place}": values for place in range(_N_COLUMNS)})


def run_write(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    for night in range(arguments["first"], arguments["last"]):
        for table in TABLES:
            for number in (night, night - _REFRESH_AFTER):
                if number >= 0:
                    overwrite_partition(
                        lake.table(table),
                        day(number),
                        rows(night),
                        token=night + 1,
                        known_at=day(night),
                    )
        _age_by_a_day(lake)
    return {}


def _age_by_a_day(lake: Lake) -> None:
    """Turn the times of the small files back: the next night is a day later."""
    for folder in (*lake.root.glob("*/_delta_log"), *lake.root.glob("_commits/*")):
        for path in folder.iterdir():
            then = path.stat().st_mtime - 86_400
            os.utime(path, (then, then))


def run_look(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    commits = lake.table(LOOKED_AT).all_commits()
    opened = time.monotonic()
    newest = commits[-1].partition
    lake.table(LOOKED_AT).read(first=newest, last=newest)
    read = time.monotonic()
    facts = _sizes(lake)
    pins = [
        lake.table(LOOKED_AT).pin(first=day(0), last=day(night), known_at=day(night))
        for night in range(0, len(lake.table(LOOKED_AT).partitions()), 10)
    ]
    swept = vacuum(
        lake.table(LOOKED_AT), pins={"one in every ten nights": pins}, dry_run=True, grace_s=0
    )
    copy = Lake(lake.root.with_name("copy"))  # the commit shall not count as a night
    shutil.copytree(lake.root, copy.root)
    committing = time.monotonic()
    overwrite_partition(copy.table(LOOKED_AT), newest, rows(0), token=10**6, known_at=newest)
    committed = time.monotonic()
    shutil.rmtree(copy.root)
    return facts | {
        "open_ms": (opened - started) * 1e3,
        "read_ms": (read - opened) * 1e3,
        "commit_ms": (committed - committing) * 1e3,
        "vacuumed": facts["data_files"] - len(swept.removed),
    }


def _sizes(lake: Lake) -> dict[str, int]:
    log = list((lake.table(LOOKED_AT).folder / "_delta_log").iterdir())
    records = list(lake.table(LOOKED_AT).log.folder.iterdir())
    return {
        "log_files": len(log) + len(records),
        "log_bytes": sum(path.stat().st_size for path in log),
        "record_bytes": sum(path.stat().st_size for path in records),
        "data_files": len(list(lake.table(LOOKED_AT).folder.glob("partition_key=*/*"))),
    }


def main() -> None:
    """Do as the standard input says."""
    arguments = json.load(sys.stdin)
    run: Callable[..., dict[str, Any]] = globals()[f"run_{arguments['what']}"]
    with clocked() as facts:
        facts.update(run(Lake(Path(arguments["root"])), arguments))


if __name__ == "__main__":
    main()
