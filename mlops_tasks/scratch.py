"""Temporary folders that say whose they are, so that what a killed process left can be removed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import tempfile
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import MlopsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["abandoned", "owner_prefix", "scratch", "scratch_root"]

_NAME = re.compile(r"([0-9a-f]{8})\.(\d+)\.(\d+)\.")
# A process of another machine that shares the folder cannot be asked whether it lives.
_FOREIGN_S = 2 * 86_400
# The clock that start times are read from may be set while processes run.
_CLOCK_S = 5


def scratch_root() -> Path:
    """Return the folder of all temporary files of this project's tasks, made for this user alone.

    Raises
    ------
    MlopsError
        If somebody else made it.
    """
    parent = Path(tempfile.gettempdir())
    name = f"mlops-{os.getuid()}"
    if parent.parent.name == name:  # inside of `scratch`
        return parent.parent
    root = parent / name
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise MlopsError(
            f"{root} is not a folder that this user alone may write to; remove it, or set TMPDIR "
            "to another folder"
        )
    return root


@contextmanager
def scratch() -> Iterator[Path]:
    """Have all temporary files of this process made in one folder, and remove it at the end.

    Yields
    ------
    Path
        Below `scratch_root`; its name begins with machine, process and start of the process.
    """
    owner = owner_prefix()
    folder = Path(tempfile.mkdtemp(prefix=owner.name, dir=owner.parent))
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before[0]
        os.environ.pop("TMPDIR")
        if before[1] is not None:
            os.environ["TMPDIR"] = before[1]
        shutil.rmtree(folder, ignore_errors=True)


def owner_prefix() -> Path:
    """Return what the paths of all of this process's folders begin with."""
    return scratch_root() / f"{_machine()}.{os.getpid()}.{_started(os.getpid()):.0f}."


def abandoned() -> list[Path]:
    """Return the folders in `scratch_root` that nobody uses any more, sorted.

    Returns
    -------
    list of Path
        Those of dead processes of this machine, and of other machines those that nothing was
        written to for two days.
    """
    return [path for path in sorted(scratch_root().iterdir()) if _abandoned(path)]


def _abandoned(path: Path) -> bool:
    found = _NAME.match(path.name)
    if found is None:
        return False
    if found[1] != _machine():
        return time.time() - path.stat().st_mtime > _FOREIGN_S
    return abs(_started(int(found[2])) - int(found[3])) > _CLOCK_S


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _started(pid: int) -> float:
    """Return when a process began, in seconds since the epoch; 0 if there is none."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
