"""One day of a PostgreSQL table into a lake, by this project; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Loaded before the clock starts, as in the tasks' fork server.
import adbc_driver_postgresql.dbapi
import deltalake
import pyarrow.compute
import pyarrow.parquet
import sqlalchemy as sa

from benchmarks._lake.fresh import clocked
from benchmarks._lake.orders import DAY, dataset
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Database
from mlops_tasks.steps.ingest import ingest

PRELOADED = (adbc_driver_postgresql.dbapi, deltalake, pyarrow.compute, pyarrow.parquet)


def main() -> None:
    """Ingest as the standard input says."""
    arguments = json.load(sys.stdin)
    folder = Path(arguments["folder"])
    spec, lake = dataset(folder, arguments["table"]), Lake(folder / "lake")
    database = Database(sa.make_url(arguments["url"]))
    with clocked() as facts:
        result = ingest(spec, DAY, source=database, lake=lake, token=1)
        facts["n_rows"] = result.raw.n_rows


if __name__ == "__main__":
    main()
