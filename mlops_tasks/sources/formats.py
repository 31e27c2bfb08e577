"""What every file format gives: files whose columns are known, and errors that name the file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mlops_tasks.sources.errors import SourceErrors

__all__ = ["BATCH_ROWS", "BLOCK_BYTES", "OpenedFile", "naming", "text_start"]

BATCH_ROWS = 65_536
BLOCK_BYTES = 2**20

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What else a file that is called text may begin with, and what is to be done.
_NO_UTF_8 = {
    b"\xff\xfe": "it is UTF-16; have it written as UTF-8",
    b"\xfe\xff": "it is UTF-16; have it written as UTF-8",
    b"\x1f\x8b": "it is packed; have its name end in .gz",
    b"(\xb5/": "it is packed; have its name end in .zst",
    b"PK\x03": "it is a ZIP archive, as workbooks of Excel are; have the text itself delivered",
}


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


def text_start(stream: Any) -> bytes:
    """Return the first bytes of a text, without its byte order mark.

    Raises ValueError if they are those of something else.
    """
    start: bytes = stream.read(len(_BYTE_ORDER_MARK))
    for mark, what in _NO_UTF_8.items():
        if start.startswith(mark):
            raise ValueError(what)
    return start.removeprefix(_BYTE_ORDER_MARK)


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
