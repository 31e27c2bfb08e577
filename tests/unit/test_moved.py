"""What people wrote for 0.1 goes on working for a while."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from mlops_airflow.moved import MOVED as MOVED_OPERATORS
from mlops_tasks.moved import MOVED, MOVED_NAMES
from mlops_tasks.specs import GateSpec

OLD_MODULES = [("mlops_tasks", old, homes) for old, homes in MOVED.items()] + [
    ("mlops_airflow", old, homes) for old, homes in MOVED_OPERATORS.items()
]


@pytest.mark.parametrize(("package", "old", "homes"), OLD_MODULES)
def test_an_old_module_has_the_names_of_the_new_ones(
    package: str, old: str, homes: tuple[str, ...]
) -> None:
    sys.modules.pop(f"{package}.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"{package}\.{old} is now .* goes in 0\.3"):
        found = importlib.import_module(f"{package}.{old}")
    for home in homes:
        new = importlib.import_module(f"{package}.{home}")
        kept = set(new.__all__) - set(MOVED_NAMES.get(f"{package}.{old}", ()))
        assert {name: getattr(found, name) for name in kept} == {
            name: getattr(new, name) for name in kept
        }


def test_the_old_judge_takes_scores() -> None:
    sys.modules.pop("mlops_tasks.evaluation", None)
    with pytest.warns(DeprecationWarning, match="evaluation is now"):
        judge = importlib.import_module("mlops_tasks.evaluation").judge
    target = np.repeat([0, 1], 20)
    verdict = judge(GateSpec(n_bootstrap=60), target, target * 0.8 + 0.1, None)
    assert verdict.verdict == "promote"


PACKAGES = [name for name in MOVED_NAMES if name.removeprefix("mlops_tasks.") not in MOVED]


@pytest.mark.parametrize("package", PACKAGES)
def test_an_old_name_of_a_package_is_the_new_one(package: str) -> None:
    module = importlib.import_module(package)
    for name, place in MOVED_NAMES[package].items():
        home, _, there = place.partition(":")
        there = there or name
        with pytest.warns(DeprecationWarning, match=rf"{name} is now {home}\.{there}"):
            found = getattr(module, name)
        assert found is attrgetter(there)(importlib.import_module(home))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = module.nonsense


def test_an_old_module_has_a_name_that_is_another_now() -> None:
    sys.modules.pop("mlops_tasks.source_spec", None)
    with pytest.warns(DeprecationWarning, match=r"mlops_tasks\.source_spec is now"):
        found = importlib.import_module("mlops_tasks.source_spec")
    assert found.Source is importlib.import_module("mlops_tasks.specs").SourceSpec


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"mlops_tasks\.nonsense"):
        importlib.import_module("mlops_tasks.nonsense")
    with pytest.raises(ModuleNotFoundError, match="no_such"), warnings.catch_warnings():
        importlib.import_module("no_such.spec")


def test_the_warning_names_the_line_that_imports() -> None:
    code = "import warnings\nwarnings.simplefilter('error')\nfrom mlops_tasks.spec import ModelSpec"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DeprecationWarning: mlops_tasks.spec is now mlops_tasks.specs" in done.stderr


def test_a_folder_that_an_upgrade_has_left_is_no_package(tmp_path: Path) -> None:
    """Removed packages leave their bytecode, and Python takes any folder for a package."""
    import mlops_tasks

    (tmp_path / "ledger" / "__pycache__").mkdir(parents=True)
    sys.modules.pop("mlops_tasks.ledger", None)
    mlops_tasks.__path__.insert(0, str(tmp_path))
    try:
        with pytest.warns(DeprecationWarning, match="registry"):
            found = importlib.import_module("mlops_tasks.ledger")
    finally:
        mlops_tasks.__path__.remove(str(tmp_path))
    assert found.Ledger is importlib.import_module("mlops_tasks.registry.ledger").Ledger
