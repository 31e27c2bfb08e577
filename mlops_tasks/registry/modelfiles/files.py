"""The files of a model and their digest."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["files_digest", "model_bytes", "plain_files"]

_MOST_FILES = 1000
_MOST_BYTES = 4 * 2**30
# Written by the download itself, so it differs between the trainer's copy and the loader's.
_NOT_OURS = {"registered_model_meta"}


def plain_files(folder: Path) -> list[Path]:
    """List the files below a folder, if they are what a model consists of."""
    found: list[Path] = []
    total = 0
    for path in _entries(folder):
        status = path.lstat()
        name = path.relative_to(folder).as_posix()
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode) or not name.isprintable():
            raise UnsafeModelError(f"the model holds {name!r}, which is no plain file with a name")
        found.append(path)
        total += status.st_size
        if len(found) > _MOST_FILES or total > _MOST_BYTES:
            raise UnsafeModelError(
                f"the model has more than {_MOST_FILES} files or {_MOST_BYTES // 2**30} GiB: "
                "models of that size are not loaded"
            )
    return sorted(found)


def files_digest(folder: Path) -> str:
    """Return one digest over the names and contents of all files below `folder`.

    Parameters
    ----------
    folder : Path
        A downloaded model.

    Returns
    -------
    str
        SHA-256 over the sorted lines ``<sha256> <relative path>``, 64 hexadecimal characters.

    Raises
    ------
    UnsafeModelError
        As for `plain_files`.
    """
    lines = sorted(
        f"{_sha256(path)} {path.relative_to(folder).as_posix()}"
        for path in plain_files(folder)
        if path.name not in _NOT_OURS
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def model_bytes(folder: Path) -> int:
    """Return the size of all files below `folder`."""
    return sum(path.stat().st_size for path in plain_files(folder))


def _entries(folder: Path) -> Iterator[Path]:
    """Walk without following links, so that no circle and no other folder is walked."""
    for parent, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            yield Path(parent, name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
