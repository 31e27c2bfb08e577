"""Good rows are published, bad rows quarantined: both streamed, so that memory holds one chunk."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake import (
    GIVEN,
    Known,
    Pin,
    known_as_before,
    overwrite_partition,
    share_partition,
)
from mlops_tasks.profiles import ProfileBuilder
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion, Table
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.partition_rows import PartitionRows
    from mlops_tasks.validation.row_flags import RowFlags

__all__ = ["publish", "quarantine_table"]

_REASONS = "reasons"


def quarantine_table(spec: DatasetSpec) -> str:
    """Return the table that keeps the refused rows with their reasons."""
    return f"{spec.name}__quarantine"


def publish(
    spec: DatasetSpec,
    rows: PartitionRows,
    flags: RowFlags,
    table: Table,
    *,
    lake: Lake,
    token: int,
    known_at: str | None,
) -> PartitionVersion:
    """Quarantine the flagged rows, then publish the others to the dataset's table.

    `known_at` is the day as of which the rows are known. None: the day as of which the raw rows
    are, where that changes nothing that was published since, else today. It is a
    `DamagedTableError` if rows came out that did not go in, or the other way round.
    """
    partition, n_bad = rows.partition, flags.n_flagged
    given = Known(known_at, GIVEN) if known_at else None
    as_raw = Known(rows.commit.known_at, rows.commit.known_by)
    _quarantine(spec, rows, flags, lake=lake, token=token, known_at=given or as_raw)
    # The commonest values of a personal column are nobody's business either.
    known = [name for name in rows.schema.names if name in spec.columns and not spec.hides(name)]
    profile = ProfileBuilder(rows.schema, columns=known)
    good = _good(rows, flags, profile)
    dated = given or known_as_before(table, rows.commit, timezone=spec.timezone)
    if n_bad or not _is_whole(rows):
        published = overwrite_partition(
            table,
            partition,
            good,
            token=token,
            known_at=dated,
            inputs=[from_json(Pin, pin) for pin in rows.commit.inputs.values()],
        )
    else:
        deque(good, maxlen=0)  # to be profiled
        published = share_partition(rows.table, rows.commit, table, token=token, known_at=dated)
    seen = profile.finish()
    if seen.n_rows + n_bad != rows.n_rows:
        raise DamagedTableError(
            f"dataset {spec.name!r}, partition {partition}: {rows.n_rows} rows were read, "
            f"{seen.n_rows} published and {n_bad} quarantined; the raw table changed meanwhile. "
            "Run the task again"
        )
    fault_point("profile:before_write")
    ProfileStore(lake).write(published, seen)
    return published


def _quarantine(
    spec: DatasetSpec,
    rows: PartitionRows,
    flags: RowFlags,
    *,
    lake: Lake,
    token: int,
    known_at: Known,
) -> None:
    table, partition = lake.table(quarantine_table(spec)), rows.partition
    fault_point("quarantine:before")
    earlier = table.commits(first=partition, last=partition) if table.exists else []
    # Also where rows of an earlier run were quarantined that the source has fixed since.
    if flags.n_flagged or any(commit.n_rows for commit in earlier):
        bad = _bad(rows, flags)
        overwrite_partition(table, partition, bad, token=token, known_at=known_at)
    fault_point("quarantine:after")


def _is_whole(rows: PartitionRows) -> bool:
    """Return whether the files have all columns of today: older ones lack what was added since."""
    return set(rows.commit.columns) == set(rows.schema.names)


def _good(rows: PartitionRows, flags: RowFlags, profile: ProfileBuilder) -> pa.RecordBatchReader:
    """Stream the good rows, and see in passing what they look like."""
    import numpy as np
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for start, piece in rows.pieces():
            bad = flags.mask(start, piece.num_rows)
            good = piece.filter(pa.array(np.logical_not(bad))) if bad.any() else piece
            for batch in good.select(rows.schema.names).to_batches():
                profile.update(batch)
                yield batch

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _bad(rows: PartitionRows, flags: RowFlags) -> pa.RecordBatchReader:
    import pyarrow as pa

    schema = rows.schema.append(pa.field(_REASONS, pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        for start, piece in rows.pieces():
            bad = flags.mask(start, piece.num_rows)
            if bad.any():
                refused = piece.select(rows.schema.names).filter(pa.array(bad))
                texts = pa.array(flags.reasons(start, piece.num_rows), pa.string())
                yield from refused.append_column(_REASONS, texts).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())
