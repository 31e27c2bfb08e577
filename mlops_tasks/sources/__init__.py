"""Sources: one partition of a database, of files or of a Delta table, as a stream of Arrow batches.

Each kind of source is a module with a class of the protocol `Source`, listed in `SOURCES`:
`database` (with a reader for each dialect: `sqlite`, `postgres`, `mysql`, and `sqlalchemy` for any
other), `files` (with a module for each format: `csv_files`, `jsonl_files`, `parquet_files`),
`delta`, `derived` and `function`. The other modules are what comes after reading: `column_plan`
(which columns are kept), `conversion` (to the contract's types), `not_null` and `other_days` (what
is refused).
"""

from mlops_tasks.moved import moved_name
from mlops_tasks.sources.column_plan import ColumnPlan, plan_columns, refuse_nulls
from mlops_tasks.sources.connection import (
    Connection,
    environment_connection,
    unusable_connection,
)
from mlops_tasks.sources.database import Database
from mlops_tasks.sources.delta import DeltaStore
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.sources.errors import SourceErrors, UnfitColumnError, UnsurveyedError
from mlops_tasks.sources.files import FileStore
from mlops_tasks.sources.function import FunctionRows
from mlops_tasks.sources.kinds import SOURCES, open_source
from mlops_tasks.sources.not_null import refuse_loosened
from mlops_tasks.sources.other_days import OtherDays, day_column, in_other_days
from mlops_tasks.sources.prefetch import prefetch
from mlops_tasks.sources.source import Findings, Request, Source, SourceStream

__all__ = [
    "SOURCES",
    "ColumnPlan",
    "Connection",
    "Database",
    "DeltaStore",
    "FileStore",
    "Findings",
    "FunctionRows",
    "OtherDays",
    "PublishedDatasets",
    "Request",
    "Source",
    "SourceErrors",
    "SourceStream",
    "UnfitColumnError",
    "UnsurveyedError",
    "day_column",
    "environment_connection",
    "in_other_days",
    "open_source",
    "plan_columns",
    "prefetch",
    "refuse_loosened",
    "refuse_nulls",
    "unusable_connection",
]


def __getattr__(name: str) -> object:
    return moved_name(__name__, name)
