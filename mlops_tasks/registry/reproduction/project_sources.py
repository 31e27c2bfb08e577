"""The sources of a model's project, packed so that the same sources give the same bytes."""

from __future__ import annotations

import ast
import io
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from mlops_tasks.registry.modelfiles.project_code import project_folder
from mlops_tasks.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.specs import TableModel

__all__ = ["git_commit", "pack_project", "unpack_project"]

# The earliest time that the format can write: none of the files' own, which checkouts change.
_TIME = (1980, 1, 1, 0, 0, 0)
_LARGEST, _MOST_FILES = 2**20, 5000


def pack_project(spec: ModelSpec | TableModel) -> bytes:
    """Pack the sources that a training of a model depends on.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model.

    Returns
    -------
    bytes
        A zip archive of whole projects, which lie side by side as in the Dag folder: that of the
        estimator, and those that it imports or whose datasets it reads. It is empty where the
        estimator is a library's.

    Notes
    -----
    Hidden files, bytecode and links out of a project are left out, and so are files above 1 MiB:
    data, not sources.
    """
    root, waiting = _projects(spec)
    sources: dict[str, bytes] = {}
    seen: set[str] = set()
    while root is not None and waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _files(root, name):
            source = path.read_bytes()
            sources[path.relative_to(root).as_posix()] = source
            if path.suffix == ".py":
                found = set(_imported(source)) - seen
                waiting += sorted(each for each in found if project_folder(each) is not None)
    return _zip(sources)


def unpack_project(packed: bytes, folder: Path) -> None:
    """Write the sources that `pack_project` has packed, of a digest that the ledger has."""
    with ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)


def git_commit(folder: Path) -> str:
    """Return the commit that a folder was checked out at.

    Parameters
    ----------
    folder : Path
        Any folder in a checkout or worktree, such as a project.

    Returns
    -------
    str
        Nothing outside of a repository. Files may have been changed since: what was trained with is
        what `pack_project` has packed.
    """
    for parent in (folder, *folder.parents):
        mark = parent / ".git"
        if mark.exists():
            return _head(mark)
    return ""


def _projects(spec: ModelSpec | TableModel) -> tuple[Path | None, list[str]]:
    """Return the folder that the projects lie in, and those that the spec itself names."""
    root = project_folder(spec.package)
    if root is None:
        return None, []
    names = {spec.package}
    if isinstance(spec, ModelSpec):
        if spec.features_python is not None:
            names.add(spec.features_python.split(".")[0].split(":")[0])
        written = [Path(one.place.file) for one in spec.datasets]
        written += [spec.features_sql] if spec.features_sql else []
        inside = [path.resolve() for path in written if path.resolve().is_relative_to(root)]
        names |= {path.relative_to(root).parts[0].removesuffix(".py") for path in inside}
    return root, sorted(names)


def _files(root: Path, name: str) -> Iterator[Path]:
    """Yield the files of one project: a folder, or a single module."""
    if (module := root / f"{name}.py").is_file():
        yield module
    number = 0
    for parent, folders, files in os.walk(root / name):
        folders[:] = sorted(one for one in folders if one[0] != "." and one != "__pycache__")
        for path in (Path(parent, one) for one in sorted(files)):
            number += 1
            if number > _MOST_FILES:
                return
            if _is_source(root, path):
                yield path


def _is_source(root: Path, path: Path) -> bool:
    plain = path.name[0] != "." and path.suffix != ".pyc" and path.is_file()
    return plain and path.stat().st_size <= _LARGEST and path.resolve().is_relative_to(root)


@lru_cache(maxsize=_MOST_FILES)
def _imported(source: bytes) -> frozenset[str]:
    """Return the top-level packages that a source imports, libraries among them.

    Remembered, for a process that trains again: to parse a large project takes a second.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):  # a file beside the model's, which nobody has imported
        return frozenset()
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return frozenset(names)


def _zip(sources: dict[str, bytes]) -> bytes:
    """Write an archive whose bytes follow from names and contents alone."""
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name in sorted(sources):
            entry = ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, sources[name])
    return packed.getvalue()


def _head(mark: Path) -> str:
    """Read the commit of a repository's files, without a process of git."""
    try:
        home = mark
        if mark.is_file():  # a worktree
            home = (mark.parent / mark.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (home / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        shared = home / "commondir"
        common = (home / shared.read_text().strip()).resolve() if shared.exists() else home
        if (common / name).exists():
            return (common / name).read_text().strip()
        packed = (common / "packed-refs").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
