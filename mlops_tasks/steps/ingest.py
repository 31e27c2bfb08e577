"""Ingest: one day of a source becomes one raw partition of the lake."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EmptyPartitionError, SourceNotFoundError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake import GIVEN, Known, known_by_schedule, overwrite_partition
from mlops_tasks.partitions import check_partition
from mlops_tasks.sources import (
    Findings,
    OtherDays,
    UnfitColumnError,
    UnsurveyedError,
    open_source,
    plan_columns,
    prefetch,
    refuse_loosened,
    refuse_nulls,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion, Table
    from mlops_tasks.sources import ColumnPlan, Source
    from mlops_tasks.specs import DatasetSpec

__all__ = ["IngestResult", "ingest", "missed_snapshot", "raw_table"]

_PROGRESS_S = 5.0
# Beside the tables: what each source declared never null.
_DECLARED = "_declared"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What `ingest` extracted: a reference to the raw partition, no rows.

    Attributes
    ----------
    raw : PartitionVersion
        The raw partition.
    query_s : float
        Seconds from the query to the commit: rows are written while they are read.
    described : str
        What was read, and how.
    notes : tuple of str
        What became of columns beyond the contract.
    """

    raw: PartitionVersion
    query_s: float
    described: str = ""
    notes: tuple[str, ...] = ()


def raw_table(spec: DatasetSpec) -> str:
    """Return the table that holds the dataset as extracted, before any check."""
    return f"{spec.name}__raw"


def missed_snapshot(spec: DatasetSpec, partition: str) -> str:
    """Say why a partition of a snapshot can be taken no more.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The partition.

    Returns
    -------
    str
        Empty where it can be taken.

    Notes
    -----
    The source shows its present state alone. That is the state of the newest partition that is due:
    as that of an earlier one, rows of then would see what became known only since.
    """
    if not spec.source.snapshot:
        return ""
    newest = spec.schedule.newest_before(datetime.now(UTC), spec.delay_steps)
    if partition >= newest:
        return ""
    return (
        f"dataset {spec.name!r}: {partition} was not taken in time and is lost: its source is a "
        f"snapshot and shows the state of {newest} by now. The snapshot before stays valid; set "
        "`start` to a day from which on it is taken"
    )


def ingest(
    spec: DatasetSpec,
    partition: str,
    *,
    source: Source,
    lake: Lake,
    token: int,
    known_at: str | None = None,
    due: str | None = None,
    on_schedule: bool = False,
) -> IngestResult:
    """Stream one day of the dataset's source into its raw partition, which is overwritten.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The day, ``YYYY-MM-DD``.
    source : Database, FileStore or DeltaStore
        Where the source is; of the kind that the spec's source needs.
    lake : Lake
        Where to.
    token : int
        Number of this attempt, from `Ledger.next_token`.
    known_at : str, optional
        Day as of which the rows are known. By default they count as known by `due` if they are the
        first of their partition, or the same as before: `assumed`, where that has passed. Others
        correct what was known and are known today, in the dataset's zone: `known_by_schedule`.
    due : str, optional
        Day as of which the schedule's own run makes the partition known; by default that of the
        dataset's ingestion, `DatasetSpec.due`.
    on_schedule : bool, default False
        Whether this is the schedule's own run, which in its time may correct what was known.

    Returns
    -------
    IngestResult
        Reference to the raw partition; no rows.

    Raises
    ------
    SourceUnavailableError
        If the source does not answer, stops to in the middle, or is locked; worth a retry.
    SourceAccessError, SourceQueryError, SourceNotFoundError
        If a retry cannot help: login refused, table missing, file damaged or not there, or a
        snapshot that was not taken in time.
    SchemaMismatchError
        If columns or types are not the contract's, if the source declared a column never null and
        does so no longer, or if in more than `max_quarantined_share` of the rows such a column is
        null, or the source's `time_column` says another day.
    EmptyPartitionError
        If the day has no rows at all. Zero rows would pass every check, so they are refused.

    Notes
    -----
    The rows pass through in batches: memory does not grow with the partition. Whatever goes wrong
    goes wrong before the one commit at the end, so a published partition stays as it is.
    """
    started = time.monotonic()
    check_partition(partition)
    if missed := missed_snapshot(spec, partition):
        raise SourceNotFoundError(missed)
    table = lake.table(raw_table(spec))
    zone = spec.timezone

    def dated(of_inputs: str | None) -> Known | Callable[[str], Known]:
        """Date the rows; what is computed from rows of the lake is due once those are known."""
        if known_at:
            return Known(known_at, GIVEN)
        day = of_inputs or due or spec.due(partition)
        return known_by_schedule(table, partition, day, timezone=zone, on_schedule=on_schedule)

    # What the first try is about to add to a table is only added by its commit; a new table has it.
    findings = Findings(all_lines=not table.exists)
    while True:  # again where the source says more than its beginning did
        try:
            result = _extracted(spec, partition, source, table, token, dated, findings)
            return replace(result, query_s=round(time.monotonic() - started, 3))
        except UnsurveyedError:
            findings = replace(findings, all_lines=True)
        except UnfitColumnError as error:
            if error.column in findings.left_out:
                raise
            left_out = {**findings.left_out, error.column: error.reason}
            findings = replace(findings, left_out=left_out)


def _extracted(
    spec: DatasetSpec,
    partition: str,
    source: Source,
    table: Table,
    token: int,
    dated: Callable[[str | None], Known | Callable[[str], Known]],
    findings: Findings,
) -> IngestResult:
    """Read the day once and commit it."""
    import pyarrow as pa

    present = table.schema if table.exists else None
    with open_source(spec, partition, source, present, findings) as stream:
        plan = plan_columns(
            spec, stream.schema, present, parts=stream.parts, left_out=findings.left_out
        )
        refuse_loosened(spec, partition, stream.never_null, table.root / _DECLARED)
        notes = (*stream.notes, *plan.notes)
        for note in notes:
            log.warning("%s %s: %s", spec.name, partition, note)
        with prefetch(stream.batches, stream.cancel) as batches:
            rows = _converted(plan, batches, partition, stream.notes)
            # A day that its first rows refuse must not make a table, or add a column to one.
            rows = chain([next(rows)], rows)
            reader = pa.RecordBatchReader.from_batches(plan.schema, rows)
            raw = overwrite_partition(
                table,
                partition,
                reader,
                token=token,
                known_at=dated(stream.known_at),
                inputs=stream.inputs,
            )
        return IngestResult(raw=raw, query_s=0.0, described=stream.described, notes=notes)


def _converted(
    plan: ColumnPlan, batches: Iterator[pa.RecordBatch], partition: str, notes: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Convert batch by batch, log now and then how far it is, and refuse the day at its end."""
    nulls: Counter[str] = Counter()
    other_days = OtherDays.of(plan.spec, partition)
    n_rows, started = 0, time.monotonic()
    logged = started
    for batch in batches:
        fault_point("ingest:mid_read")
        if batch.num_rows:
            rows = plan.convert(batch)
            nulls.update({name: rows.column(name).null_count for name in plan.spec.columns})
            other_days.add(rows)
            yield rows
        n_rows += batch.num_rows
        now = time.monotonic()
        if now - logged >= _PROGRESS_S:
            logged = now
            log.info("%s: %d rows, %d rows/s", plan.spec.name, n_rows, n_rows / (now - started))
    if not n_rows:
        raise EmptyPartitionError(
            f"dataset {plan.spec.name!r}: the source {plan.spec.source.called!r} has no rows for "
            f"{partition}; nothing was published. If the day is late, run this task again once it "
            "is there; if it will never come, mark the task as success"
            + "".join(f". {note}" for note in notes)
        )
    refuse_nulls(plan.spec, nulls, n_rows)
    other_days.refuse(n_rows)
