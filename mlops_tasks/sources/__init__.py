"""Sources: one day of a database, of files or of a Delta table, as a stream of Arrow batches."""

from mlops_tasks.partitions import Day
from mlops_tasks.sources.ahead import reading_ahead
from mlops_tasks.sources.columns import ColumnPlan, plan_columns, refuse_nulls
from mlops_tasks.sources.connections import Database, DeltaStore, FileStore, SourceConnection
from mlops_tasks.sources.declared import refuse_loosened
from mlops_tasks.sources.expected import Findings
from mlops_tasks.sources.failures import UnfitColumnError, UnsurveyedError
from mlops_tasks.sources.other_days import OtherDays, day_column, in_other_days
from mlops_tasks.sources.reading import open_source
from mlops_tasks.sources.stream import SourceStream

__all__ = [
    "ColumnPlan",
    "Database",
    "Day",
    "DeltaStore",
    "FileStore",
    "Findings",
    "OtherDays",
    "SourceConnection",
    "SourceStream",
    "UnfitColumnError",
    "UnsurveyedError",
    "day_column",
    "in_other_days",
    "open_source",
    "plan_columns",
    "reading_ahead",
    "refuse_loosened",
    "refuse_nulls",
]
