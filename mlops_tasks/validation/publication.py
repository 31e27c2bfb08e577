"""Good rows out, bad rows aside: both streamed, so that memory holds one chunk."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake import as_of_night
from mlops_tasks.profiles import ProfileBuilder
from mlops_tasks.profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.marks import RowMarks
    from mlops_tasks.validation.rows import PartitionRows

__all__ = ["publish", "quarantine_table"]

_REASONS = "reasons"


def quarantine_table(spec: DatasetSpec) -> str:
    """Return the table that keeps the refused rows with their reasons."""
    return f"{spec.name}__quarantine"


def publish(
    spec: DatasetSpec,
    rows: PartitionRows,
    marks: RowMarks,
    *,
    lake: Lake,
    token: int,
    known_at: str | None,
) -> PartitionVersion:
    """Put the marked rows into the quarantine, then publish the others.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    rows : PartitionRows
        The raw partition.
    marks : RowMarks
        Its bad rows.
    lake : Lake
        Where to.
    token : int
        Number of this attempt.
    known_at : str or None
        Day as of which the rows are known. None: the day at which the raw rows were, where that
        changes nothing that was published since, else today.

    Returns
    -------
    PartitionVersion
        What was published.

    Raises
    ------
    DamagedTableError
        If rows came out that did not go in, or the other way round.
    """
    partition, n_bad, night = rows.commit.partition, marks.n_marked, rows.commit.known_at
    _keep_back(spec, rows, marks, lake=lake, token=token, known_at=known_at or night)
    known = [name for name in rows.schema.names if name in spec.columns]
    profile = ProfileBuilder(rows.schema, columns=known)
    good = _good(rows, marks, profile)
    by_night = as_of_night(lake, spec.name, partition, night, timezone=spec.timezone)
    if n_bad or not _is_whole(rows):
        published = lake.overwrite_partition(
            spec.name, partition, good, token=token, known_at=known_at or by_night
        )
    else:
        deque(good, maxlen=0)  # to be profiled
        published = lake.share_partition(
            rows.table, rows.commit, spec.name, token=token, known_at=known_at or by_night
        )
    seen = profile.finish()
    if seen.n_rows + n_bad != rows.n_rows:
        raise DamagedTableError(
            f"dataset {spec.name!r}, partition {partition}: {rows.n_rows} rows were read, "
            f"{seen.n_rows} published and {n_bad} kept back; the raw table changed meanwhile. "
            "Run the task again"
        )
    fault_point("profile:before_write")
    ProfileStore(lake).write(published, seen)
    return published


def _keep_back(
    spec: DatasetSpec,
    rows: PartitionRows,
    marks: RowMarks,
    *,
    lake: Lake,
    token: int,
    known_at: str,
) -> None:
    table, partition = quarantine_table(spec), rows.commit.partition
    fault_point("quarantine:before")
    # Also where rows of an earlier run were kept back that the source has mended since.
    if marks.n_marked or _n_kept_back(spec, partition, lake):
        bad = _bad(rows, marks)
        lake.overwrite_partition(table, partition, bad, token=token, known_at=known_at)
    fault_point("quarantine:after")


def _n_kept_back(spec: DatasetSpec, partition: str, lake: Lake) -> int:
    table = quarantine_table(spec)
    if not lake.exists(table):
        return 0
    return sum(c.n_rows for c in lake.commits(table, first=partition, last=partition))


def _is_whole(rows: PartitionRows) -> bool:
    """Tell whether the files have all columns of today: older ones lack what was added since."""
    return set(rows.commit.columns) == set(rows.schema.names)


def _good(rows: PartitionRows, marks: RowMarks, profile: ProfileBuilder) -> pa.RecordBatchReader:
    """Stream the good rows, and see in passing what they look like."""
    import numpy as np
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for start, piece in rows.pieces():
            bad = marks.bad(start, piece.num_rows)
            kept = piece.filter(pa.array(np.logical_not(bad))) if bad.any() else piece
            for batch in kept.select(rows.schema.names).to_batches():
                profile.update(batch)
                yield batch

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _bad(rows: PartitionRows, marks: RowMarks) -> pa.RecordBatchReader:
    import pyarrow as pa

    schema = rows.schema.append(pa.field(_REASONS, pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        for start, piece in rows.pieces():
            bad = marks.bad(start, piece.num_rows)
            if bad.any():
                kept = piece.select(rows.schema.names).filter(pa.array(bad))
                texts = pa.array(marks.reasons(start, piece.num_rows), pa.string())
                yield from kept.append_column(_REASONS, texts).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())
