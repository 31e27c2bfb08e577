"""What every file format gives: files whose columns are known, and errors that name the file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mlops_tasks.sources.errors import SourceErrors

__all__ = ["BATCH_ROWS", "BLOCK_BYTES", "OpenedFile", "naming"]

BATCH_ROWS = 65_536
BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose columns are known.

    Attributes
    ----------
    path : str
        Within its file system.
    schema : Schema
        Its columns.
    batches : callable
        Reads the rows, from the beginning.
    declares_nulls : bool
        Whether the schema says which columns are never null.
    """

    path: str
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    declares_nulls: bool = False


@contextmanager
def naming(path: str, errors: SourceErrors) -> Iterator[None]:
    """Name the file in what is wrong with its content."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, ValueError) as error:
        raise errors.content(path, error) from error
    except OSError as error:  # Arrow's own have no number
        if error.errno is None and type(error) is OSError and "AWS Error" not in str(error):
            raise errors.content(path, error) from error
        raise
