"""Files of one day: found by a template below a root, read one after another."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.formats import OPEN
from mlops_tasks.sources.stream import SourceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Day
    from mlops_tasks.sources.connections import FileStore
    from mlops_tasks.sources.expected import Expected
    from mlops_tasks.sources.failures import Failures
    from mlops_tasks.sources.opened import Opened
    from mlops_tasks.specs.source import FileSource

__all__ = ["day_path", "glob_pattern", "read_files"]

_ACCESS = ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "HTTP status 403", "status 401")
_GONE = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "does not exist")


@contextmanager
def read_files(
    source: FileSource, day: Day, store: FileStore, failures: Failures, expected: Expected
) -> Iterator[SourceStream]:
    """Open a day's files as one stream of batches.

    Parameters
    ----------
    source : FileSource
        Which files.
    day : Day
        Fills the path's fields.
    store : FileStore
        Where they are.
    failures : Failures
        Makes the errors.
    expected : Expected
        Columns of the contract and of the table; text formats are read as these.

    Yields
    ------
    SourceStream
        Batches of at most 65,536 rows; the columns of all files together are known beforehand.
    """

    def explain(error: Exception) -> MlopsError | None:
        return _explain(error, failures)

    paths = attempt(lambda: _find(source, day, store), explain)
    if not paths:
        raise failures.not_found(f"no file {day_path(source.path, day)!r} below {store.root!r}")
    opener = OPEN[source.format]
    files = attempt(lambda: opener(store.filesystem, paths, source, expected, failures), explain)
    size = sum(file.size for file in files) / 1e6
    described = f"{len(files)} {source.format} files, {size:.1f} MB"
    parts = tuple((file.path, file.schema) for file in files)
    batches = guarded(_batches(files), explain)
    # A read that is under way ends by itself: by its time-out at the latest.
    yield SourceStream(
        _together(files),
        batches,
        described,
        parts,
        cancel=lambda: None,
        never_null=_never_null(files) if source.format == "parquet" else None,
    )


def day_path(template: str, day: Day) -> str:
    """Fill a path's fields with the day.

    Parameters
    ----------
    template : str
        With ``{partition}``, ``{year}``, ``{month}`` or ``{day}``.
    day : Day
        The day.

    Returns
    -------
    str
        The path; globs stay.

    Examples
    --------
    >>> from mlops_tasks.partitions import Day
    >>> day_path("orders/{year}/{month}/{day}/*.csv", Day("2024-03-01"))
    'orders/2024/03/01/*.csv'
    """
    year, month, number = day.partition.split("-")
    return template.format(partition=day.partition, year=year, month=month, day=number)


def glob_pattern(path: str) -> re.Pattern[str]:
    """Translate a glob; ``*`` and ``?`` stay within a folder, ``**`` does not.

    Parameters
    ----------
    path : str
        The glob.

    Returns
    -------
    Pattern
        To be matched in full.

    Examples
    --------
    >>> bool(glob_pattern("a/*.csv").fullmatch("a/b.csv"))
    True
    >>> bool(glob_pattern("a/*.csv").fullmatch("a/b/c.csv"))
    False
    >>> bool(glob_pattern("a/**/*.csv").fullmatch("a/c.csv"))
    True
    """
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", path)
    return re.compile("".join(parts.get(piece) or re.escape(piece) for piece in pieces))


def _find(source: FileSource, day: Day, store: FileStore) -> list[str]:
    """Return the paths of a day's files in a fixed order."""
    from pyarrow import fs

    path = day_path(source.path, day)
    fixed = re.split(r"[*?]", path)[0]
    if fixed != path:
        folder = f"{store.root}/{fixed.rpartition('/')[0]}".rstrip("/")
        pattern = glob_pattern(f"{store.root.rstrip('/')}/{path}")
    else:
        folder = f"{store.root.rstrip('/')}/{path}".rstrip("/")
        pattern = re.compile(re.escape(folder) + "/.*")
        info = store.filesystem.get_file_info(folder)
        if info.type == fs.FileType.File:
            return _confined(store, [folder])
    selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
    found = [
        info.path
        for info in store.filesystem.get_file_info(selector)
        if info.type == fs.FileType.File and pattern.fullmatch(info.path)
    ]
    hidden = re.compile(r"(^|/)[_.]")
    return _confined(store, sorted(p for p in found if not hidden.search(p[len(folder) :])))


def _confined(store: FileStore, paths: list[str]) -> list[str]:
    """Refuse links that lead out of a local root."""
    if store.filesystem.type_name == "local":
        root = os.path.realpath(store.root)
        for path in paths:
            if not os.path.realpath(path).startswith(root + os.sep):
                raise PermissionError(f"{path} leads out of the root {store.root}")
    return paths


def _together(files: list[Opened]) -> pa.Schema:
    """Join the columns of all files; a file without any value of a column says no type."""
    import pyarrow as pa

    found: dict[str, pa.Field] = {}
    for field in (field for file in files for field in file.schema):
        if field.name not in found or pa.types.is_null(found[field.name].type):
            found[field.name] = field
    return pa.schema(list(found.values()))


def _never_null(files: list[Opened]) -> frozenset[str]:
    """Return the columns that every file requires."""
    required = [{field.name for field in file.schema if not field.nullable} for file in files]
    return frozenset(set.intersection(*required))


def _batches(files: list[Opened]) -> Iterator[pa.RecordBatch]:
    for file in files:
        yield from file.batches()


def _explain(error: Exception, failures: Failures) -> MlopsError | None:
    import pyarrow as pa

    if isinstance(error, pa.ArrowInvalid | UnicodeDecodeError):
        return failures.query(error)
    if not isinstance(error, OSError):
        return None
    text = str(error)
    if isinstance(error, PermissionError) or any(part in text for part in _ACCESS):
        return failures.access(text)
    if isinstance(error, FileNotFoundError) or any(part in text for part in _GONE):
        return failures.not_found(text)
    return failures.unavailable(text)
