"""The rows of one committed partition, chunk by chunk, always in the same order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.lake.scan import damage_reported
from mlops_tasks.validation.memory import MEMORY_VARIABLE, memory_limit, rows_within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Table

__all__ = ["PartitionRows", "to_frame"]

# The first rows tell how large one is.
_SAMPLE_ROWS = 1024
# Beyond it neighbouring integers are the same float.
_EXACT_FLOAT = 2**53


@dataclass(slots=True)
class PartitionRows:
    """One partition at one version: held in memory if it fits one chunk, streamed otherwise.

    Parameters
    ----------
    table : Table
        Its table.
    commit : Commit
        The commit that wrote it.
    chunk_rows : int
        Rows of a chunk, at least 1.
    """

    table: Table
    commit: Commit
    chunk_rows: int
    schema: pa.Schema = field(init=False)
    _whole: pa.Table | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.schema = self.table.schema

    @classmethod
    def within_memory(cls, table: Table, commit: Commit) -> PartitionRows:
        """Return the rows in chunks that ``MLOPS_VALIDATION_MEMORY`` has room for.

        Parameters
        ----------
        table : Table
            Their table.
        commit : Commit
            The commit that wrote them. How large a row is, is read off the first ones, and is at
            least its share of the recorded bytes of the files.

        Raises
        ------
        DamagedTableError
            If a file cannot be read as it was written.
        """
        return cls(table, commit, rows_within(_row_bytes(table, commit)))

    @property
    def how(self) -> str:
        """In how many chunks, and why, as a person reads it."""
        if self.n_chunks == 1:
            return "all rows at once"
        limit, _ = memory_limit()
        return (
            f"{self.n_chunks:,} chunks of {self.chunk_rows:,} rows, for {MEMORY_VARIABLE}={limit}"
        )

    @property
    def n_rows(self) -> int:
        """Rows of the partition, as committed."""
        return self.commit.n_rows

    @property
    def n_chunks(self) -> int:
        """Number of chunks; 1 for a small partition."""
        return max(-(-self.n_rows // self.chunk_rows), 1)

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Yield the position of the first row and the rows of every chunk, in order.

        Parameters
        ----------
        columns : collection of str, optional
            Only these; the smaller the selection, the less is read.

        Raises
        ------
        DamagedTableError
            If a file cannot be read as it was written.
        """
        names = self._names(columns)
        if self.n_chunks == 1:
            if self._whole is None:
                self._whole = self.table.load([self.commit])
            yield 0, self._whole.select(names)
        else:
            yield from self._streamed(columns)

    def pieces(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Yield what `chunks` does, cut as the files are: never more than a row group at once."""
        import pyarrow as pa

        names, start = self._names(columns), 0
        pieces: Iterator[pa.Table]
        if self.n_chunks == 1:
            ((_, whole),) = self.chunks(columns)
            pieces = map(pa.Table.from_batches, ([batch] for batch in whole.to_batches()))
        else:
            pieces = self.table.stream([self.commit], names)
        for rows in pieces:
            yield start, rows
            start += rows.num_rows

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all rows at once, for what cannot be judged in chunks."""
        import pyarrow as pa

        tables = [chunk for _, chunk in self.chunks(names)]
        return pa.concat_tables(tables) if len(tables) > 1 else tables[0]

    def take(self, positions: Sequence[int], columns: Collection[str] | None = None) -> pa.Table:
        """Return the rows at ascending positions; only the rows that are asked for are kept."""
        import numpy as np
        import pyarrow as pa

        wanted, parts, done = np.asarray(positions, np.int64), [], -1
        pieces = self.pieces(columns)
        while done < len(wanted):  # the rest need not be read
            start, piece = next(pieces)
            first, done = np.searchsorted(wanted, [start, start + piece.num_rows])
            parts.append(piece.take(pa.array(wanted[first:done] - start)))
        return pa.concat_tables(parts)

    def _names(self, columns: Collection[str] | None) -> list[str]:
        return self.schema.names if columns is None else sorted(set(columns))

    def _streamed(self, columns: Collection[str] | None) -> Iterator[tuple[int, pa.Table]]:
        import pyarrow as pa

        start, held = 0, self.schema.empty_table().select(self._names(columns))
        for _, piece in self.pieces(columns):
            held = pa.concat_tables([held, piece])
            while held.num_rows >= self.chunk_rows:
                yield start, held.slice(0, self.chunk_rows)
                start, held = start + self.chunk_rows, held.slice(self.chunk_rows)
        if held.num_rows:
            yield start, held


def to_frame(rows: pa.Table, positions: Sequence[int] | None = None) -> pd.DataFrame:
    """Return columns as pandas judges them, the same whatever else is in the chunk.

    Parameters
    ----------
    rows : Table
        Some columns.
    positions : sequence of int, optional
        Index of the frame; 0, 1, 2, … by default.

    Returns
    -------
    DataFrame
        Nulls and NaN are missing. Integers beside nulls become floats only where those are exact,
        and days become midnights in UTC.
    """
    import pandas as pd

    frame = pd.DataFrame({name: _series(rows.column(name)) for name in rows.column_names})
    if not rows.column_names:  # a count of rows needs no column
        return pd.DataFrame(index=pd.RangeIndex(rows.num_rows))
    if positions is not None:
        frame.index = pd.Index(positions)
    return frame


def _series(column: pa.ChunkedArray) -> pd.Series:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) and column.null_count:
        ends = pc.min_max(column).as_py()
        if max(abs(ends["min"] or 0), abs(ends["max"] or 0)) > _EXACT_FLOAT:
            exact: pd.Series = column.to_pandas(types_mapper=lambda _: pd.Int64Dtype())
            return exact
    if pa.types.is_date(column.type):  # else objects, which compare with nothing in a suite
        column = pc.cast(column, pa.timestamp("us", tz="UTC"))
    series: pd.Series = column.to_pandas()
    return series


def _row_bytes(table: Table, commit: Commit) -> float:
    """Estimate the size of a row in memory."""
    import pyarrow.parquet as pq

    if not commit.n_rows:
        return 0.0
    recorded = sum(file.size for file in commit.files) / commit.n_rows
    path = next(file.path for file in commit.files if file.n_rows)
    options = {"pre_buffer": False, "buffer_size": 2**20, "page_checksum_verification": True}
    with damage_reported(table.name), pq.ParquetFile(table.folder / path, **options) as file:
        first = next(file.iter_batches(_SAMPLE_ROWS, use_threads=False))
        sampled: float = first.nbytes / first.num_rows
        return max(sampled, recorded)
