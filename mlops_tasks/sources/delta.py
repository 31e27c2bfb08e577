"""Another Delta table: the rows of one day, as its newest version has them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.stream import SourceStream
from mlops_tasks.sources.tables import without_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.source_spec import DeltaSource
    from mlops_tasks.sources.connections import DeltaStore
    from mlops_tasks.sources.day import Day
    from mlops_tasks.sources.failures import Failures

__all__ = ["read_delta"]

_BATCH_ROWS = 65_536
_ACCESS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "401", "ermission")


@contextmanager
def read_delta(
    source: DeltaSource, day: Day, store: DeltaStore, failures: Failures
) -> Iterator[SourceStream]:
    """Open the rows of one day as a stream of batches.

    Parameters
    ----------
    source : DeltaSource
        Which table, and the column that says the day.
    day : Day
        The day.
    store : DeltaStore
        Where the table is.
    failures : Failures
        Makes the errors.

    Yields
    ------
    SourceStream
        Batches of at most 65,536 rows of one version, whatever is committed meanwhile.
    """

    def explain(error: Exception) -> MlopsError | None:
        return _explain(error, f"table {source.path!r}: {error}", failures)

    address = "/".join(part for part in (store.root.rstrip("/"), source.path) if part != ".")
    table = attempt(lambda: _open(address, store), explain)
    rows = attempt(table.to_pyarrow_dataset, explain)
    if source.time_column not in rows.schema.names:
        raise failures.query(f"table {source.path!r} has no time column {source.time_column!r}")
    wanted = _of_day(rows.schema.field(source.time_column), day, failures)
    batches = guarded(_batches(rows, wanted), explain)
    described = f"Delta table version {table.version()}"
    n_without = attempt(lambda: _without_time(table, rows, source.time_column), explain)
    yield SourceStream(
        rows.schema,
        batches,
        described,
        cancel=lambda: None,
        never_null=frozenset(field.name for field in rows.schema if not field.nullable),
        notes=without_day(n_without, f"table {source.path!r}", source.time_column),
    )


def _open(address: str, store: DeltaStore) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(address, storage_options=store.options or None)


def _without_time(table: DeltaTable, rows: ds.Dataset, column: str) -> int:
    """Count the rows without a time: by the table's log, or if it does not say by the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    files = pa.table(table.get_add_actions(flatten=True))
    nulls = files.schema.get_field_index(f"null_count.{column}")
    if nulls >= 0 and not files.column(nulls).null_count:
        return int(pc.sum(files.column(nulls), min_count=0).as_py())
    return int(rows.count_rows(filter=pc.field(column).is_null()))


def _batches(rows: ds.Dataset, wanted: pc.Expression) -> Iterator[pa.RecordBatch]:
    """Read the files that may hold wanted rows, page by page.

    A dataset's own scanner decodes a whole row group at once, and others may have written a day
    as one.
    """
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    for fragment in rows.get_fragments(filter=wanted):
        known = ds.get_partition_keys(fragment.partition_expression)
        options = {"pre_buffer": False, "buffer_size": 2**20, "page_checksum_verification": True}
        with pq.ParquetFile(fragment.path, filesystem=fragment.filesystem, **options) as file:
            for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                yield _completed(batch, rows.schema, known).filter(wanted)


def _completed(batch: pa.RecordBatch, schema: pa.Schema, known: dict[str, Any]) -> pa.RecordBatch:
    """Add what is not in the file: partition columns, and null for columns that came later."""
    import pyarrow as pa

    for field in schema:
        if field.name not in batch.schema.names:
            value = pa.scalar(known.get(field.name), field.type)
            batch = batch.append_column(field, pa.repeat(value, batch.num_rows))
    return batch


def _of_day(column: pa.Field, day: Day, failures: Failures) -> pc.Expression:
    import pyarrow as pa
    import pyarrow.compute as pc

    field, kind = pc.field(column.name), column.type
    if pa.types.is_timestamp(kind):
        first, end = (day.start, day.end) if kind.tz else (day.local_start, day.local_end)
        return (field >= pa.scalar(first, kind)) & (field < pa.scalar(end, kind))
    if pa.types.is_date(kind):
        return field == pa.scalar(day.date, kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return field == day.partition
    raise failures.query(f"time column {column.name!r} is {kind}: neither a time, a date nor text")


def _explain(error: Exception, text: str, failures: Failures) -> MlopsError | None:
    from deltalake.exceptions import DeltaError, TableNotFoundError

    if isinstance(error, TableNotFoundError):
        return failures.not_found(text)
    if not isinstance(error, DeltaError | OSError):
        return None
    if isinstance(error, PermissionError) or any(part in text for part in _ACCESS):
        return failures.access(text)
    lost = isinstance(error, OSError) or "error sending request" in text or "timed out" in text
    return (failures.unavailable if lost else failures.query)(text)
