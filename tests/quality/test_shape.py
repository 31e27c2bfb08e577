"""Small modules, small functions, short operators, no drawers for odds and ends."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.quality.discovery import DAGS, ROOT, module_files, tree

FILES = [
    *module_files("mlops_tasks", "mlops_airflow", "demo").values(),
    *sorted(DAGS.rglob("*.py")),
]
MAX_MODULE = 300
MAX_FUNCTION = 50
MAX_EXECUTE = 10
MAX_OPERATOR_ARGUMENTS = 8
DRAWERS = {"common", "helpers", "manager", "misc", "utils"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_lines(path: Path) -> set[int]:
    """Return the lines that hold code: no blank line, comment or docstring."""
    docstrings: set[int] = set()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(path)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    written = {n for n, line in lines if line.strip() and not line.lstrip().startswith("#")}
    return written - docstrings


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def length(function: Function, lines: set[int]) -> int:
    body = range(function.body[0].lineno, (function.end_lineno or function.lineno) + 1)
    return len(lines.intersection(body))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_module_and_functions_are_small(path: Path) -> None:
    lines = code_lines(path)
    assert len(lines) <= MAX_MODULE, f"{len(lines)} lines of code: split the module"
    long = {f.name: n for f in functions(path) if (n := length(f, lines)) > MAX_FUNCTION}
    assert not long, f"functions above {MAX_FUNCTION} lines of code: {long}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_drawer_modules(path: Path) -> None:
    assert path.stem not in DRAWERS, "name the file after its role"


OPERATORS = [p for n, p in module_files("mlops_airflow").items() if ".operators." in n]


@pytest.mark.parametrize("path", OPERATORS, ids=relative)
def test_operators_are_thin(path: Path) -> None:
    for function in functions(path):
        if function.name == "execute":
            n = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
            assert n <= MAX_EXECUTE, f"{n} statements in execute; it is: hook, one call, return"
        if function.name == "__init__":
            own = [argument.arg for argument in function.args.kwonlyargs]
            assert len(own) <= MAX_OPERATOR_ARGUMENTS, f"too many arguments: {own}"
