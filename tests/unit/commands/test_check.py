"""`mlops check`: a table or JSON, an exit code, and no project that hides another."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.commands import check
from mlops_tasks.checks import CheckResult
from tests.unit.orders import Source

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
from pathlib import Path
from tests.unit.orders import project
from mlops_tasks.specs import DriftSpec, PerformanceSpec

WATCH = {{"window": "7d", "min_rows": 300}}
MODEL = project(
    Path({folder!r}), train="6d", evaluation="3d",
    drift=DriftSpec(**WATCH), performance=PerformanceSpec(**WATCH), {changes}
)
"""
DAG = """
from mlops_airflow.lifecycle import build_dags
from {name}.spec import MODEL

build_dags(MODEL, namespace=globals())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of projects with one that works; nothing of them stays imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(check, "connect", lambda: None)
    for name in [name for name in sys.modules if name.startswith("checked_")]:
        monkeypatch.delitem(sys.modules, name)
    source = Source(tmp_path / "shop.db")
    for number in range(12):
        source.add(number)
    where = {"conn_type": "sqlite", "host": str(source.path)}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_SOURCE", json.dumps(where))
    (tmp_path / "data").mkdir()
    write_project(tmp_path / "dags", "checked_good")
    return tmp_path / "dags"


def write_project(folder: Path, name: str, *, changes: str = "", spec: str = SPEC) -> None:
    """Write a project."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    data = str(folder.parent / "data")
    (folder / name / "spec.py").write_text(spec.format(folder=data, changes=changes))
    (folder / name / "dag.py").write_text(DAG.format(name=name))


def called(folder: Path, *arguments: str) -> tuple[int, str]:
    """Call the command; return exit code and output."""
    import typer

    app = typer.Typer()
    app.command()(check.check)
    result = CliRunner().invoke(app, ["--folder", str(folder), *arguments])
    return result.exit_code, result.output


def test_a_model_that_works(folder: Path) -> None:
    code, said = called(folder)
    assert code == 0, said
    assert "late_orders" in said
    assert "alarm" not in said


def test_json_has_every_result(folder: Path) -> None:
    code, said = called(folder, "late_orders", "--json")
    found = json.loads(said)
    assert (code, found["exit_code"]) == (0, 0)
    results = found["models"]["late_orders"]
    assert {"check", "where", "answer", "message", "fix", "follows"} == set(results[0])
    assert [one["check"] for one in results][:3] == ["spec", "dags", "connection"]
    (dags,) = [one for one in results if one["check"] == "dags"]
    assert "late_orders.train" in dags["message"]


def test_a_broken_project_is_named_by_file_and_line_and_hides_no_other(folder: Path) -> None:
    write_project(folder, "checked_bad", spec="x = 1\ny = x +\n")
    write_project(folder, "checked_worse", spec="x = 1\n\ny = nothing\n")
    code, said = called(folder, "--json")
    models = json.loads(said)["models"]
    assert code == 1
    assert models["checked_bad"][0]["message"] == "checked_bad/spec.py, line 2: invalid syntax"
    assert models["checked_worse"][0]["message"] == (
        "checked_worse/spec.py, line 3: NameError: name 'nothing' is not defined"
    )
    assert {one["answer"] for one in models["late_orders"]} == {"fine"}


def test_a_spec_that_is_not_valid(folder: Path) -> None:
    write_project(folder, "checked_bad", changes="problem_typ='binary'")
    code, said = called(folder, "checked_bad", "--json")
    (found,) = json.loads(said)["models"]["checked_bad"]
    assert code == 1
    assert "did you mean 'problem_type'" in found["message"]
    assert "checked_bad/spec.py, line " in found["message"]


def test_dags_that_are_not_built(folder: Path) -> None:
    (folder / "checked_good" / "dag.py").write_text("import airflow\nfrom nowhere import x\n")
    code, said = called(folder, "late_orders", "--json")
    found = {one["check"]: one for one in json.loads(said)["models"]["late_orders"]}
    assert code == 1
    assert found["dags"]["message"] == (
        "checked_good/dag.py, line 2: ModuleNotFoundError: No module named 'nowhere'"
    )


def test_no_such_model(folder: Path) -> None:
    code, said = called(folder, "late_order")
    assert code == 1
    assert "did you mean 'late_orders'" in " ".join(said.split())


def test_what_one_mistake_hides_is_one_line() -> None:
    first = CheckResult("rows", "dataset 'orders'", "alarm", "no such table")
    text = "not looked at: the check 'rows' of dataset 'orders' failed"
    hidden = [
        CheckResult(name, f"at {name}", "cannot tell", text, "fix that first", follows="rows")
        for name in ("features", "label", "label", "volume")
    ]
    other = CheckResult("gate", "gate.metric", "fine", "ROC AUC")
    alone = CheckResult("windows", "train", "cannot tell", "another", "fix it", follows="label")
    shown = check._folded([first, *hidden, other, alone])
    assert shown[0] == first
    assert shown[1] == other
    assert (shown[2].check, shown[2].where) == ("4 others", "features, label, volume")
    assert (shown[2].message, shown[2].answer) == (text, "cannot tell")
    assert shown[3:] == [alone]
