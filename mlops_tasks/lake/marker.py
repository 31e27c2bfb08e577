"""The lake's own format, in one small file, looked at before a table is read or written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.formats import check_format
from mlops_tasks.storage import replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LAKE_FORMAT", "check_lake", "mark_lake"]

LAKE_FORMAT = "1.0"
_MARKER = "_lake.json"


def check_lake(root: Path) -> None:
    """Refuse a lake that a newer version of the project has laid out.

    Parameters
    ----------
    root : Path
        The lake. One without a marker is from before there were formats, or not there yet.

    Raises
    ------
    NewerFormatError
        If it is newer.
    DamagedTableError
        If its marker cannot be read.
    """
    path = root / _MARKER
    try:
        check_format(json.loads(path.read_text()), LAKE_FORMAT, f"the lake {root}")
    except FileNotFoundError:
        return
    except (ValueError, AttributeError, OSError) as error:
        raise DamagedTableError(
            f"{path} says which format the lake has and cannot be read ({error}); write "
            f'{{"format": "{LAKE_FORMAT}"}} into it if no newer version was ever at work here'
        ) from error


def mark_lake(root: Path) -> None:
    """Write down which format the lake has, unless that is done.

    Parameters
    ----------
    root : Path
        The lake.
    """
    path = root / _MARKER
    if not path.exists():
        replace_file(path, json.dumps({"format": LAKE_FORMAT}).encode())
