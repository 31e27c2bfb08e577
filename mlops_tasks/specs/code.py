"""The functions that a spec names: found by their files before anything runs, and not imported."""

from __future__ import annotations

import ast
import importlib.util
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

    from mlops_tasks.specs.model import ModelSpec

__all__ = ["check_code"]

#: Who uses these may make names that no statement shows.
_ELSEWHERE = {"*", "__getattr__", "globals", "vars", "setattr", "exec"}


def check_code(spec: ModelSpec) -> None:
    """Refuse a model whose functions are not there, while its Dags are parsed.

    Nothing is imported: a project's module may import what takes seconds, or what a parser lacks.

    Parameters
    ----------
    spec : ModelSpec
        The model.

    Raises
    ------
    SpecError
        Naming the field, the package, module or function that is missing, and what is there.
    """
    for field, path in (("estimator", spec.estimator), ("features_python", spec.features_python)):
        if path is not None and (wrong := _missing(*path.split(":"))):
            raise SpecError(f"model {spec.name!r}: {field} {path!r}: {wrong}")


def _missing(module: str, function: str) -> str:
    """Return what is not there; empty if nothing is, or if only an import can say."""
    names = module.split(".")
    found: ModuleSpec | None = importlib.util.find_spec(names[0])  # imports nothing
    if found is None:
        return (
            f"there is no package {names[0]!r}; it must be importable from the Dag folder, as a "
            "folder with the project's modules"
        )
    for depth in range(1, len(names)):
        name, places = ".".join(names[: depth + 1]), found.submodule_search_locations
        found = PathFinder.find_spec(name, places) if places is not None else None
        if found is None:
            there = {one.stem for place in places or () for one in Path(place).glob("*.py")}
            return f"there is no module {name!r}; {did_you_mean(names[depth], there)}"
    defined = set(_defined(found.origin))
    if not defined or function in defined:
        return ""
    return f"there is no function {function!r} in it; {did_you_mean(function, defined)}"


def _defined(origin: str | None) -> Iterator[str]:
    """Yield the names at the top of a source file; none where a name may come from elsewhere."""
    if origin is None or not origin.endswith(".py"):
        return
    try:
        tree = ast.parse(Path(origin).read_bytes())
    except (SyntaxError, ValueError):  # the import says it, with the line
        return
    names = set(_names(tree))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not _ELSEWHERE & (names | used):
        yield from names


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a module or a statement makes, also below an ``if`` or a ``try``."""
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield below.name
        elif isinstance(below, ast.alias):
            yield below.asname or below.name.partition(".")[0]
        elif isinstance(below, ast.Name) and isinstance(below.ctx, ast.Store):
            yield below.id
        elif not isinstance(below, ast.Lambda):
            yield from _names(below)
