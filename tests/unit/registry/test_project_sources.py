from __future__ import annotations

import importlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from mlops_tasks.registry.artifacts import PROJECT
from mlops_tasks.registry.reproduction import pack_project
from mlops_tasks.registry.reproduction.project_sources import git_commit
from mlops_tasks.specs import ModelSpec, TableModel
from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.conftest import World

    Load = Callable[[Path, str], ModelSpec]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import the spec of a project from a Dag folder, each time anew."""

    def forget() -> None:
        for name in [one for one in sys.modules if (DAGS / one.partition(".")[0]).exists()]:
            sys.modules.pop(name)

    def spec_of(folder: Path, project: str) -> ModelSpec:
        forget()
        monkeypatch.syspath_prepend(folder)
        model = importlib.import_module(f"{project}.spec").MODEL
        assert isinstance(model, ModelSpec)
        return model

    yield spec_of
    forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Dag folder of this test's own."""
    copy = tmp_path / "dags"
    shutil.copytree(DAGS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def names(packed: bytes) -> list[str]:
    return ZipFile(io.BytesIO(packed)).namelist()


def test_the_project_and_those_whose_datasets_it_reads_are_packed(load: Load) -> None:
    packed = names(pack_project(load(DAGS, "machine_heat")))
    assert packed == sorted(packed)
    assert {name.split("/")[0] for name in packed} == {"machine_heat", "datasets"}
    wanted = {"model.py", "features.py", "spec.py", "expectations/tomorrows_heat.json"}
    assert {f"machine_heat/{name}" for name in wanted} <= set(packed)
    assert "datasets/machines.py" in packed


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(load: Load, folder: Path) -> None:
    before = pack_project(load(DAGS, "demand"))
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (number, number))
    (folder / "demand" / "__pycache__").mkdir()
    (folder / "demand" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "demand" / "model.py").chmod(0o600)
    spec = load(folder, "demand")
    assert str(spec.features_sql).startswith(str(folder))
    assert pack_project(spec) == before


@pytest.mark.parametrize("file", ["features.sql", "model.py", "expectations/sales.json"])
def test_a_changed_source_is_another_archive(load: Load, folder: Path, file: str) -> None:
    before = pack_project(load(folder, "demand"))
    path = folder / "demand" / file
    path.write_text(path.read_text() + "\n")
    assert pack_project(load(folder, "demand")) != before


def test_what_is_no_source_of_the_project_is_left_out(load: Load, folder: Path) -> None:
    demand = folder / "demand"
    (demand / ".env").write_text("PASSWORD=secret")
    (demand / ".git").mkdir()
    (demand / ".git" / "config").write_text("secret")
    (demand / "rows.csv").write_bytes(b"x" * (2**20 + 1))
    (demand / "stores.csv").write_bytes(b"x" * 2**20)
    (folder.parent / "outside.txt").write_text("secret")
    (demand / "link.txt").symlink_to(folder.parent / "outside.txt")
    (demand / "inner.sql").symlink_to(demand / "features.sql")
    packed = names(pack_project(load(folder, "demand")))
    assert {"demand/stores.csv", "demand/inner.sql"} <= set(packed)
    assert not {"demand/.env", "demand/rows.csv", "demand/link.txt"} & set(packed)
    assert not any(".git" in name for name in packed)


def test_a_project_that_another_one_imports_comes_with_it(load: Load, folder: Path) -> None:
    (folder / "shared.py").write_text("import deeper.things\n")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "__init__.py").write_text("")
    (folder / "deeper" / "things.py").write_text("import json, demand\n")
    model = folder / "demand" / "model.py"
    model.write_text("from shared import nothing\n" + model.read_text())
    (folder / "demand" / "broken.py").write_text("this is no Python")
    packed = names(pack_project(load(folder, "demand")))
    assert {"shared.py", "deeper/things.py", "demand/broken.py"} <= set(packed)
    assert {name.split("/")[0] for name in packed} == {"demand", "shared.py", "deeper"}


def test_an_estimator_of_a_library_has_no_project() -> None:
    spec = TableModel(
        name="plain",
        table="orders",
        target="late",
        numeric=("distance",),
        estimator="sklearn.linear_model:LogisticRegression",
    )
    assert names(pack_project(spec)) == []


def test_a_training_keeps_its_sources(world: World) -> None:
    packed = world.tracking.read_artifact(world.champion, PROJECT)
    found = ZipFile(io.BytesIO(packed)).read("tests/unit/orders.py")
    assert found == Path("tests/unit/orders.py").resolve().read_bytes()


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_the_commit_of_a_checkout_is_found_without_git(tmp_path: Path) -> None:
    home = tmp_path / "repository"
    (home / "dags" / "demand").mkdir(parents=True)
    assert git_commit(home) == ""
    git(home, "init", "--initial-branch=main")
    assert git_commit(home) == ""  # nothing was committed yet
    git(home, "commit", "--allow-empty", "--message=first")
    assert git_commit(home / "dags" / "demand") == git(home, "rev-parse", "HEAD")
    git(home, "worktree", "add", "-b", "other", str(tmp_path / "worktree"))
    git(tmp_path / "worktree", "commit", "--allow-empty", "--message=second")
    second = git(tmp_path / "worktree", "rev-parse", "HEAD")
    assert git_commit(tmp_path / "worktree") == second != git_commit(home)
    git(home, "pack-refs", "--all")
    assert git_commit(tmp_path / "worktree") == second
    git(home, "checkout", "--detach", second)
    assert git_commit(home) == second
