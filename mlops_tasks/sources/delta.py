"""Another Delta table: the rows of one day, as its newest version has them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from mlops_tasks.sources.errors import attempt, guarded
from mlops_tasks.sources.formats import naming
from mlops_tasks.sources.parquet_files import parquet_batches
from mlops_tasks.sources.source import SourceStream
from mlops_tasks.sources.tables import without_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.sources.errors import SourceErrors
    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import DeltaSource

__all__ = ["DeltaStore"]

# Whole numbers: the texts have times too, as `in 2.431640374s`.
_ACCESS = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\b40[13]\b|[Pp]ermission"
)


@dataclass(frozen=True, slots=True)
class DeltaStore:
    """A folder of Delta tables.

    Attributes
    ----------
    root : str
        Path or address.
    options : dict of str to str
        Storage options of delta-rs, credentials among them.
    secrets : tuple of str
        What must never be printed.
    """

    root: str
    options: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the folder that is the ``path`` of a connection's extra."""
        return cls(connection.root, _storage_options(connection), connection.secrets)

    @contextmanager
    def open(self, request: Request[DeltaSource]) -> Iterator[SourceStream]:
        """Open the day's rows of one version of a table, whatever is committed meanwhile."""
        source, errors = request.source, request.errors

        def explain(error: Exception) -> MlopsError | None:
            return _explain(error, f"table {source.path!r}: {error}", errors)

        table = attempt(lambda: _open(self, source.path), explain)
        _refuse_renamed(table, source, errors)
        rows = attempt(table.to_pyarrow_dataset, explain)
        day = attempt(lambda: _day_of(table, rows, request), explain)
        yield SourceStream(
            rows.schema,
            guarded(_batches(rows, rows.get_fragments(day.skip), day.wanted, errors), explain),
            f"Delta table version {table.version()}",
            cancel=lambda: None,
            never_null=frozenset(field.name for field in rows.schema if not field.nullable),
            notes=day.notes,
        )


@dataclass(frozen=True, slots=True)
class _Day:
    """Which rows are wanted, which files may be skipped, what to report; all rows of a snapshot."""

    wanted: pc.Expression | None = None
    skip: pc.Expression | None = None
    notes: tuple[str, ...] = ()


def _day_of(table: DeltaTable, rows: ds.Dataset, request: Request[DeltaSource]) -> _Day:
    source, column = request.source, request.source.time_column
    if column is None:
        return _Day()
    if column not in rows.schema.names:
        raise request.errors.query(f"table {source.path!r} has no time column {column!r}")
    wanted = _of_partition(rows.schema.field(column), request.partition, request.errors)
    notes = without_day(_without_time(table, rows, column), source.path, column)
    return _Day(wanted, _to_skip_by(table, column, wanted), notes)


def _storage_options(connection: Connection) -> dict[str, str]:
    if connection.scheme not in ("s3", "s3a"):
        return {}
    endpoint = connection.extra.get("endpoint_url") or ""
    options = {
        "AWS_ACCESS_KEY_ID": connection.login,
        "AWS_SECRET_ACCESS_KEY": connection.password,
        "AWS_SESSION_TOKEN": connection.session_token,
        "AWS_REGION": connection.extra.get("region_name"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true" if endpoint.startswith("http://") else "",
    }
    return {key: str(value) for key, value in options.items() if value}


def _open(store: DeltaStore, path: str) -> DeltaTable:
    from deltalake import DeltaTable

    address = "/".join(part for part in (store.root.rstrip("/"), path) if part != ".")
    return DeltaTable(address, storage_options=store.options or None)


def _refuse_renamed(table: DeltaTable, source: DeltaSource, errors: SourceErrors) -> None:
    """Refuse a table whose files have other names of columns: all values would be null."""
    mode = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mode != "none":
        raise errors.query(
            f"table {source.path!r} maps the names of its columns (delta.columnMapping.mode is "
            f"{mode!r}), which is not read here; have a copy of it written without"
        )


def _without_time(table: DeltaTable, rows: ds.Dataset, column: str) -> int:
    """Count the rows without a time: by the table's log, or if it does not say by the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    files = pa.table(table.get_add_actions(flatten=True))
    nulls = files.schema.get_field_index(f"null_count.{column}")
    if nulls >= 0 and not files.column(nulls).null_count:
        return int(pc.sum(files.column(nulls), min_count=0).as_py())
    return int(rows.count_rows(filter=pc.field(column).is_null()))


def _to_skip_by(table: DeltaTable, column: str, wanted: pc.Expression) -> pc.Expression | None:
    """Return what says which files need not be read; None where the log does not say it of each.

    A file without statistics of the column would be skipped, as if it had none of its values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    files = pa.table(table.get_add_actions(flatten=True))
    names = [f"{what}.{column}" for what in ("min", "max", "null_count")]
    if not set(names) & set(files.schema.names):
        return wanted
    if not set(names) <= set(files.schema.names):
        return None
    first, last, n_nulls = (files.column(name) for name in names)
    unknown = pc.or_(pc.is_null(first), pc.is_null(last))
    all_null = pc.fill_null(pc.equal(n_nulls, files.column("num_records")), False)
    lacking = pc.any(pc.and_not(unknown, all_null), min_count=0).as_py()
    return None if lacking else wanted


def _batches(
    rows: ds.Dataset,
    fragments: Iterable[ds.Fragment],
    wanted: pc.Expression | None,
    errors: SourceErrors,
) -> Iterator[pa.RecordBatch]:
    """Read the files that may hold wanted rows, page by page.

    A dataset's own scanner decodes a whole row group at once, and others may have written a day
    as one.
    """
    import pyarrow.dataset as ds

    for fragment in fragments:
        known = ds.get_partition_keys(fragment.partition_expression)
        with naming(fragment.path, errors):
            for batch in parquet_batches(fragment.path, fragment.filesystem):
                whole = _completed(batch, rows.schema, known)
                yield whole if wanted is None else whole.filter(wanted)


def _completed(batch: pa.RecordBatch, schema: pa.Schema, known: dict[str, Any]) -> pa.RecordBatch:
    """Add what is not in the file: partition columns, and null for columns that came later.

    Types are those of the table: a file may have smaller numbers, and times without their zone.
    """
    import pyarrow as pa

    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.repeat(pa.scalar(known.get(field.name), field.type), batch.num_rows)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _of_partition(column: pa.Field, of: Partition, errors: SourceErrors) -> pc.Expression:
    import pyarrow as pa
    import pyarrow.compute as pc

    field, kind = pc.field(column.name), column.type
    if pa.types.is_timestamp(kind):
        first, end = (of.start, of.end) if kind.tz else (of.local_start, of.local_end)
        return (field >= pa.scalar(first, kind)) & (field < pa.scalar(end, kind))
    if pa.types.is_date(kind):
        days = [pa.scalar(time.date(), kind) for time in (of.local_start, of.local_end)]
        return (field >= days[0]) & (field < days[1])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return field == of.key
    raise errors.query(f"time column {column.name!r} is {kind}: neither a time, a date nor text")


def _explain(error: Exception, text: str, errors: SourceErrors) -> MlopsError | None:
    from deltalake.exceptions import DeltaError, TableNotFoundError

    if isinstance(error, TableNotFoundError):
        return errors.not_found(text)
    if not isinstance(error, DeltaError | OSError):
        return None
    if isinstance(error, PermissionError) or _ACCESS.search(text):
        return errors.access(text)
    lost = isinstance(error, OSError) or "error sending request" in text or "timed out" in text
    return (errors.unavailable if lost else errors.query)(text)
