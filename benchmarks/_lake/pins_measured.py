"""One reading of the lake, by this project or plainly; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Loaded before the clock starts, as in the tasks' fork server.
import deltalake
import duckdb
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

from benchmarks._lake.fresh import clocked
from benchmarks._lake.pins_data import FEATURES_SQL, FIRST, LAST, fill, project
from mlops_tasks.features import feature_batches
from mlops_tasks.lake import Lake, Pin
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PRELOADED = (deltalake, duckdb, pyarrow.compute, pyarrow.dataset, pyarrow.parquet)
_BATCH_ROWS = 100_000


def count(batches: Iterable[Any]) -> int:
    """Go through all batches, keeping none."""
    return sum(batch.num_rows for batch in batches)


def files(lake: Lake, table: str) -> list[str]:
    """List the files of a table, for who reads them plainly."""
    commits = lake.table(table).commits(first=FIRST, last=LAST)
    return [
        str(lake.table(table).folder / file.path) for commit in commits for file in commit.files
    ]


def run_fill(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    fill(lake, lake.root.parent, arguments["n_rows"])
    pins = {name: lake.table(name).pin(first=FIRST, last=LAST) for name in ("orders", "traffic")}
    size = sum(Path(name).stat().st_size for name in files(lake, "orders"))
    return {"pins": {name: to_json(pin) for name, pin in pins.items()}, "bytes": size}


def run_arrow_scan(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    names = files(lake, "orders")
    return {"n_rows": count(pyarrow.dataset.dataset(names).to_batches())}


def run_duckdb_scan(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    rows = duckdb.connect().read_parquet(files(lake, "orders"))
    return {"n_rows": count(rows.to_arrow_reader(_BATCH_ROWS))}


def run_pin(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"n_rows": lake.table("orders").pin(first=FIRST, last=LAST).n_rows}


def run_read_pin(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    pin = from_json(Pin, arguments["pins"]["orders"])
    return {"n_rows": count(lake.table(pin.table).stream_pin(pin))}


def run_verify_pin(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    pin = from_json(Pin, arguments["pins"]["orders"])
    lake.table(pin.table).verify_pin(pin)
    return {"n_rows": pin.n_rows}


def run_features(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    pins = {name: from_json(Pin, raw) for name, raw in arguments["pins"].items()}
    spec = project(lake.root.parent)
    inputs = {name: lake.table(pin.table).scan_pin(pin) for name, pin in pins.items()}
    return {"n_rows": count(feature_batches(spec, inputs))}


def run_duckdb_features(lake: Lake, arguments: dict[str, Any]) -> dict[str, Any]:
    connection = duckdb.connect()
    for name in ("orders", "traffic"):
        connection.register(name, connection.read_parquet(files(lake, name)))
    return {"n_rows": count(connection.sql(FEATURES_SQL).to_arrow_reader(_BATCH_ROWS))}


def main() -> None:
    """Do as the standard input says."""
    arguments = json.load(sys.stdin)
    run: Callable[..., dict[str, Any]] = globals()[f"run_{arguments['what']}"]
    with clocked() as facts:
        facts.update(run(Lake(Path(arguments["root"])), arguments))


if __name__ == "__main__":
    main()
