"""Prove that the rows on disk are those that were committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.digest import ContentDigest
from mlops_tasks.workers import n_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.parquet as pq

    from mlops_tasks.lake.commits import Commit

__all__ = ["verify_commits"]

_BATCH_ROWS = 65_536
_MAX_THREADS = 4
# Below this number of bytes per cell a column chunk holds few different texts, each by its number.
_REPETITIVE_BYTES = 6


def verify_commits(table: str, folder: Path, commits: Sequence[Commit]) -> None:
    """Read every row of given commits and compare it with the digest of its commit.

    Every core reads and digests its share of the row groups; O(bytes), a row group per core in
    memory. The first partition that differs is named, and its file.
    """
    threads = min(n_threads(), _MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            [
                pool.submit(_digest, table, folder, commit, share, threads)
                for share in range(threads)
            ]
            for commit in commits
            if commit.files
        ]
        try:
            for commit, shares in zip((c for c in commits if c.files), jobs, strict=True):
                digest = ContentDigest()
                for share in shares:
                    digest.merge(share.result())
                if digest.hexdigest() != commit.digest:
                    names = ", ".join(Path(file.path).name for file in commit.files)
                    raise DamagedTableError(
                        f"{_place(table, commit)}: content has digest {digest.hexdigest()[:12]}, "
                        f"committed was {commit.digest[:12]}: other cells in as many bytes and "
                        f"rows of {names}; restore the file, or ingest the partition again"
                    )
        finally:
            pool.shutdown(cancel_futures=True)


def _digest(table: str, folder: Path, commit: Commit, share: int, of: int) -> ContentDigest:
    """Digest every n-th row group of a commit's files, checksums verified."""
    import pyarrow as pa

    digest = ContentDigest()
    for file in commit.files:
        path = folder / file.path
        try:
            with _open(path) as parquet:
                _compare(path.stat().st_size, file.size, "bytes")
                _compare(parquet.metadata.num_rows, file.n_rows, "rows")
                digest.update(parquet.schema_arrow.empty_table())
                for group in range(share, parquet.num_row_groups, of):
                    for batch in parquet.iter_batches(_BATCH_ROWS, [group], use_threads=False):
                        digest.update(batch)
        except (OSError, pa.ArrowException, TypeError, ValueError) as error:
            raise DamagedTableError(
                f"{_place(table, commit)}: {path.name} is not as it was written ({error})"
            ) from error
    return digest


def _compare(found: int, committed: int, what: str) -> None:
    if found != committed:
        raise ValueError(f"it has {found} {what}, {committed} were committed")


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


def _place(table: str, commit: Commit) -> str:
    return f"table {table!r} version {commit.version}, partition {commit.partition}"
