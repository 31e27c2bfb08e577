"""The newest partition that a source has rows of, found without reading all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EmptyPartitionError, SourceNotFoundError
from mlops_tasks.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mlops_tasks.sources import Source
    from mlops_tasks.specs import DatasetSpec

__all__ = ["newest_ended", "newest_partition", "rows_after_end"]

# How many partitions after the last one are looked at, each, and then in steps that double.
_AFTER = (1, 2, 3, 4, 7)


def newest_partition(
    dataset: DatasetSpec, source_of: Callable[[DatasetSpec], Source], now: datetime
) -> str | None:
    """Return the newest partition that a dataset has rows of, None if none was found.

    Looks backwards from the newest one that may be there, in steps that double, and then between
    the last two: some twenty short queries at most, where the rows have no gaps.
    """
    newest = newest_ended(dataset, now)
    if reads := dataset.source.reads:
        found = [newest_partition(item.dataset, source_of, now) for item in reads]
        return None if None in found else min(newest, *map(str, found))
    source, calendar = source_of(dataset), dataset.calendar
    low, step = newest, 1
    while not _has_rows(dataset, low, source):
        if low <= dataset.first:
            return None
        newest, low = low, max(dataset.first, calendar.shift(low, -step))
        step *= 2
    while (gap := calendar.between(low, newest)) > 1:
        middle = calendar.shift(low, gap // 2)
        low, newest = (middle, newest) if _has_rows(dataset, middle, source) else (low, middle)
    return low


def rows_after_end(
    dataset: DatasetSpec,
    source_of: Callable[[DatasetSpec], Source],
    now: datetime,
    *,
    beyond: int = 0,
) -> str | None:
    """Return a partition after the last one of the spec that has rows; None if none was found.

    The first `beyond` after it are not looked at.
    """
    last = dataset.last
    if last is None or dataset.source.reads or dataset.source.snapshot:
        return None
    going_on = dataset.model_copy(update={"end": None})
    last = dataset.calendar.shift(last, beyond)
    n_after = dataset.calendar.between(last, newest_ended(going_on, now))
    steps = [step for step in _AFTER if step <= n_after]
    while steps and (step := 2 * steps[-1]) <= n_after:
        steps.append(step)
    keys = (dataset.calendar.shift(last, step) for step in steps)
    source = source_of(dataset)
    return next((key for key in keys if _can_give(going_on, key, source)), None)


def newest_ended(dataset: DatasetSpec, now: datetime) -> str:
    """Return the newest partition that has ended, or the last one that there will be."""
    ended = dataset.calendar.shift(dataset.calendar.key_of(now, dataset.timezone or "UTC"), -1)
    return max(dataset.first, min(ended, dataset.last or ended))


def _can_give(dataset: DatasetSpec, key: str, source: Source) -> bool:
    """Return whether there is a row; what cannot be read is for whoever reads it."""
    try:
        with open_source(dataset, key, source) as stream:
            return any(batch.num_rows for batch in stream.batches)
    except Exception:
        return False


def _has_rows(dataset: DatasetSpec, key: str, source: Source) -> bool:
    """Return whether there is a row; a partition that cannot be read is one to look at, too."""
    try:
        with open_source(dataset, key, source) as stream:
            return any(batch.num_rows for batch in stream.batches)
    except (EmptyPartitionError, SourceNotFoundError):
        return False
    except Exception:  # what is wrong with it is reported by the check of its rows
        return True
