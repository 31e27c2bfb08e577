"""Try a folder out as a lake: write, link, sync and commit in it, and leave nothing behind."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LakeError
from mlops_tasks.lake.lake import Lake
from mlops_tasks.lake.marker import check_lake
from mlops_tasks.lake.publish import overwrite_partition
from mlops_tasks.storage import remove, try_links

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["probe_lake"]


def probe_lake(root: Path) -> str:
    """Return what a lake is good for, after a commit to a table of its own.

    Parameters
    ----------
    root : Path
        The lake's folder. One that is not there yet is fine if it can be made.

    Returns
    -------
    str
        What was found and tried, in one line.

    Raises
    ------
    LakeError
        If it cannot be written to as a lake must be, with the reason and the fix.
    """
    if str(root).partition("/")[0].endswith(":"):  # a Path has one slash of two
        raise LakeError(f"lake {root}: it must be a folder; tables on an object store are no lake")
    if root.exists() and not root.is_dir():
        raise LakeError(f"lake {root}: it is a file; choose a folder")
    check_lake(root)
    if not root.exists():
        above = next(folder for folder in root.parents if folder.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            raise LakeError(_not_writable(root, f"{above} cannot be written to"))
        return "not there yet: it is made at the first write"
    folder = root / f".probe-{secrets.token_hex(6)}"
    try:
        folder.mkdir()
        _try_files(folder)
        _try_commits(folder)
    except OSError as error:
        raise LakeError(_not_writable(root, f"{error.strerror or error}")) from error
    finally:
        remove(folder)
    n_tables = len(Lake(root).tables())
    return f"{n_tables} tables; a hard link, an fsync and two commits worked"


def _try_files(folder: Path) -> None:
    try:
        try_links(folder)
    except OSError as error:
        raise LakeError(
            f"lake {folder.parent}: its file system has no hard links ({error.strerror}), which "
            "make a commit of Delta Lake atomic; choose a folder on a local disk or on NFS"
        ) from error


def _try_commits(folder: Path) -> None:
    import pyarrow as pa

    table = Lake(folder).table("probe")
    for token in (1, 2):
        overwrite_partition(table, "2024-01-01", pa.table({"token": [token]}), token=token)
    if table.read(first="2024-01-01", last="2024-01-01")["token"].to_pylist() != [2]:
        raise LakeError(
            f"lake {folder.parent}: what was committed is not what is read; its file system does "
            "not show writes at once, choose another folder"
        )


def _not_writable(root: Path, why: str) -> str:
    return (
        f"lake {root}: user {os.geteuid()} cannot write there: {why}. Give the folder to the user "
        "that runs the tasks (chown, chmod 700), or set another 'path' in the connection"
    )
