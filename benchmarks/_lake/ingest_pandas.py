"""The same day by `pandas.read_sql` and `to_parquet`; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

# Loaded before the clock starts.
import pandas as pd
import pyarrow.parquet
import sqlalchemy as sa

from benchmarks._lake.fresh import clocked
from benchmarks._lake.orders import DAY, query

PRELOADED = pyarrow.parquet


def main() -> None:
    """Read and write as the standard input says."""
    arguments = json.load(sys.stdin)
    start = datetime.fromisoformat(DAY).replace(tzinfo=UTC)
    bounds = {"start": start, "end": start + timedelta(days=1)}
    engine = sa.create_engine(arguments["url"], poolclass=sa.NullPool)  # loads psycopg2
    with clocked() as facts:
        with engine.connect() as connection:
            rows = pd.read_sql(sa.text(query(arguments["table"])), connection, params=bounds)
        rows.to_parquet(Path(arguments["folder"]) / "orders.parquet")
        facts["n_rows"] = len(rows)


if __name__ == "__main__":
    main()
