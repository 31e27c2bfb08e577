"""Rules of import that hold for every project folder, also for one added tomorrow.

import-linter (``make check``) holds the packages apart. Projects are found on the path by their
bare names, which it cannot distinguish from libraries, so those rules are here.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.quality.discovery import (
    DAGS,
    ROOT,
    imported_modules,
    module_files,
    project_folders,
    tree,
)

PROJECTS = project_folders()
NAMES = {folder.name for folder in PROJECTS}


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(path)}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda folder: folder.name)
def test_projects_do_not_import_each_other(project: Path) -> None:
    # What several share stands in `datasets`, which itself knows none of them.
    others = NAMES - {project.name, "datasets"} | {"dags", "demo"}
    wrong = {
        path.relative_to(ROOT).as_posix(): sorted(used)
        for path in project.rglob("*.py")
        if (used := roots(path) & others)
    }
    assert not wrong, f"a project imports what is not below it: {wrong}"


def test_no_module_comes_back_to_itself_by_its_imports() -> None:
    """Those for the type checker count: where two need each other, one is in the wrong room."""
    graph = grimp.build_graph("mlops_tasks", "mlops_airflow", exclude_type_checking_imports=False)
    assert len(graph.modules) > 200
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # names the circle, if there is one


def test_no_package_imports_a_project() -> None:
    wrong = {
        name: sorted(used)
        for name, path in module_files("mlops_tasks", "mlops_airflow").items()
        if (used := roots(path) & (NAMES | {"dags", "demo"}))
    }
    assert not wrong, f"packages know no project: {wrong}"


def test_a_project_name_hides_no_library() -> None:
    installed = {"airflow", "mlflow", "demo", "mlops_tasks", "mlops_airflow", "tests"}
    assert not NAMES & installed
    assert all(name.isidentifier() for name in NAMES), sorted(NAMES)


def test_there_is_a_project() -> None:
    assert PROJECTS, f"no project below {DAGS.relative_to(ROOT)}/"


def test_steps_record_nothing() -> None:
    """Operators and commands do, and the trial, which does in one process what operators do.

    A move of an alias by others is written down by whoever finds it, before it is overwritten. What
    becomes of an incident and its messages follows from their last entry, in one transaction.

    Seven steps change versions and champions, the rest none.
    """
    files = module_files("mlops_tasks")
    steps = {name: file for name, file in files.items() if name.startswith("mlops_tasks.steps.")}
    calls = {
        name
        for name, file in files.items()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Attribute) and node.attr in {"record", "record_once", "record_next"}
        if not name.startswith(
            (
                "mlops_tasks.trial.",
                "mlops_tasks.registry.alias",
                "mlops_tasks.policy.incidents.",
            )
        )
    }
    assert not calls, "the operator that calls a step records what it returns"
    given = {
        name.rpartition(".")[2]
        for name, file in steps.items()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.arg) and node.arg == "ledger"
    }
    assert given == {
        "adopt",
        "promote",
        "promote_manually",
        "register",
        "release",
        "retire",
        "rollback",
    }
