"""What is stored: files that are there whole or not at all, and stay there after a power cut.

Everything that the lake, its profiles and its reports keep is written, shared and removed by these
functions and by Delta Lake, nothing else. They work on local disks. An object store has no folders
and nothing to sync, puts an object whole, and shares by copying on its own side.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "create_file",
    "is_temporary",
    "make_folder",
    "new_file",
    "remove",
    "replace_file",
    "share_file",
    "sync",
    "try_links",
]

# What a file system says that has no hard links, or no room for one more.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}
_TEMPORARY = ".tmp"


def sync(path: Path) -> None:
    """Make sure that a file, or the entries of a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each entered for certain in the one above it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file; a reader sees the old content or the new one, also after a power cut.

    Missing folders are made. Who may read it follows from the process's umask.

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
    new = path.with_name(f"{path.name}.{secrets.token_hex(6)}{_TEMPORARY}")
    try:
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        remove(new)
        raise
    sync(path.parent)


def create_file(path: Path, content: bytes, *, private: bool = False) -> bool:
    """Write a file that is not there yet; whatever is there stays, also what others write now.

    Who may read it follows from the process's umask, or where it is `private` nobody else may, at
    no moment.

    Returns
    -------
    bool
        Whether it was written.
    """
    make_folder(path.parent)
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_TEMPORARY}")
    try:
        with new_file(new):
            new.touch(0o600 if private else 0o666)
            new.write_bytes(content)
        path.hardlink_to(new)  # unlike a rename it never replaces a file
    except FileExistsError:
        return False
    finally:
        remove(new)
    sync(path.parent)
    return True


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Have a file written that nobody reads yet: at the end it is on disk for certain, or gone."""
    try:
        yield path
        sync(path)
    except BaseException:
        remove(path)
        raise
    sync(path.parent)


def share_file(old: Path, new: Path) -> None:
    """Give a file that never changes a second name: one content serves both.

    Where a file system has no hard links it is a copy. The name is on disk for certain once the
    folder has been synced.
    """
    try:
        new.hardlink_to(old)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(old, new)
        sync(new)


def try_links(folder: Path) -> None:
    """Give a file of a folder a second name, and rename that; both go again.

    Raises
    ------
    OSError
        If its file system has no hard links.
    """
    file, link = folder / f"file{_TEMPORARY}", folder / f"link{_TEMPORARY}"
    try:
        file.write_bytes(b"content")
        sync(file)
        link.hardlink_to(file)
        link.replace(file)
        sync(folder)
    finally:
        remove(link)
        remove(file)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; it is fine if it is gone already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Return whether a name is one that only unfinished files have, of ours or of Delta Lake."""
    return path.suffix == _TEMPORARY or "#" in path.name
