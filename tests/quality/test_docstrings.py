"""numpydoc as a test: what a package exports is documented the way scikit-learn documents.

The rest, modules behind a package and functions for one caller, needs a plain line each, which is
ruff's to ask for.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from enum import Enum

import pytest
from numpydoc.validate import validate

from tests.quality.discovery import listed_names, module_files

#: Rules that do not apply here, each with its reason.
SKIPPED = {
    "ES01": "a good summary often needs no second paragraph",
    "EX01": "examples belong to pure functions; most of these talk to a system",
    "GL01": "the summary starts on the line of the quotes, as ruff's D212 has it",
    "PR04": "the annotation is the type, and mypy reads it",
    "RT02": "a named return value says more than its type alone",
    "SA01": "the page of a module shows its neighbours already",
    "SA04": "the same",
    "YD01": "a generator says what it yields in its annotation",
}
#: A method has its subject from the class, and a function of one argument has only one subject:
#: the summary and the annotations say all there is.
SKIPPED_FOR_SHORT = {"PR01", "RT01"}
#: Packages whose modules are imported one by one.
FRONT_DOORS = ("mlops_tasks.steps.", "mlops_airflow.operators.", "mlops_airflow.hooks.")


def public_paths() -> list[str]:
    modules = module_files("mlops_tasks", "mlops_airflow")
    exporting = {m: f for m, f in modules.items() if f.name == "__init__.py" or is_front_door(m)}
    return [f"{module}.{name}" for module, file in exporting.items() for name in listed_names(file)]


def is_front_door(module: str) -> bool:
    """Return whether people import from the module itself: there is no package in front of it."""
    return module.startswith(FRONT_DOORS)


def load(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def own_methods(target: type) -> list[str]:
    return [
        name
        for name, member in vars(target).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, classmethod | staticmethod))
        and inspect.getdoc(member)
    ]


def fields_carry_the_names(target: object) -> bool:
    """Records name their fields in the class body, with types; errors take a message."""
    return inspect.isclass(target) and (
        dataclasses.is_dataclass(target)
        or issubclass(target, Exception | Enum)
        or hasattr(target, "model_fields")
    )


def only_star_parameters(text: str) -> bool:
    names = re.findall(r"'([^']+)'", text)
    return bool(names) and all(name.startswith("*") for name in names)


def complaints(path: str, skipped: set[str]) -> list[str]:
    return [
        f"{path}: {code} {text}"
        for code, text in validate(path)["errors"]
        if code not in skipped and not (code == "PR01" and only_star_parameters(text))
    ]


@pytest.mark.parametrize("path", public_paths())
def test_docstring_follows_numpydoc(path: str) -> None:
    target = load(path)
    if not (inspect.isfunction(target) or inspect.isclass(target)):
        return  # a constant: its comment is its documentation
    skipped = set(SKIPPED) | ({"PR01"} if fields_carry_the_names(target) else set())
    if inspect.isfunction(target) and len(inspect.signature(target).parameters) <= 1:
        skipped |= SKIPPED_FOR_SHORT
    found = complaints(path, skipped)
    if inspect.isclass(target):
        for method in own_methods(target):
            found += complaints(f"{path}.{method}", set(SKIPPED) | SKIPPED_FOR_SHORT)
    assert not found, "\n".join(found)
