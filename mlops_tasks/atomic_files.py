"""Small files that are there whole or not at all, and folders that stay."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_folder", "replace_file", "sync"]


def sync(path: Path) -> None:
    """Make sure that a file or the entries of a folder survive a power cut.

    Parameters
    ----------
    path : Path
        Of either.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each entered for certain in the one above it.

    Parameters
    ----------
    path : Path
        Nothing is done if it is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder, "a", "b"))
    ...     Path(folder, "a", "b").is_dir()
    True
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file; a reader sees the old content or the new one, also after a power cut.

    Parameters
    ----------
    path : Path
        Where to; missing folders are made. Who may read it follows from the process's umask.
    content : bytes
        All of it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder, "a", "b.txt"), b"all of it")
    ...     Path(folder, "a", "b.txt").read_bytes()
    b'all of it'
    """
    make_folder(path.parent)
    new = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)
