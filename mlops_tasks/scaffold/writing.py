"""Files that are written once: never over one that is there, and each one whole or not at all."""

from __future__ import annotations

import importlib.util
import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.storage import create_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Written", "check_model_name", "write_files"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 48


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a file.

    Attributes
    ----------
    path : Path
        The file.
    state : str
        ``written`` now, ``kept`` as it was there with the same text, or ``differs`` from what would
        have been written, and was left as it is.
    """

    path: Path
    state: Literal["written", "kept", "differs"]


def check_model_name(name: str, dags: Path) -> str:
    """Return `name` if a project of that name can be made, or completed, in the Dag folder.

    Parameters
    ----------
    name : str
        Name of the model; also of its package.
    dags : Path
        Folder of Dags.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ScaffoldError
        If it is no name of a package, hides an installed one, or the folder holds something else.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        meant = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").lstrip("0123456789_")
        advice = f"; perhaps {meant!r}" if meant and meant != name else ""
        raise ScaffoldError(
            f"name {name!r} is not allowed: it becomes a folder and a Python package, so use "
            "lower-case letters, digits and single underscores, a letter first, at most "
            f"{_LONGEST} characters{advice}"
        )
    folder = dags / name
    if not folder.exists():
        if importlib.util.find_spec(name) is not None:
            raise ScaffoldError(
                f"name {name!r} is that of an installed package, which the project would hide; "
                f"choose another, such as {name + '_model'!r}"
            )
        return name
    spec = folder / "spec.py"
    if not folder.is_dir() or (any(folder.iterdir()) and not _is_ours(spec, name)):
        raise ScaffoldError(
            f"{folder} exists and is no project of the model {name!r}; choose another name, or "
            "move it away"
        )
    return name


def _is_ours(spec: Path, name: str) -> bool:
    """Whether a folder is that of the model, or was left before its spec was written."""
    if spec.is_file():
        return f'name="{name}"' in spec.read_text("utf-8", errors="replace")
    others = [path.name for path in spec.parent.iterdir() if not path.name.startswith(".")]
    return set(others) <= {"__init__.py", "__pycache__", "expectations"}


def write_files(files: Mapping[Path, str]) -> list[Written]:
    """Write the files that are not there yet.

    Parameters
    ----------
    files : mapping of Path to str
        Their texts.

    Returns
    -------
    list of Written
        In the same order.
    """
    return [Written(path, _write(path, text)) for path, text in files.items()]


def _write(path: Path, text: str) -> Literal["written", "kept", "differs"]:
    if path.exists():
        same = path.is_file() and path.read_text("utf-8", errors="replace") == text
        return "kept" if same else "differs"
    return "written" if create_file(path, text.encode()) else "differs"
