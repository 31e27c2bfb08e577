"""Rows of a table as a stream that runs little or not at all ahead of its use."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mlops_tasks.lake.reading import unreadable_told
from mlops_tasks.workers import n_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.table import Lake

__all__ = ["stream_ahead", "stream_rows"]

_BATCH_ROWS = 131_072
_MAX_THREADS = 4


def stream_ahead(rows: ds.Dataset) -> Iterator[pa.RecordBatch]:
    """Yield all rows in order, read by every core, one row group per core ahead of their use.

    Parameters
    ----------
    rows : Dataset
        From `Lake.scan`.

    Yields
    ------
    RecordBatch
        At most a row group.

    Notes
    -----
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


def stream_rows(
    lake: Lake, table: str, commits: Iterable[Commit], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield the rows of commits in order, never more than a row group ahead of their use.

    Parameters
    ----------
    lake : Lake
        Where they are.
    table : str
        The table.
    commits : iterable of Commit
        Of the table.
    columns : sequence of str
        Only these.

    Yields
    ------
    Table
        Of one batch, at most a row group.

    Raises
    ------
    DamagedTableError
        If a file cannot be read as it was written.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    # Arrow's threads and buffers would read the file to its end while the first batch is used.
    options = ds.ParquetFragmentScanOptions(pre_buffer=False, page_checksum_verification=True)
    with unreadable_told(table):
        for batch in lake.scan(table, commits).to_batches(
            columns=list(columns),
            batch_size=_BATCH_ROWS,
            batch_readahead=0,
            fragment_readahead=0,
            fragment_scan_options=options,
            use_threads=False,
        ):
            yield pa.Table.from_batches([batch])
