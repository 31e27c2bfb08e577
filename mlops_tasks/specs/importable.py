"""Whether an import path names something, found out without importing it."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from mlops_tasks.exceptions import SpecError
from mlops_tasks.spelling import did_you_mean

__all__ = ["check_importable"]


def check_importable(path: str) -> str:
    """Return an import path whose module is there and defines the name.

    The module is read, not run: it may import what takes seconds.

    Parameters
    ----------
    path : str
        ``"package.module:function"``.

    Returns
    -------
    str
        The same path.

    Raises
    ------
    SpecError
        If there is no such module, or it does not define the name.
    """
    module, name = path.split(":")
    try:
        spec = find_spec(module)  # of `a.b` this imports `a`
    except Exception as error:  # a package may fail with anything when it is imported
        raise _refused(path, f"{type(error).__name__}: {error}") from None
    if spec is None:
        raise _refused(path, f"there is no module {module!r}")
    if spec.origin is None or not spec.origin.endswith(".py"):
        return path
    names = _defined(Path(spec.origin))
    if name not in names and "*" not in names:
        known = (one for one in names if not one.startswith("_"))
        raise _refused(path, f"{module!r} defines no {name!r}; {did_you_mean(name, known)}")
    return path


def _defined(file: Path) -> set[str]:
    """Return the names that a module defines or imports, also in branches."""
    found: set[str] = set()
    try:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return {"*"}  # its import says what is wrong
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return found


def _refused(path: str, reason: str) -> SpecError:
    return SpecError(
        f"{path!r} cannot be imported: {reason}. Name a function as 'package.module:function', "
        "importable from the Dag folder"
    )
