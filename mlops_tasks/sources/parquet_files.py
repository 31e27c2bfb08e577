"""Parquet files: their own types count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.opened import BATCH_ROWS, BLOCK_BYTES, Opened, file_size, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.source_spec import FileSource
    from mlops_tasks.sources.expected import Expected
    from mlops_tasks.sources.failures import Failures

__all__ = ["open_parquet"]

_READING = {"pre_buffer": False, "buffer_size": BLOCK_BYTES, "page_checksum_verification": True}


def open_parquet(
    filesystem: Any,
    paths: Sequence[str],
    source: FileSource,
    expected: Expected,
    failures: Failures,
) -> list[Opened]:
    """Open Parquet files; damaged pages are noticed where a file has checksums.

    Parameters
    ----------
    filesystem : FileSystem
        Where.
    paths : sequence of str
        Which files.
    source : FileSource
        Not needed here.
    expected : Expected
        Not needed here.
    failures : Failures
        Makes the errors.

    Returns
    -------
    list of Opened
        The files; one row group's columns are in memory page by page, not whole.
    """
    return [_opened(filesystem, path, failures) for path in paths]


def _opened(filesystem: Any, path: str, failures: Failures) -> Opened:
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        with (
            naming(path, failures),
            pq.ParquetFile(path, filesystem=filesystem, **_READING) as file,
        ):
            yield from file.iter_batches(BATCH_ROWS, use_threads=False)

    with naming(path, failures), pq.ParquetFile(path, filesystem=filesystem, **_READING) as file:
        schema = file.schema_arrow
    return Opened(path, file_size(filesystem, path), schema, batches)
