"""Rows of a table as a stream that never runs ahead of its use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.table import Lake

__all__ = ["stream_rows"]

_BATCH_ROWS = 131_072


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
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    # Arrow's threads and buffers would read the file to its end while the first batch is used.
    options = ds.ParquetFragmentScanOptions(pre_buffer=False, page_checksum_verification=True)
    for batch in lake.scan(table, commits).to_batches(
        columns=list(columns),
        batch_size=_BATCH_ROWS,
        batch_readahead=0,
        fragment_readahead=0,
        fragment_scan_options=options,
        use_threads=False,
    ):
        yield pa.Table.from_batches([batch])
