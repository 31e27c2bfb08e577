"""Names that may become paths and predicates."""

from __future__ import annotations

from mlops_tasks.partitions import check_partition, today

__all__ = ["PARTITION_COLUMN", "check_partition", "today"]

PARTITION_COLUMN = "partition_key"
