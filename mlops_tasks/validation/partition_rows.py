"""The rows of one committed partition, chunk by chunk, always in the same order.

Chunks are as large as ``MLOPS_VALIDATION_MEMORY`` has room for, which is set by the machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ByteSize, TypeAdapter, ValidationError

from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake.scan import damage_reported

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Commit, Table

__all__ = ["MEMORY_VARIABLE", "PartitionRows", "memory_limit", "rows_within"]

MEMORY_VARIABLE = "MLOPS_VALIDATION_MEMORY"
_DEFAULT_MEMORY = "1GB"
# A row is there as it was read, as a frame, and in what is computed of that: measured, three
# times its size in Arrow at the peak.
_COPIES = 3
# Row flags lie eight to a byte.
_MIN_ROWS = 8
# The first rows show how large one is.
_SAMPLE_ROWS = 1024


def memory_limit() -> tuple[str, int]:
    """Return the limit as it is written in ``MLOPS_VALIDATION_MEMORY``, and in bytes.

    Written as DuckDB's: ``1GB`` (the default) is 10**9 bytes, ``1GiB`` 2**30. It counts what the
    rows of a chunk take; the process itself takes about 300 MB beside it.
    """
    text = os.environ.get(MEMORY_VARIABLE, _DEFAULT_MEMORY)
    try:
        # pydantic reads a number without a unit as bytes, and "80%" as 80 of them.
        if text.strip()[-1:] in ("B", "b"):
            return text, int(TypeAdapter(ByteSize).validate_python(text.strip()))
    except ValidationError:
        pass
    raise SpecError(f"{MEMORY_VARIABLE} is {text!r}, which is no size; write it like 500MB or 2GB")


def rows_within(row_bytes: float) -> int:
    """Return how many rows of a size in Arrow may be judged at once."""
    _, limit = memory_limit()
    return max(int(limit / (_COPIES * max(row_bytes, 1))), _MIN_ROWS)


@dataclass(slots=True)
class PartitionRows:
    """One partition at one version: held in memory if it fits one chunk, streamed otherwise."""

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

        How large a row is, is read off the first ones, and is at least its share of the recorded
        bytes of the files.
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
    def partition(self) -> str:
        """Key of the partition."""
        return self.commit.partition

    @property
    def n_rows(self) -> int:
        """Rows of the partition, as committed."""
        return self.commit.n_rows

    @property
    def n_chunks(self) -> int:
        """Number of chunks; 1 for a small partition."""
        return max(-(-self.n_rows // self.chunk_rows), 1)

    def chunks(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Yield the position of the first row and the rows of every chunk, in order."""
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

    def load(self, names: Sequence[str]) -> pa.Table:
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
