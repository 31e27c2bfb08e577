"""The lake: Delta tables partitioned by day, written by one function, read at exact versions."""

from mlops_tasks.lake.commits import ASSUMED, COMMITTED, GIVEN, Commit
from mlops_tasks.lake.data_files import DataFile
from mlops_tasks.lake.known_at import Known, known_as_before, known_by_schedule, known_text
from mlops_tasks.lake.lake import Lake
from mlops_tasks.lake.maintenance import Optimized, Vacuumed, optimize, vacuum
from mlops_tasks.lake.pins import (
    PartitionVersion,
    Pin,
    RandomSplit,
    TrainingPin,
    assumed_lines,
)
from mlops_tasks.lake.probe import probe_lake
from mlops_tasks.lake.publish import overwrite_partition, share_partition
from mlops_tasks.lake.schema import PARTITION_COLUMN
from mlops_tasks.lake.table import Table
from mlops_tasks.moved import moved_name

__all__ = [
    "ASSUMED",
    "COMMITTED",
    "GIVEN",
    "PARTITION_COLUMN",
    "Commit",
    "DataFile",
    "Known",
    "Lake",
    "Optimized",
    "PartitionVersion",
    "Pin",
    "RandomSplit",
    "Table",
    "TrainingPin",
    "Vacuumed",
    "assumed_lines",
    "known_as_before",
    "known_by_schedule",
    "known_text",
    "optimize",
    "overwrite_partition",
    "probe_lake",
    "share_partition",
    "vacuum",
]


def __getattr__(name: str) -> object:
    return moved_name(__name__, name)
