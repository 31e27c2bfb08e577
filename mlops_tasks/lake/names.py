"""Names and days that may become paths and predicates."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

from mlops_tasks.exceptions import SpecError

__all__ = ["PARTITION_COLUMN", "check_partition", "today"]

PARTITION_COLUMN = "partition_key"


def check_partition(partition: str) -> str:
    """Return `partition` if it is a day written ``YYYY-MM-DD``.

    Raises
    ------
    SpecError
        If it is anything else; paths and predicates are built from it.

    Examples
    --------
    >>> check_partition("2013-02-01")
    '2013-02-01'
    """
    day: str | None = None
    with suppress(ValueError):
        day = date.fromisoformat(partition).isoformat()
    if day != partition:
        raise SpecError(
            f"partition key {partition!r} is not a day: write it as YYYY-MM-DD, "
            "for example 2013-02-01"
        )
    return partition


def today() -> str:
    """Return the day it is in UTC, as a partition key."""
    return datetime.now(UTC).date().isoformat()
