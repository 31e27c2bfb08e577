"""Snapshots: tables whose newest state before a row's moment counts, with when each was valid."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from mlops_tasks.lake.schema import PARTITION_COLUMN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.dataset as ds

    from mlops_tasks.lake import Commit, Table
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["VALID_FROM", "VALID_UNTIL", "snapshot_range", "snapshot_rows"]

VALID_FROM, VALID_UNTIL = "valid_from", "valid_until"

_END = datetime(9999, 12, 31, tzinfo=UTC)


def snapshot_range(
    spec: ModelSpec,
    dataset: DatasetSpec,
    table: Table,
    window: tuple[str, str],
    *,
    known_at: str | None = None,
) -> tuple[str, str]:
    """Return the snapshots that were the newest ones at some moment of a model's partitions.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dataset : DatasetSpec
        The input that is read as of each row's moment.
    table : Table
        Its table.
    window : tuple of str
        First and last partition of the model, both inclusive.
    known_at : str, optional
        Only what was known by that day.

    Returns
    -------
    tuple of str
        Keys of the first and the last of them.
    """
    first, last = (spec.rows.partition(key) for key in window)
    begin = dataset.schedule.newest_before(first.start, dataset.delay_steps)
    end = dataset.schedule.newest_before(last.end, dataset.delay_steps)
    before = [one.partition for one in table.commits(last=begin, known_at=known_at) if one.n_rows]
    return (before[-1] if before else begin), end


def snapshot_rows(dataset: DatasetSpec, table: Table, commits: Sequence[Commit]) -> ds.Dataset:
    """Return the rows of some snapshots, each with the span in which its snapshot was the newest.

    Parameters
    ----------
    dataset : DatasetSpec
        The input.
    table : Table
        Its table.
    commits : sequence of Commit
        The snapshots, in order.

    Returns
    -------
    Dataset
        In memory, with ``valid_from``, when the schedule takes the snapshot, and ``valid_until``,
        when it takes the next one that there is. A moment belongs to one snapshot:
        ``valid_from < moment AND moment <= valid_until``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    there = [commit for commit in commits if commit.n_rows]
    keys = [commit.partition for commit in there]
    ticks = [dataset.schedule.tick(key, dataset.delay_steps).astimezone(UTC) for key in keys]
    ends = [*(after for _, after in pairwise(ticks)), _END][: len(ticks)]
    rows = table.scan(there).to_table()
    place = pc.index_in(rows.column(PARTITION_COLUMN), pa.array(keys, pa.string()))
    kind = pa.timestamp("us", tz="UTC")
    for name, moments in ((VALID_FROM, ticks), (VALID_UNTIL, ends)):
        rows = rows.append_column(name, pa.array(moments, kind).take(place.combine_chunks()))
    return ds.dataset(rows)
