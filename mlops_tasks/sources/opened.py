"""A file whose columns are known, and errors that name it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mlops_tasks.sources.failures import Failures

__all__ = ["BATCH_ROWS", "BLOCK_BYTES", "Opened", "file_size", "naming"]

BATCH_ROWS = 65_536
BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose columns are known.

    Attributes
    ----------
    path : str
        Within its file system.
    size : int
        Bytes.
    schema : Schema
        Its columns.
    batches : callable
        Reads the rows, from the beginning.
    """

    path: str
    size: int
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]


@contextmanager
def naming(path: str, failures: Failures) -> Iterator[None]:
    """Name the file in what is wrong with its content.

    Parameters
    ----------
    path : str
        The file.
    failures : Failures
        Makes the errors.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, ValueError) as error:
        raise failures.content(path, error) from error
    except OSError as error:  # Arrow's own have no number
        if error.errno is None and type(error) is OSError and "AWS Error" not in str(error):
            raise failures.content(path, error) from error
        raise


def file_size(filesystem: Any, path: str) -> int:
    """Return the size of a file.

    Parameters
    ----------
    filesystem : FileSystem
        Where.
    path : str
        The file.

    Returns
    -------
    int
        Bytes.
    """
    return int(filesystem.get_file_info(path).size or 0)
