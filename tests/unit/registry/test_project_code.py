"""Classes and functions of the project: imported by the spec's word, replayed when they change."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import (
    check_types,
    examine_model,
    files_digest,
    load_model,
    write_extra_files,
)
from mlops_tasks.registry.modelfiles.golden_rows import GOLDEN_ROWS, differing_rows
from mlops_tasks.registry.modelfiles.project_code import CODE, digest_code, project_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Saved = Callable[..., Path]

DRAW = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"a": DRAW.normal(size=100), "b": DRAW.normal(size=100), "c": pd.array(["x", "y"] * 50, "str")}
)
Y = (FRAME.a > 0).to_numpy().astype(int)
MODEL = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from .limits import LIMIT
from trips import unused

class Clipper(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_ = len(X)
        return self

    def transform(self, X):
        return np.asarray(X[["a", "b"]]).clip(-LIMIT, LIMIT)

def clip(X):
    return np.asarray(X[["a", "b"]], dtype=float).clip(-LIMIT, LIMIT)

def never():
    raise RuntimeError("called")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A deployed project, importable from its Dag folder."""
    folder = tmp_path / "dags" / "trips"
    folder.mkdir(parents=True)
    for name, text in (("__init__", ""), ("model", MODEL), ("limits", "LIMIT = 1.0\n")):
        (folder / f"{name}.py").write_text(text)
    (folder / "unused.py").write_text("")
    (folder / "other.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    forget()


def forget() -> None:
    """As a new process, which imports the project anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == "trips"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def change(project: Path, name: str, text: str) -> None:
    (project / f"{name}.py").write_text(text)
    forget()


@pytest.fixture
def saved(project: Path, tmp_path: Path) -> Saved:
    """Save a model of the project as training does."""

    def save(made: str = "Clipper", **how: Any) -> Path:
        part = getattr(importlib.import_module("trips.model"), made)
        first = FunctionTransformer(part) if made == "clip" else part()
        model = make_pipeline(first, LogisticRegression()).fit(FRAME, Y)
        folder = tmp_path / "model"
        (folder / "extra_files").mkdir(parents=True)
        skops.io.dump(model, folder / "model.skops")
        names = check_types(model, "trips")
        how = {"rows": FRAME} | how
        write_extra_files(model, folder / "extra_files", names, **how)
        flavors = {
            "python_function": {"loader_module": "mlflow.sklearn"},
            "sklearn": {"serialization_format": "skops", "pickled_model": "model.skops"},
        }
        (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
        return folder

    return save


def load(folder: Path) -> Any:
    return load_model(folder, digest=files_digest(folder), examined=True)


def refused(folder: Path, match: str) -> str:
    with pytest.raises(UnsafeModelError, match=match) as error:
        load(folder)
    return str(error.value)


@pytest.mark.parametrize("made", ["Clipper", "clip"])
def test_a_class_and_a_function_of_the_project_are_part_of_a_model(
    saved: Saved, made: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = saved(made)
    name = f"trips.model.{made}"
    recorded = json.loads((folder / "extra_files" / CODE).read_text())
    assert recorded == {name: digest_code(name)}
    forget()
    model = load(folder)
    clipped = FRAME[["a", "b"]].clip(-1, 1).to_numpy()
    expected = LogisticRegression().fit(clipped, Y).predict_proba(clipped)
    assert np.allclose(model.predict_proba(FRAME), expected)
    assert caplog.records == []


def test_no_code_is_stored(saved: Saved) -> None:
    folder = saved()
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"LIMIT" not in everything
    assert {path.name for path in (folder / "extra_files").iterdir()} == {CODE, GOLDEN_ROWS}


# --- when the source is another one


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model", MODEL + "# more\n"),
        ("limits", "LIMIT = 2.0 / 2\n"),
        ("unused", "y = 2\n"),
        ("__init__", "'''A project.'''\n"),
    ],
)
def test_other_code_that_says_the_same_is_used_with_a_note(
    saved: Saved, project: Path, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    folder = saved()
    change(project, name, text)
    caplog.set_level(logging.INFO, "mlops_tasks")
    load(folder)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == (
        "the code of trips.model.Clipper is not what the model was trained with; its 20 golden "
        "rows get the same predictions, so it is used"
    )


@pytest.mark.parametrize(
    "text",
    ["LIMIT = 0.5\n", "LIMIT = None\n", "LIMIT = 1.0 + 1e-4\n"],
    ids=["other", "fails", "slightly"],
)
def test_code_that_says_something_else_is_refused(saved: Saved, project: Path, text: str) -> None:
    folder = saved()
    change(project, "limits", text)
    told = refused(folder, r"trips\.model\.Clipper is not what the model was trained with, and \d+")
    assert "of 20 golden rows get another prediction" in told
    assert told.endswith(
        "Deploy the code of its training again, roll back, or train a new version with this code"
    )


def test_a_module_that_it_does_not_import_changes_nothing(
    saved: Saved, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = saved()
    change(project, "other", "x = 2\n")
    caplog.set_level(logging.INFO)
    load(folder)
    assert caplog.records == []


def test_without_golden_rows_nothing_can_tell(saved: Saved, project: Path) -> None:
    folder = saved(rows=None)
    load(folder)
    change(project, "unused", "y = 2\n")
    refused(folder, "it has no golden rows, which could tell whether that matters")


def test_code_that_is_gone(saved: Saved, project: Path) -> None:
    folder = saved()
    change(project, "model", MODEL.replace("class Clipper", "class Cutter"))
    refused(folder, r"uses 'trips\.model\.Clipper', which the deployed project no longer has")
    change(project, "model", "raise OSError('gone')")
    refused(folder, r"no longer has: OSError\('gone'\)\. Put it back, roll back, or train again")


# --- golden rows


def test_personal_columns_are_not_kept(saved: Saved) -> None:
    import pyarrow as pa

    folder = saved(personal={"c", "not there"}) / "extra_files"
    with pa.OSFile(str(folder / GOLDEN_ROWS)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column("c").null_count == len(table) == 20
    assert table.column("a").null_count == 0
    assert table.column_names == ["a", "b", "c", "mlops_answer_0", "mlops_answer_1"]
    model = load(folder.parent)
    assert differing_rows(model, folder) == (0, 20)


def test_a_model_that_needs_the_personal_columns_has_none(saved: Saved, project: Path) -> None:
    folder = saved(personal={"a"})  # the logistic regression takes no missing value
    assert not (folder / "extra_files" / GOLDEN_ROWS).exists()
    load(folder)
    change(project, "unused", "y = 2\n")
    refused(folder, "no golden rows")


# --- whose word it goes by


def test_names_are_imported_only_of_files_that_the_ledger_knows(saved: Saved) -> None:
    folder = saved()
    digest = files_digest(folder)
    (folder / "extra_files" / CODE).write_text(json.dumps({"trips.model.never": "d"}))
    forget()
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        load_model(folder, digest=digest, examined=True)
    assert not any(name.startswith("trips") for name in sys.modules)
    with pytest.raises(UnsafeModelError, match="which nobody vouches for"):
        load_model(folder, digest=files_digest(folder))
    assert not any(name.startswith("trips") for name in sys.modules)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "sklearn.utils.shuffle",
        "mlops_tasks.scratch.sweep",
        "tripsx.model.Clipper",
        "trips",
    ],
)
def test_libraries_are_never_imported_by_name(saved: Saved, name: str) -> None:
    folder = saved()
    (folder / "extra_files" / CODE).write_text(json.dumps({name: "d"}))
    refused(folder, f"uses '{name}', which is no class or function of a deployed project")


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"trips.model.Clipper": 7}', '{"trips.model.x y": "d"}', "[" * 50_000, '{"": ""}'],
    ids=range(6),
)
def test_records_that_are_none(saved: Saved, content: str) -> None:
    folder = saved()
    (folder / "extra_files" / CODE).write_text(content)
    refused(folder, f"{CODE} is not what training writes")


def test_a_file_that_uses_more_than_it_records(saved: Saved) -> None:
    folder = saved("clip")
    (folder / "extra_files" / CODE).unlink()
    refused(folder, "cannot be loaded")
    with pytest.raises(UnsafeModelError, match=r"outside the allow-list: \['trips\.model\.clip'\]"):
        examine_model(folder)


def test_a_stranger_is_examined_with_the_names_of_a_person(saved: Saved) -> None:
    """Nothing of a project is imported on the word of files that nobody vouches for."""
    folder = saved()
    with pytest.raises(UnsafeModelError, match="which nobody vouches for: look at them"):
        examine_model(folder)
    with pytest.raises(UnsafeModelError, match="which nobody vouches for"):
        examine_model(folder, frozenset({"trips.model.clip"}))
    examine_model(folder, frozenset({"trips.model.Clipper"}))


def test_libraries_are_no_projects(project: Path) -> None:
    assert project_folder("trips") == project.parent
    for package in ("os", "sklearn", "numpy", "mlops_tasks", "mlops_airflow", "", "no such", "nix"):
        assert project_folder(package) is None


def test_a_class_without_source_is_not_saved(project: Path) -> None:
    with pytest.raises(UnsafeModelError, match="whose source is not there"):
        digest_code("trips.gone.Clipper")
