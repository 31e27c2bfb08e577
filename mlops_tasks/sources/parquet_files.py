"""Parquet files: their own types count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.errors import UnfitColumnError
from mlops_tasks.sources.formats import BATCH_ROWS, BLOCK_BYTES, OpenedFile, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import FileSource

__all__ = ["open_parquet", "parquet_batches"]

_READING = {"pre_buffer": False, "buffer_size": BLOCK_BYTES, "page_checksum_verification": True}
# INT96, which Spark writes, has days of any year, and nanoseconds of a day. Arrow makes nanoseconds
# since 1970 of it, which wrap around beyond 1677 and 2262, or microseconds, which lose digits.
_OLD_TIMES = {"coerce_int96_timestamp_unit": "us"}


def open_parquet(
    filesystem: Any, paths: Sequence[str], request: Request[FileSource]
) -> list[OpenedFile]:
    """Open Parquet files; damaged pages are noticed where a file has checksums."""
    return [_opened(filesystem, path, request) for path in paths]


def parquet_batches(
    path: str, filesystem: Any, request: Request[Any] | None = None
) -> Iterator[pa.RecordBatch]:
    """Read a file page by page, never a whole row group at once; only what a request keeps."""
    import pyarrow.parquet as pq

    def batches(file: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)

    with pq.ParquetFile(path, filesystem=filesystem, **_READING, **_OLD_TIMES) as file:
        columns = None if request is None else _wanted(file.schema_arrow, request)
        old = [name for name in _old_times(file) if columns is None or name in columns]
        if not old:
            yield from batches(file, columns)
            return
        with pq.ParquetFile(path, filesystem=filesystem, **_READING) as in_nanoseconds:
            both = zip(batches(file, columns), batches(in_nanoseconds, old), strict=True)
            for batch, times in both:
                _refuse_finer(batch, times, request)
                yield batch


def _wanted(schema: pa.Schema, request: Request[Any]) -> list[str]:
    """Return the columns to read: others may be of a kind that cannot be."""
    contract = request.contract.names
    if request.spec.extra_columns == "ignore":
        return [name for name in schema.names if name in contract]
    return [name for name in schema.names if name not in request.findings.left_out]


def _old_times(file: pq.ParquetFile) -> list[str]:
    columns = (file.schema.column(number) for number in range(len(file.schema)))
    return [c.name for c in columns if c.physical_type == "INT96" and c.path == c.name]


def _refuse_finer(
    batch: pa.RecordBatch, in_nanoseconds: pa.RecordBatch, request: Request[Any] | None
) -> None:
    """Refuse times that microseconds do not hold; both may have wrapped around alike."""
    import numpy as np
    import pyarrow as pa

    for name in in_nanoseconds.schema.names:
        whole, fine = (
            rows.column(name).cast(pa.int64()).fill_null(0).to_numpy()
            for rows in (batch, in_nanoseconds)
        )
        if (whole * np.int64(1000) != fine).any():
            reason = "it has times with fractions finer than a microsecond"
            if request is not None and name not in request.contract.names:
                raise UnfitColumnError(f"column {name!r}: {reason}", name, reason)
            raise ValueError(f"column {name!r}: {reason}")


def _opened(filesystem: Any, path: str, request: Request[FileSource]) -> OpenedFile:
    import pyarrow.parquet as pq

    errors = request.errors

    def batches() -> Iterator[pa.RecordBatch]:
        with naming(path, errors):
            yield from parquet_batches(path, filesystem, request)

    reading = {**_READING, **_OLD_TIMES}
    with naming(path, errors), pq.ParquetFile(path, filesystem=filesystem, **reading) as file:
        schema = file.schema_arrow
    return OpenedFile(path, schema, batches, declares_nulls=True)
