"""The lake: Delta tables partitioned by day, written by one helper, read at exact versions."""

from mlops_tasks.lake.commits import Commit
from mlops_tasks.lake.files import DataFile
from mlops_tasks.lake.maintenance import Optimized, Vacuumed, optimize, vacuum
from mlops_tasks.lake.names import PARTITION_COLUMN, check_partition
from mlops_tasks.lake.nights import as_of_night
from mlops_tasks.lake.references import PartitionVersion, Pin, TrainingPin
from mlops_tasks.lake.streaming import stream_rows
from mlops_tasks.lake.table import Lake

__all__ = [
    "PARTITION_COLUMN",
    "Commit",
    "DataFile",
    "Lake",
    "Optimized",
    "PartitionVersion",
    "Pin",
    "TrainingPin",
    "Vacuumed",
    "as_of_night",
    "check_partition",
    "optimize",
    "stream_rows",
    "vacuum",
]
