"""Every module says what is public, and says it exactly. (Their order is ruff's RUF022.)"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.quality.discovery import module_files, tree

MODULES = module_files("mlops_tasks", "mlops_airflow")


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_registered(node: Definition) -> bool:
    """Commands, fixtures and hook implementations are found by their decorator, not imported."""
    written = {ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list}
    return bool(written & {"app.command", "app.callback", "hookimpl", "pytest.fixture"})


def public_definitions(path: Path) -> set[str]:
    return {
        node.name
        for node in tree(path).body
        if isinstance(node, Definition)
        and not node.name.startswith("_")
        and not is_registered(node)
    }


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_listed_and_exist(name: str) -> None:
    defined = public_definitions(MODULES[name])
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not defined, f"{name} has no __all__; it defines {sorted(defined)}"
        return
    missing = sorted(defined - set(listed))
    assert not missing, f"{name}: {missing} are public by name and not in __all__"
    absent = sorted(entry for entry in listed if not hasattr(module, entry))
    assert not absent, f"{name}: __all__ names {absent}, which do not exist"
    private = sorted(entry for entry in listed if entry.startswith("_"))
    assert not private, f"{name}: __all__ makes {private} public"
