"""Parquet files: their own types count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.formats import BATCH_ROWS, BLOCK_BYTES, OpenedFile, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlops_tasks.sources.errors import SourceErrors
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
    return [_opened(filesystem, path, request.errors) for path in paths]


def parquet_batches(path: str, filesystem: Any) -> Iterator[pa.RecordBatch]:
    """Read a file page by page, never a whole row group at once."""
    import pyarrow.parquet as pq

    def batches(file: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)

    with pq.ParquetFile(path, filesystem=filesystem, **_READING, **_OLD_TIMES) as file:
        old = _old_times(file)
        if not old:
            yield from batches(file)
            return
        with pq.ParquetFile(path, filesystem=filesystem, **_READING) as in_nanoseconds:
            for batch, times in zip(batches(file), batches(in_nanoseconds, old), strict=True):
                _refuse_finer(batch, times)
                yield batch


def _old_times(file: pq.ParquetFile) -> list[str]:
    columns = (file.schema.column(number) for number in range(len(file.schema)))
    return [c.name for c in columns if c.physical_type == "INT96" and c.path == c.name]


def _refuse_finer(batch: pa.RecordBatch, in_nanoseconds: pa.RecordBatch) -> None:
    """Refuse times that microseconds do not hold; both may have wrapped around alike."""
    import numpy as np
    import pyarrow as pa

    for name in in_nanoseconds.schema.names:
        whole, fine = (
            rows.column(name).cast(pa.int64()).fill_null(0).to_numpy()
            for rows in (batch, in_nanoseconds)
        )
        if (whole * np.int64(1000) != fine).any():
            raise ValueError(f"column {name!r} has times with fractions finer than a microsecond")


def _opened(filesystem: Any, path: str, errors: SourceErrors) -> OpenedFile:
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        with naming(path, errors):
            yield from parquet_batches(path, filesystem)

    reading = {**_READING, **_OLD_TIMES}
    with naming(path, errors), pq.ParquetFile(path, filesystem=filesystem, **reading) as file:
        schema = file.schema_arrow
    return OpenedFile(path, schema, batches, declares_nulls=True)
