"""Parquet files of a partition: streamed, checksummed page by page, on disk before they count."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.lake.digest import ContentDigest
from mlops_tasks.storage import new_file, remove, share_file, sync
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
# Of this number of floats that hardly repeat it is known before they are written.
_SAMPLE = 1000


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
    """Stream batches into new files, on disk for certain; whatever goes wrong, none is left behind.

    `stem` is the relative path of the files without number and suffix, unique for every attempt.
    One row group is in memory at a time.
    """
    digest = ContentDigest()
    files: list[DataFile] = []
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    with _removed_on_failure(folder, files):
        for number, group in enumerate(_by_size(_row_groups(batches, schema, digest))):
            path = f"{stem}-{number}.parquet"
            files.append(_write(folder, path, group, schema))
            fault_point("publish:mid_write")
    digest.update(schema.empty_table())  # an empty partition still has its columns
    columns = tuple(sorted(schema.names))
    return WrittenRows(tuple(files), digest.n_rows, digest.hexdigest(), columns)


def link_files(
    source: Path, files: Iterable[DataFile], folder: Path, stem: str
) -> tuple[DataFile, ...]:
    """Let another table share files, on disk for certain: data files never change.

    Whatever goes wrong, none of the new names is left behind.
    """
    linked: list[DataFile] = []
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    with _removed_on_failure(folder, linked):
        for number, file in enumerate(files):
            linked.append(replace(file, path=f"{stem}-{number}.parquet"))
            share_file(source / file.path, folder / linked[-1].path)
            fault_point("publish:mid_write")
        sync((folder / stem).parent)
    return tuple(linked)


def remove_files(folder: Path, files: Iterable[DataFile]) -> None:
    """Remove files of a table that no version refers to; those that are gone already are fine."""
    for file in files:
        remove(folder / file.path)


@contextmanager
def _removed_on_failure(folder: Path, files: list[DataFile]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        remove_files(folder, files)
        raise


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

    n_rows = 0
    first = next(groups)
    repeating, all_groups = _repeating(first), chain(iter([first]), groups)
    del first  # neither a name nor a list may hold this group until the last one is written
    with (
        new_file(folder / path) as target,
        pq.ParquetWriter(
            target,
            schema,
            compression="zstd",
            compression_level=1,
            write_page_checksum=True,
            use_dictionary=repeating,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
        ) as writer,
        Workers() as behind,
    ):
        for group in all_groups:  # the next one is fetched and digested while this one is written
            behind.wait()
            behind.submit(writer.write_table, group, _ROW_GROUP_ROWS)
            n_rows += group.num_rows
    return DataFile(path, target.stat().st_size, n_rows)


def _repeating(rows: pa.Table) -> list[str]:
    """Return the columns that a dictionary may be of use for: all but floats that hardly repeat."""
    import pyarrow as pa
    import pyarrow.compute as pc

    some = rows.slice(0, _SAMPLE)
    return [
        field.name
        for field in rows.schema
        if not pa.types.is_floating(field.type)
        or 2 * pc.count_distinct(some.column(field.name)).as_py() < some.num_rows
    ]
