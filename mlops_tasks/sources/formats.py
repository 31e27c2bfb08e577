"""File formats: what columns the files of a day have, and their rows batch by batch."""

from __future__ import annotations

from mlops_tasks.sources.csv_files import open_csv
from mlops_tasks.sources.json_lines import open_jsonl
from mlops_tasks.sources.parquet_files import open_parquet

__all__ = ["OPEN"]

#: How the files of each format are opened, all of a day at once.
OPEN = {"csv": open_csv, "jsonl": open_jsonl, "parquet": open_parquet}
