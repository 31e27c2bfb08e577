"""Every dataset is defined in one place, and its Dags are built there: who builds what."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.specs.base import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.specs import DatasetSpec

__all__ = ["built_here", "is_built_elsewhere", "refuse_second_definition"]

_BUILDERS = ("build_dataset_dags(", "build_dags(")
# By dataset, the Dag file that builds it alone, as far as this process has seen.
_built: dict[str, str] = {}


def built_here(dataset: DatasetSpec, dag_file: str | None) -> None:
    """Remember that a Dag file builds a dataset's Dags for all who read it."""
    if dag_file is not None:
        _built[dataset.name] = dag_file


def is_built_elsewhere(dataset: DatasetSpec, dag_file: str | None) -> bool:
    """Return whether another project builds the Dags of a dataset.

    It does if it has built them in this process, or if the dataset is written there. A project is a
    file or folder right below the Dag folder.

    Raises
    ------
    SpecError
        If it is written in a project that builds none.
    """
    if dag_file is None or dataset.place.file == dag_file:
        return False
    if _built.get(dataset.name, dag_file) != dag_file:
        return True
    root = _root(dag_file)
    ours, theirs = _project(root, dag_file), _project(root, dataset.place.file)
    if ours is None or theirs is None or ours == theirs:
        return False
    beside = Path(dataset.place.file).parent.glob("*.py") if theirs.is_dir() else [theirs]
    if not any(word in path.read_text("utf-8") for path in beside for word in _BUILDERS):
        raise SpecError(
            f"dataset {dataset.name!r} is written in {dataset.place}, and nothing there builds its "
            "Dags; add there: build_dataset_dags(<the dataset>, namespace=globals())"
        )
    return True


def refuse_second_definition(dataset: DatasetSpec, dag_file: str | None) -> None:
    """Refuse a dataset whose name another one has, which stands before it by path and line.

    Each Dag file is parsed in a process of its own, and of two Dags of one id Airflow silently
    keeps the one parsed last. So files are read, not run: what names a dataset by a plain text is
    found there.

    Raises
    ------
    SpecError
        Naming both places.
    """
    own, root = dataset.place, _root(dag_file)
    if root is None or _project(root, own.file) is None:
        return
    places = [
        place
        for place, last in _definitions(root).get(dataset.name, ())
        if not (place.file == own.file and place.line <= own.line <= last)
    ]
    first = min(places, key=lambda place: (place.file, place.line), default=None)
    if first is not None and (first.file, first.line) < (own.file, own.line):
        raise SpecError(
            f"dataset {dataset.name!r} is defined twice: in {first}, and in {own}. Give one of "
            f"them another name, or import it from {first} and remove the second"
        )


def _project(root: Path | None, file: str) -> Path | None:
    """Return the file or folder right below the root that a file belongs to."""
    if root is None or not Path(file).is_relative_to(root):
        return None
    return root / Path(file).relative_to(root).parts[0]


def _root(dag_file: str | None) -> Path | None:
    """Return the Dag folder, or the folder of a bundle, that a Dag file lies in."""
    from airflow.sdk import conf

    if dag_file is None:
        return None
    folders = {
        Path(name).resolve() for name in (conf.get("core", "dags_folder"), *sys.path) if name
    }
    # A package is a project below one: Python's path may hold it, as where tests are started in it.
    above = [
        one
        for one in folders
        if Path(dag_file).is_relative_to(one) and not (one / "__init__.py").exists()
    ]
    return max(above, key=lambda one: len(one.parts), default=None)


@lru_cache(maxsize=1)
def _definitions(root: Path) -> dict[str, list[tuple[Place, int]]]:
    """Find every dataset that is named by a plain text: its place, and the line that ends it."""
    found: dict[str, list[tuple[Place, int]]] = {}
    for path in sorted(_python_files(root)):
        text = path.read_text("utf-8", errors="replace")
        if "DatasetSpec(" not in text:
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:  # its own Dags break by themselves
            continue
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and (name := _dataset_name(call)):
                place = Place(str(path), call.lineno), call.end_lineno or call.lineno
                found.setdefault(name, []).append(place)
    return found


def _python_files(root: Path) -> Iterator[Path]:
    for pattern in ("*.py", "*/*.py", "*/*/*.py"):
        for path in root.glob(pattern):
            if not any(part.startswith(".") for part in path.relative_to(root).parts):
                yield path


def _dataset_name(call: ast.Call) -> str | None:
    called = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
    if called != "DatasetSpec":
        return None
    values = [item.value for item in call.keywords if item.arg == "name"]
    value = values[0].value if values and isinstance(values[0], ast.Constant) else None
    return value if isinstance(value, str) else None
