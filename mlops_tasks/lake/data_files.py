"""Parquet files of a partition: streamed, checksummed page by page, on disk before they count."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.atomic_files import sync
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.digest import ContentDigest
from mlops_tasks.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

__all__ = ["DataFile", "WrittenRows", "link_files", "remove_files", "write_rows"]

_ROW_GROUP_ROWS = 131_072
_FILE_BYTES = 512 * 2**20
# Categories fit. A larger dictionary of values that hardly repeat costs half of all time to write,
# and a third more bytes than the values themselves, compressed.
_DICTIONARY_BYTES = 2**15
# What a file system says that has no hard links, or no room for one more.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a table: path relative to the table's folder, bytes, rows."""

    path: str
    size: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """Files that hold a partition's new content but are part of no version yet."""

    files: tuple[DataFile, ...]
    n_rows: int
    digest: str
    columns: tuple[str, ...]


def write_rows(
    folder: Path, stem: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> WrittenRows:
    """Stream batches into new files; whatever goes wrong, no file is left behind.

    Parameters
    ----------
    folder : Path
        The table's folder.
    stem : str
        Relative path of the files without number and suffix; unique for every attempt.
    batches : iterable of RecordBatch
        The rows; one row group of them is in memory at a time.
    schema : Schema
        Of every batch.

    Returns
    -------
    WrittenRows
        The files, on disk for certain, with row count and content digest of all rows.
    """
    digest = ContentDigest()
    files: list[DataFile] = []
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    with _removed_on_failure(folder, files):
        for number, group in enumerate(_by_size(_row_groups(batches, schema, digest))):
            path = f"{stem}-{number}.parquet"
            files.append(DataFile(path, 0, 0))  # known, so that it is removed on failure
            files[-1] = _write(folder, path, group, schema)
            fault_point("publish:mid_write")
    digest.update(schema.empty_table())  # an empty partition still has its columns
    columns = tuple(sorted(schema.names))
    return WrittenRows(tuple(files), digest.n_rows, digest.hexdigest(), columns)


def link_files(
    source: Path, files: Iterable[DataFile], folder: Path, stem: str
) -> tuple[DataFile, ...]:
    """Let another table share files: data files never change, so one content serves both.

    Parameters
    ----------
    source : Path
        Folder of the table that has them.
    files : iterable of DataFile
        Files of that table, on disk for certain.
    folder, stem
        As for `write_rows`.

    Returns
    -------
    tuple of DataFile
        The same files under their new names, on disk for certain. Where a file system has no hard
        links they are copies. Whatever goes wrong, none is left behind.
    """
    linked: list[DataFile] = []
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    with _removed_on_failure(folder, linked):
        for number, file in enumerate(files):
            linked.append(replace(file, path=f"{stem}-{number}.parquet"))
            _link(source / file.path, folder / linked[-1].path)
            fault_point("publish:mid_write")
        sync((folder / stem).parent)
    return tuple(linked)


def remove_files(folder: Path, files: Iterable[DataFile]) -> None:
    """Remove files of a table that no version refers to; those that are gone already are fine.

    Parameters
    ----------
    folder : Path
        The table's folder.
    files : iterable of DataFile
        The files.
    """
    for file in files:
        (folder / file.path).unlink(missing_ok=True)


@contextmanager
def _removed_on_failure(folder: Path, files: list[DataFile]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        remove_files(folder, files)
        raise


def _link(old: Path, new: Path) -> None:
    try:
        new.hardlink_to(old)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(old, new)
        sync(new)


def _row_groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, digest: ContentDigest
) -> Iterator[pa.Table]:
    """Gather small batches into row groups of a useful size, digesting all that passes."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        digest.update(batch)
        held.append(batch)
        if sum(part.num_rows for part in held) >= _ROW_GROUP_ROWS:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)


def _by_size(groups: Iterator[pa.Table]) -> Iterator[Iterator[pa.Table]]:
    """Cut the stream of row groups into one stream per file."""
    rest: list[pa.Table] = []

    def file() -> Iterator[pa.Table]:
        written = 0
        while rest and written < _FILE_BYTES:
            group = rest.pop()
            written += group.nbytes
            yield group
            rest.extend(_next(groups))

    rest.extend(_next(groups))
    while rest:
        yield file()


def _next(groups: Iterator[pa.Table]) -> list[pa.Table]:
    return [group for group in (next(groups, None),) if group is not None]


def _write(folder: Path, path: str, groups: Iterator[pa.Table], schema: pa.Schema) -> DataFile:
    import pyarrow.parquet as pq

    target, n_rows = folder / path, 0
    with (
        pq.ParquetWriter(
            target,
            schema,
            compression="zstd",
            compression_level=1,
            write_page_checksum=True,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
        ) as writer,
        Workers() as behind,
    ):
        for group in groups:  # the next one is fetched and digested while this one is written
            behind.wait()
            behind.submit(writer.write_table, group, _ROW_GROUP_ROWS)
            n_rows += group.num_rows
    sync(target)
    sync(target.parent)
    return DataFile(path, target.stat().st_size, n_rows)
