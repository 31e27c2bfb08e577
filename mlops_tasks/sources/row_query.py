"""A query over the rows of a source: DuckDB casts and renames them, and sees nothing else."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_repeatable, one_statement
from mlops_tasks.sources.formats import BATCH_ROWS
from mlops_tasks.sources.source import Findings, SourceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.sources.source import Request, Source

__all__ = ["open_queried"]

#: What the query calls the rows.
ROWS = "rows"
_PLACE = "the query of the source"


@contextmanager
def open_queried(source: Source, request: Request[Any], query: str) -> Iterator[SourceStream]:
    """Open what a query makes of a day's rows.

    The rows are read as the source has them, without the contract: text in CSV, its own types
    elsewhere. They stream through DuckDB, which spills to disk what must be sorted or grouped.
    Raises SourceQueryError if the query does not run, or would not answer the same again.
    """
    errors, plain = request.errors, _without_contract(request)
    with source.open(plain) as stream, connect() as connection:
        rows = _Rows(source, plain, stream)
        try:
            sql = one_statement(_PLACE, query)
            check_repeatable(_PLACE, connection, sql)
            connection.register(ROWS, rows)
            with explained(_PLACE, connection) as ask:
                found = ask(f"SELECT * FROM (\n{sql}\n)")  # noqa: S608 (the project's own)
                reader = found.to_arrow_reader(BATCH_ROWS)
                yield SourceStream(
                    reader.schema,
                    iter(reader),
                    f"{stream.described}, through the query",
                    cancel=connection.interrupt,
                    notes=(*stream.notes, *rows.notes),
                )
        except FeatureError as error:
            if rows.failure is not None:
                raise rows.failure from None
            raise errors.query(error) from error
        except Exception:
            # Arrow's reader may raise what failed below DuckDB as an error of its own.
            if rows.failure is not None:
                raise rows.failure from None
            raise


def _without_contract(request: Request[Any]) -> Request[Any]:
    import pyarrow as pa

    free = {"columns": {}, "rename": {}, "convert": {}, "extra_columns": "keep"}
    return replace(
        request,
        spec=request.spec.model_copy(update=free),
        schema=pa.schema([]),
        errors=replace(request.errors, contract={}),
        findings=Findings(),
    )


class _Rows:
    """A source's rows as DuckDB asks for them: once for each time that the query names them."""

    def __init__(self, source: Source, request: Request[Any], stream: SourceStream) -> None:
        import pyarrow as pa

        counts = Counter(name.lower() for name in stream.schema.names)
        kept = [field for field in stream.schema if counts[field.name.lower()] == 1]
        left_out = sorted(name for name in stream.schema.names if counts[name.lower()] > 1)
        self.schema = pa.schema([field.remove_metadata() for field in kept])
        twice = f"columns {left_out} are not in {ROWS}: names that come twice, whatever their case"
        self.notes = (twice,) if left_out else ()
        self.failure: Exception | None = None
        self._source, self._request = source, request
        self._stream, self._is_read = stream, False
        self._refuse_other_types()

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        import pyarrow as pa

        first, self._is_read = not self._is_read, True
        batches = self._first() if first else self._again()
        reader = pa.RecordBatchReader.from_batches(self.schema, self._noted(batches))
        return reader.__arrow_c_stream__(requested_schema)

    def _refuse_other_types(self) -> None:
        """Refuse files of one day that do not agree: which type is meant is not ours to say."""
        import pyarrow as pa

        for path, schema in self._stream.parts:
            for field in schema:
                if field.name not in self.schema.names or pa.types.is_null(field.type):
                    continue
                wanted = self.schema.field(field.name).type
                if field.type != wanted:
                    raise self._request.errors.query(
                        f"column {field.name!r} is {field.type} in file {path!r} and {wanted} in "
                        "others; with a query all files of a day have the same types"
                    )

    def _first(self) -> Iterator[pa.RecordBatch]:
        yield from self._stream.batches

    def _again(self) -> Iterator[pa.RecordBatch]:
        with self._source.open(self._request) as stream:
            if stream.described != self._stream.described:
                raise self._request.errors.unavailable("its rows have changed while they were read")
            yield from stream.batches

    def _noted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the batches as one schema, and keep what goes wrong: DuckDB passes on its text."""
        try:
            for batch in batches:
                yield _completed(batch, self.schema)
        except Exception as error:
            self.failure = error
            raise


def _completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
