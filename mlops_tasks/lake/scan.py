"""Rows of data files: each is compared with what was committed, then read or streamed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.schema import PARTITION_COLUMN
from mlops_tasks.workers import n_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake.data_files import DataFile

__all__ = ["damage_reported", "open_files", "prefetch", "stream"]

_BATCH_ROWS = 131_072
_MAX_THREADS = 4


def open_files(
    table: str, folder: Path, files: Sequence[DataFile], schema: pa.Schema
) -> ds.Dataset:
    """Return a dataset over files that have the size and the number of rows of their commits.

    A column that a file lacks is null there. One ``stat`` and one footer per file, no row: another
    valid file in its place is noticed; cells are for the page checksums and `Table.verify_pin`.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    days = pa.schema([pa.field(PARTITION_COLUMN, pa.string())])
    with damage_reported(table):
        for file in files:
            _compare(table, folder, file, (folder / file.path).stat().st_size, file.size, "bytes")
        found: ds.Dataset = ds.dataset(
            [str(folder / file.path) for file in files],
            schema=schema,
            partitioning=ds.partitioning(days, flavor="hive"),
            partition_base_dir=str(folder),
            format=ds.ParquetFileFormat(default_fragment_scan_options=checked),
        )
        found.count_rows()  # reads the footers, several at once; the fragments keep them
        for file, fragment in zip(files, found.get_fragments(), strict=True):
            _compare(table, folder, file, fragment.count_rows(), file.n_rows, "rows")
    return found


@contextmanager
def damage_reported(table: str) -> Iterator[None]:
    """Turn what the file system or Parquet says into an error that names table and fix."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DamagedTableError(
            f"table {table!r}: a data file cannot be read, it is gone ({error}); `mlops lake "
            "vacuum` removes old versions that nothing pins, restore any other from a backup"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise DamagedTableError(
            f"table {table!r}: a data file cannot be read as it was written ({error}); restore "
            "the file, or ingest the partition again"
        ) from error


def stream(rows: ds.Dataset, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of all rows in order, never more than a row group ahead of their use."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    # Arrow's threads and buffers would read the file to its end while the first batch is used.
    options = ds.ParquetFragmentScanOptions(pre_buffer=False, page_checksum_verification=True)
    for batch in rows.to_batches(
        columns=list(columns),
        batch_size=_BATCH_ROWS,
        batch_readahead=0,
        fragment_readahead=0,
        fragment_scan_options=options,
        use_threads=False,
    ):
        yield pa.Table.from_batches([batch])


def prefetch(rows: ds.Dataset) -> Iterator[pa.RecordBatch]:
    """Yield all rows in order, read by every core, one row group per core ahead of their use.

    Arrow's own scanner may hold a gigabyte that nobody has asked for yet, and is no faster: the
    kernel has to find that memory.
    """

    def read(group: ds.Fragment) -> list[pa.RecordBatch]:
        return list(group.to_batches(schema=rows.schema, use_threads=False))

    threads = min(n_threads(), _MAX_THREADS)
    begun: deque[Future[list[pa.RecordBatch]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for file in rows.get_fragments():
                for group in file.split_by_row_group():
                    begun.append(pool.submit(read, group))
                    if len(begun) > threads:
                        yield from begun.popleft().result()
            while begun:
                yield from begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _compare(
    table: str, folder: Path, file: DataFile, found: int, committed: int, what: str
) -> None:
    if found != committed:
        raise DamagedTableError(
            f"table {table!r}: data file {folder / file.path} has {found} {what}, {committed} "
            "were committed: it was cut or replaced; restore the file, or ingest the partition "
            "again"
        )
