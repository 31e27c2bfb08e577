"""Build a profile in the pass that writes the data: batches in, a profile out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError
from mlops_tasks.profiles.chunks import Chunk
from mlops_tasks.profiles.correlations import MAX_CORRELATED, Correlations
from mlops_tasks.profiles.profile import Profile
from mlops_tasks.profiles.streams import CategoryStream, NumericStream, TimeStream, kind_of
from mlops_tasks.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

__all__ = ["ProfileBuilder"]

#: Rows sorted at once: half a megabyte a column, which a processor's cache holds.
_CHUNK_ROWS = 65_536


class ProfileBuilder:
    """Fold record batches into a `Profile` while they pass.

    Batches are gathered into chunks; the columns of a chunk are folded on as many threads as
    ``MLOPS_THREADS`` and the processors allow (NumPy and Arrow release the interpreter lock) while
    the caller fetches the next one. At most two chunks are in memory. Equal rows in equal order
    give an equal profile, however they are cut into batches and on however many threads.

    Parameters
    ----------
    schema : Schema
        Of the batches.
    columns : sequence of str, optional
        Columns to profile, in this order; by default all.
    categorical : collection of str, optional
        Columns whose values are names, such as codes of shops, also where they are written as
        numbers or days; what the schema does not have is ignored.

    Raises
    ------
    TypeError
        If a column has a type of which there is no profile; naming the others in `columns` avoids
        it.
    SchemaMismatchError
        If `columns` names one that the schema has not.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.table({"x": [1.0, 2.0, None]})
    >>> builder = ProfileBuilder(rows.schema)
    >>> for batch in rows.to_batches():
    ...     builder.update(batch)
    >>> builder.finish().columns["x"].mean
    1.5
    """

    def __init__(
        self,
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        categorical: Collection[str] = (),
    ) -> None:
        import pyarrow as pa

        names = list(schema.names if columns is None else columns)
        missing = [name for name in names if name not in schema.names]
        if missing:
            raise SchemaMismatchError(
                f"cannot profile {missing}: the rows have the columns {schema.names}"
            )
        self._schema = pa.schema([pa.field(name, schema.field(name).type) for name in names])
        self._streams = {field.name: _stream(field, categorical) for field in self._schema}
        numeric = [n for n, stream in self._streams.items() if isinstance(stream, NumericStream)]
        self._correlated = tuple(numeric[:MAX_CORRELATED])
        self._correlations = Correlations.nothing(self._correlated)
        self._pending: list[pa.RecordBatch] = []
        self._n_pending = self._n_rows = 0
        self._workers = Workers()
        self._chunk: Chunk | None = None

    def update(self, batch: pa.RecordBatch) -> None:
        """Add rows.

        Parameters
        ----------
        batch : RecordBatch
            With the columns of the schema, others are ignored; not to be changed afterwards.

        Raises
        ------
        SchemaMismatchError
            If a column is missing or of another type.
        """
        import pyarrow as pa

        self._check(batch.schema)
        arrays = [batch.column(name) for name in self._schema.names]
        self._n_rows += batch.num_rows
        if not arrays or not batch.num_rows:
            return
        self._pending.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._n_pending += batch.num_rows
        if self._n_pending >= _CHUNK_ROWS:
            self._flush(everything=False)

    def finish(self) -> Profile:
        """Return the profile of all rows; the builder is used up."""
        self._flush(everything=True)
        self._end_chunk()
        self._workers.close()
        columns = {name: stream.finish() for name, stream in self._streams.items()}
        return Profile.of_columns(self._n_rows, columns, self._correlations)

    def _check(self, schema: pa.Schema) -> None:
        wrong = [
            f"{field.name}: {'missing' if at < 0 else schema.field(at).type}, not {field.type}"
            for field in self._schema
            if (at := schema.get_field_index(field.name)) < 0 or schema.field(at).type != field.type
        ]
        if wrong:
            raise SchemaMismatchError(
                "a batch does not have the columns the profile began with:\n  " + "\n  ".join(wrong)
            )

    def _flush(self, *, everything: bool) -> None:
        import pyarrow as pa

        if not self._pending:
            return
        rows = pa.Table.from_batches(self._pending)
        whole = rows.num_rows if everything else rows.num_rows - rows.num_rows % _CHUNK_ROWS
        for start in range(0, whole, _CHUNK_ROWS):
            self._end_chunk()
            size = min(_CHUNK_ROWS, whole - start)
            self._chunk = Chunk(rows.slice(start, size), self._streams, self._correlated)
            for name in self._streams:
                self._workers.submit(self._chunk.fold, name)
        rest = rows.slice(whole)
        self._pending, self._n_pending = rest.to_batches(), rest.num_rows

    def _end_chunk(self) -> None:
        """Wait for the chunk under way; its pairs are left to run beside the next one."""
        self._workers.wait()
        if self._chunk is not None and self._correlated:
            self._workers.submit(self._correlate, self._chunk)
        self._chunk = None

    def _correlate(self, chunk: Chunk) -> None:
        self._correlations = Correlations.merged([self._correlations, chunk.correlations()])


def _stream(
    field: pa.Field, categorical: Collection[str]
) -> NumericStream | TimeStream | CategoryStream:
    kind = kind_of(field.name, field.type)
    if field.name in categorical:
        return CategoryStream(field.type)
    if kind == "numeric":
        return NumericStream()
    return TimeStream() if kind == "time" else CategoryStream(field.type)
