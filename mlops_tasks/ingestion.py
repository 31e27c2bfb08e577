"""Ingest: one day of a source database becomes one raw partition of the lake."""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

from mlops_tasks.contract import arrow_schema
from mlops_tasks.exceptions import (
    EmptyPartitionError,
    SchemaMismatchError,
    SourceQueryError,
    SourceUnavailableError,
)
from mlops_tasks.types import IngestResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult, Engine
    from sqlalchemy.exc import DBAPIError

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import DatasetSpec

__all__ = ["ingest", "raw_table"]

_BATCH_ROWS = 20_000
# Parts of messages about what other sessions do at the moment; databases share no code for it.
_PASSING = ("is locked", "deadlock", "lock timeout")


def raw_table(spec: DatasetSpec) -> str:
    """Return the table that holds the dataset as extracted, before any check."""
    return f"{spec.name}__raw"


def ingest(
    spec: DatasetSpec,
    partition: str,
    *,
    source: Engine,
    lake: Lake,
    token: int,
    known_at: str | None = None,
) -> IngestResult:
    """Run the dataset's query for one day and overwrite the day's raw partition.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The day, ``YYYY-MM-DD``.
    source : Engine
        The source database.
    lake : Lake
        Where to.
    token : int
        Number of this attempt, from `Ledger.next_token`.
    known_at : str, optional
        Day as of which the rows are known; today (UTC) by default.

    Returns
    -------
    IngestResult
        Reference to the raw partition; no rows.

    Raises
    ------
    SourceUnavailableError
        If no connection can be made, it is lost, or tables are locked; worth a retry.
    SourceQueryError
        If the database refuses the query: a table or column is missing.
    SchemaMismatchError
        If columns or types are not the contract's.
    EmptyPartitionError
        If the day has no rows at all. Zero rows would pass every check, so they are refused.
    """
    started = time.monotonic()
    with _connected(spec, source) as connection:
        rows = _extract(spec, partition, connection)
    query_s = time.monotonic() - started
    if rows.num_rows == 0:
        raise EmptyPartitionError(
            f"dataset {spec.name!r}: the source {spec.conn_id!r} has no rows for {partition}; "
            "nothing was published. If the day is late, run this task again once it is there; "
            "if it will never come, mark the task as success"
        )
    raw = lake.overwrite_partition(raw_table(spec), partition, rows, token=token, known_at=known_at)
    return IngestResult(raw=raw, query_s=round(query_s, 3))


def _connected(spec: DatasetSpec, source: Engine) -> Connection:
    from sqlalchemy.exc import DBAPIError

    try:
        return source.connect()
    except DBAPIError as error:
        raise _unavailable(spec, error) from None  # the driver's chain may hold the password


def _unavailable(spec: DatasetSpec, error: DBAPIError) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"dataset {spec.name!r}: connection {spec.conn_id!r} does not answer: {error.orig}; "
        "check the connection in Airflow and that the database is up"
    )


def _extract(spec: DatasetSpec, partition: str, connection: Connection) -> pa.Table:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy.exc import DBAPIError

    query = sa.text(spec.query).bindparams(partition=partition)
    try:
        result = connection.execution_options(stream_results=True).execute(query)
        _check_columns(spec, tuple(result.keys()))
        batches = list(_batches(spec, result))
    except DBAPIError as error:
        passing = any(part in str(error.orig) for part in _PASSING)
        if passing or error.connection_invalidated:
            raise _unavailable(spec, error) from None
        raise SourceQueryError(
            f"dataset {spec.name!r}: the source {spec.conn_id!r} refuses the query for "
            f"{partition}: {error.orig}; restore the table or column, or mend the query in the spec"
        ) from None
    return pa.Table.from_batches(batches, arrow_schema(spec))


def _check_columns(spec: DatasetSpec, found: tuple[str, ...]) -> None:
    missing = [name for name in spec.columns if name not in found]
    if missing:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}: the query gives no column {missing}; the contract needs "
            f"{sorted(spec.columns)}, the source gave {sorted(found)}"
        )


def _batches(spec: DatasetSpec, result: CursorResult[Any]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = arrow_schema(spec)
    wanted = [list(result.keys()).index(name) for name in schema.names]
    for chunk in result.partitions(_BATCH_ROWS):
        columns = list(zip(*chunk, strict=True))
        arrays = [
            _column(spec, field, columns[index])
            for field, index in zip(schema, wanted, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(spec: DatasetSpec, field: pa.Field, values: tuple[Any, ...]) -> pa.Array:
    """Convert without guessing: an integer column with 1.5 or "77" in it is an error."""
    import pyarrow as pa

    try:
        return _converted(field, values)
    except (pa.ArrowException, OverflowError) as error:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}, column {field.name!r}: the contract says "
            f"{spec.columns[field.name]!r}, the source gave something else ({error}); nothing was "
            "published. Change the contract in the spec or mend the source"
        ) from error


def _converted(field: pa.Field, values: tuple[Any, ...]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {type(value) for value in values}
    if pa.types.is_timestamp(field.type):
        if str in kinds:
            return pc.cast(pa.array(values, pa.string()), field.type)
        # Arrow would take numbers for microseconds since 1970, and any local time for UTC.
        if kinds & {int, float} or any(getattr(value, "tzinfo", UTC) is None for value in values):
            raise pa.ArrowTypeError("an instant has date, time and zone; give them in the query")
    if pa.types.is_integer(field.type) and kinds - {int, bool, type(None)}:
        # Arrow would cut 1.5 to 1; whole numbers stored as floats are fine.
        return pc.cast(pa.array(values, pa.float64()), field.type)
    if pa.types.is_boolean(field.type):  # databases without booleans give 0 and 1
        values = tuple(bool(v) if v in (0, 1) else v for v in values)
    return pa.array(values, field.type)
