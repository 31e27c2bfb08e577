"""Pins: the exact commits that a model was made from, under one digest."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.differences import difference
from mlops_tasks.lake.digest import ContentDigest
from mlops_tasks.lake.references import Pin
from mlops_tasks.workers import n_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.lake.table import Lake

__all__ = ["make_pin", "verify_commits"]

_BATCH_ROWS = 65_536
_MAX_THREADS = 4
# Below so many bytes per cell a column chunk holds few different texts, each by its number.
_REPETITIVE_BYTES = 6


def make_pin(
    table: str, first: str, last: str, columns: tuple[str, ...], commits: Sequence[Commit]
) -> Pin:
    """Return the pin of given commits.

    Parameters
    ----------
    table, first, last, columns
        What the pin is about.
    commits : sequence of Commit
        One per partition.

    Returns
    -------
    Pin
        Its digest is the SHA-256 over the sorted lines ``<day> <rows> <content digest>``, so it
        depends on nothing but the content of the days.
    """
    ordered = sorted(commits, key=lambda commit: commit.partition)
    lines = [f"{commit.partition} {commit.n_rows} {commit.digest}" for commit in ordered]
    return Pin(
        table=table,
        first=first,
        last=last,
        versions=tuple(commit.version for commit in ordered),
        columns=columns,
        n_rows=sum(commit.n_rows for commit in ordered),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    )


def verify_commits(lake: Lake, table: str, commits: Sequence[Commit]) -> None:
    """Read every row of given commits and compare it with the digest of its commit.

    Parameters
    ----------
    lake : Lake
        The lake.
    table : str
        The table.
    commits : sequence of Commit
        What to prove.

    Raises
    ------
    DamagedTableError
        Naming the first difference: partition, file, and columns or rows.

    Notes
    -----
    Every core reads and digests its share of the row groups; O(bytes), a row group per core in
    memory.
    """
    threads = min(n_threads(), _MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            [pool.submit(_digest, lake, table, commit, share, threads) for share in range(threads)]
            for commit in commits
            if commit.files
        ]
        try:
            for commit, shares in zip((c for c in commits if c.files), jobs, strict=True):
                digest = ContentDigest()
                for share in shares:
                    digest.merge(share.result())
                if digest.hexdigest() != commit.digest:
                    raise DamagedTableError(
                        f"{_place(table, commit)}: content has digest {digest.hexdigest()[:12]}, "
                        f"committed was {commit.digest[:12]}: "
                        + difference(commit, digest, _rows(lake, table, commit))
                    )
        finally:
            pool.shutdown(cancel_futures=True)


def _digest(lake: Lake, table: str, commit: Commit, share: int, of: int) -> ContentDigest:
    """Digest every n-th row group of a commit's files."""
    digest = ContentDigest()
    for _, _, batch in _rows(lake, table, commit, share, of):
        digest.update(batch)
    return digest


def _rows(
    lake: Lake, table: str, commit: Commit, share: int = 0, of: int = 1
) -> Iterator[tuple[str, int, pa.RecordBatch]]:
    """Yield name of the file, number of the first row, and rows, checksums verified."""
    import pyarrow as pa

    for file in commit.files:
        path = lake.folder(table) / file.path
        try:
            with _open(path) as parquet:
                yield path.name, 0, pa.RecordBatch.from_pylist([], parquet.schema_arrow)
                starts = _starts(parquet)
                for group in range(share, parquet.num_row_groups, of):
                    number = starts[group]
                    for batch in parquet.iter_batches(_BATCH_ROWS, [group], use_threads=False):
                        yield path.name, number, batch
                        number += batch.num_rows
        except (OSError, pa.ArrowException, TypeError) as error:
            raise DamagedTableError(
                f"{_place(table, commit)}: {path.name} cannot be read as it was written ({error})"
            ) from error


def _open(path: Path) -> pq.ParquetFile:
    """Open a file, its repetitive texts as a dictionary: each is digested once."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    repetitive = [
        metadata.schema.column(number).path
        for number in range(metadata.num_columns)
        if metadata.schema.column(number).physical_type == "BYTE_ARRAY"
        and all(
            _is_repetitive(metadata.row_group(group).column(number))
            for group in range(metadata.num_row_groups)
        )
    ]
    return pq.ParquetFile(
        path, metadata=metadata, read_dictionary=repetitive, page_checksum_verification=True
    )


def _is_repetitive(chunk: pq.ColumnChunkMetaData) -> bool:
    size: int = chunk.total_uncompressed_size
    return bool(chunk.has_dictionary_page and size < _REPETITIVE_BYTES * chunk.num_values)


def _starts(parquet: pq.ParquetFile) -> list[int]:
    """Return the number of the first row of each row group."""
    starts = [0]
    for group in range(parquet.num_row_groups):
        starts.append(starts[-1] + parquet.metadata.row_group(group).num_rows)
    return starts


def _place(table: str, commit: Commit) -> str:
    return f"table {table!r} version {commit.version}, partition {commit.partition}"
