"""Which definition writes to a dataset's tables: the first one, until it says so itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, SpecError
from mlops_tasks.storage import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake.lake import Lake

__all__ = ["claim_name"]

_FOLDER = "_definitions"


def claim_name(lake: Lake, name: str, *, file: str, digest: str) -> None:
    """Write down where a dataset is defined, or refuse a second definition of its name.

    A definition may change where it stands, and move as it is; not both at once.

    Parameters
    ----------
    lake : Lake
        Where the dataset's tables are.
    name : str
        The dataset.
    file : str
        Folder and file that define it.
    digest : str
        Of what they say.

    Raises
    ------
    SpecError
        Naming both files.
    DamagedTableError
        If the record cannot be read.
    """
    path = lake.root / _FOLDER / f"{name}.json"
    now, before = {"file": file, "digest": digest}, _read(path)
    if now == before:
        return
    if before and before["file"] != file and before["digest"] != digest:
        raise SpecError(
            f"dataset {name!r} is defined in {file}, and its tables are written by the definition "
            f"in {before['file']}, which says something else; nothing was read. Give one of them "
            f"another name; if it has moved and changed at once, remove {path}"
        )
    replace_file(path, json.dumps(now).encode())


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
        return {"file": str(found["file"]), "digest": str(found["digest"])}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedTableError(
            f"{path}, where a dataset is defined, cannot be read ({error}); remove it: it is "
            "written again"
        ) from error
