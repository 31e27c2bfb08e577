"""Files of one day: found by a template below a root, read one after another."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from mlops_tasks.sources.connection import unusable_connection
from mlops_tasks.sources.csv_files import open_csv
from mlops_tasks.sources.errors import attempt, guarded
from mlops_tasks.sources.jsonl_files import open_jsonl
from mlops_tasks.sources.parquet_files import open_parquet
from mlops_tasks.sources.source import SourceStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.sources.errors import SourceErrors
    from mlops_tasks.sources.formats import OpenedFile
    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs.source import FileSource

__all__ = ["FORMATS", "FileStore", "day_path", "glob_pattern"]

_ACCESS = ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "HTTP status 403", "status 401")
_GONE = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "does not exist")


#: How the files of each format are opened, all of a day at once.
FORMATS: dict[str, Callable[[Any, Sequence[str], Request[FileSource]], list[OpenedFile]]] = {
    "csv": open_csv,
    "jsonl": open_jsonl,
    "parquet": open_parquet,
}


@dataclass(frozen=True, slots=True)
class FileStore:
    """A folder on a disk or in an object store.

    Attributes
    ----------
    filesystem : FileSystem
        From `pyarrow.fs`.
    root : str
        Path within it that no file lies outside of.
    secrets : tuple of str
        What must never be printed.
    """

    filesystem: Any
    root: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the folder that is the ``path`` of a connection's extra.

        A disk and S3 are reached by Arrow itself, other stores by way of Airflow.
        """
        from pyarrow import fs

        address = urlsplit(connection.root)
        if address.scheme in ("", "file"):
            return cls(fs.LocalFileSystem(), address.path.rstrip("/") or "/", connection.secrets)
        if address.scheme in ("s3", "s3a"):
            root = f"{address.netloc}{address.path}".rstrip("/")
            return cls(_s3(connection), root, connection.secrets)
        try:
            if connection.object_store is None:
                raise ValueError("only Airflow knows other stores")
            storage, root = connection.object_store(connection.root)
        except (ImportError, ValueError) as error:  # no such scheme, or no provider for it
            reason = (
                f"its 'path' {connection.root!r} has a scheme that nothing reads here ({error})"
            )
            raise unusable_connection(
                connection.conn_id,
                f"{reason}; install the Airflow provider of that store, or correct the path",
            ) from None
        filesystem = fs.PyFileSystem(fs.FSSpecHandler(storage))
        return cls(filesystem, root.rstrip("/"), connection.secrets)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return str(self.filesystem.type_name) == "local"

    @contextmanager
    def open(self, request: Request[FileSource]) -> Iterator[SourceStream]:
        """Open a day's files as one stream; the columns of all are known beforehand."""
        source, errors = request.source, request.errors

        def explain(error: Exception) -> MlopsError | None:
            return _explain(error, errors)

        if self.is_local and not os.path.isdir(self.root):
            what = "is no folder" if os.path.exists(self.root) else "does not exist"
            raise errors.access(f"its path, the folder {self.root!r}, {what}")
        paths = attempt(lambda: _find(source, request.partition, self), explain)
        if not paths:
            path = day_path(source.path, request.partition)
            raise errors.not_found(f"no file {path!r} below {self.root!r}{_others(self, path)}")
        opener = FORMATS[source.format]
        files = attempt(lambda: opener(self.filesystem, paths, request), explain)
        infos = attempt(lambda: self.filesystem.get_file_info(paths), explain)
        size = sum(info.size or 0 for info in infos) / 1e6
        yield SourceStream(
            _together(files),
            guarded(_batches(files), explain),
            f"{len(files)} {source.format} files, {size:.1f} MB",
            tuple((file.path, file.schema) for file in files),
            # A read that is under way ends by itself: by its time-out at the latest.
            cancel=lambda: None,
            never_null=_never_null(files),
        )


def day_path(template: str, partition: Partition) -> str:
    """Fill a path's fields with the partition's key and the numbers in it; globs stay.

    Examples
    --------
    >>> from mlops_tasks.partitions import HOUR, Partition
    >>> day_path("orders/{year}/{month}/{day}/*.csv", Partition("2024-03-01"))
    'orders/2024/03/01/*.csv'
    >>> day_path("{year}-{month}/{day}/{hour}.csv", Partition("2024-03-01T07", grain=HOUR))
    '2024-03/01/07.csv'
    """
    begin = partition.grain.begins(partition.key).isoformat(timespec="hours")
    numbers = {"year": begin[:4], "month": begin[5:7], "day": begin[8:10], "hour": begin[11:]}
    return template.format(partition=partition.key, **numbers)


def glob_pattern(path: str) -> re.Pattern[str]:
    """Translate a glob; ``*`` and ``?`` stay within a folder, ``**`` does not.

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


def _s3(connection: Connection) -> Any:
    from pyarrow import fs

    endpoint = urlsplit(connection.extra.get("endpoint_url") or "")
    options = {
        "access_key": connection.login,
        "secret_key": connection.password,
        "session_token": connection.session_token,
        "region": connection.extra.get("region_name"),
        "endpoint_override": endpoint.netloc,
        "scheme": endpoint.scheme,
    }
    return fs.S3FileSystem(
        **{key: value for key, value in options.items() if value},
        connect_timeout=10,
        request_timeout=30,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )


def _find(source: FileSource, partition: Partition, store: FileStore) -> list[str]:
    """Return the paths of a day's files in a fixed order."""
    from pyarrow import fs

    path = day_path(source.path, partition)
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


def _others(store: FileStore, path: str) -> str:
    """Name a few of what lies where a file is looked for: a slip of the path shows at once."""
    if not store.is_local:  # listing a bucket may take long
        return ""
    fixed = re.split(r"[*?]", path)[0].rpartition("/")[0]
    folder = os.path.join(store.root, fixed)
    if not os.path.isdir(folder):
        return f"; there is no folder {fixed!r}"
    names = sorted(name for name in os.listdir(folder) if name[0] not in "_.")
    if not names:
        return ", which is empty" if not fixed else f"; {fixed!r} is empty"
    shown = [*names[:2], "…", names[-1]] if len(names) > 3 else names
    return f"; there {'is' if len(names) == 1 else 'are'} {', '.join(shown)}"


def _confined(store: FileStore, paths: list[str]) -> list[str]:
    """Refuse links that lead out of a local root."""
    if store.is_local:
        root = os.path.realpath(store.root)
        for path in paths:
            if not os.path.realpath(path).startswith(root + os.sep):
                raise PermissionError(f"{path} leads out of the root {store.root}")
    return paths


def _together(files: list[OpenedFile]) -> pa.Schema:
    """Join the columns of all files; a file without any value of a column says no type."""
    import pyarrow as pa

    found: dict[str, pa.Field] = {}
    for column in (column for file in files for column in file.schema):
        if column.name not in found or pa.types.is_null(found[column.name].type):
            found[column.name] = column
    return pa.schema(list(found.values()))


def _never_null(files: list[OpenedFile]) -> frozenset[str] | None:
    """Return the columns that every file requires; None where files cannot say that."""
    if not all(file.declares_nulls for file in files):
        return None
    required = [{c.name for c in file.schema if not c.nullable} for file in files]
    return frozenset(set.intersection(*required))


def _batches(files: list[OpenedFile]) -> Iterator[pa.RecordBatch]:
    for file in files:
        yield from file.batches()


def _explain(error: Exception, errors: SourceErrors) -> MlopsError | None:
    import pyarrow as pa

    if isinstance(error, pa.ArrowInvalid | UnicodeDecodeError):
        return errors.query(error)
    if not isinstance(error, OSError):
        return None
    text = str(error)
    if isinstance(error, PermissionError) or any(part in text for part in _ACCESS):
        return errors.access(text)
    if isinstance(error, FileNotFoundError) or any(part in text for part in _GONE):
        return errors.not_found(text)
    return errors.unavailable(text)
