"""Projects of three problem types, three grains and three formats: each runs as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag

from tests.unit.scaffold.worlds import hourly_tickets, orders, weekly_sales

if TYPE_CHECKING:
    from mlops_tasks.scaffold import Draft
    from mlops_tasks.specs import ModelSpec
    from tests.unit.scaffold.conftest import Make

# By kind of source: what writes it, and what is said of it.
WORLDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sqlite": (lambda root: orders(root / "shop.db"), {"target": "late"}),
    "csv": (weekly_sales, {"table": "sales", "target": "unitsSold"}),
    "jsonl": (hourly_tickets, {"target": "queue"}),
}
WANTED: dict[str, dict[str, Any]] = {
    "sqlite": {
        "problem_type": "binary",
        "grain": "day",
        "key": ("order_id",),
        "features": ("shop", "items", "hour_of_day", "day_of_week"),
        "later": {"late", "delivered_at"},
        "personal": ("contact",),
        "delay": "2d",
        "min_rows": 500,
    },
    "csv": {
        "problem_type": "regression",
        "grain": "week",
        "key": ("item_no", "week_start"),
        "features": ("item", "store_type", "x_price"),
        "later": {"units_sold"},
        "personal": (),
        "delay": "7d",
        "min_rows": 380,
    },
    "jsonl": {
        "problem_type": "multiclass",
        "grain": "hour",
        "key": ("ticket_id",),
        "features": ("hour_of_day", "day_of_week", "message"),
        "later": {"queue"},
        "personal": (),
        "delay": "1h",
        "min_rows": 500,
    },
}


@pytest.fixture(params=WORLDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(kind: str, make: Make, dags: Path, tmp_path: Path) -> Path:
    write, answers = WORLDS[kind]
    source = tmp_path / "source"
    source.mkdir()
    make(write(source), kind + "_model", **answers)
    return dags / f"{kind}_model"


def load(project: Path) -> ModelSpec:
    from mlops_tasks.scaffold.trial_run import load_spec

    return load_spec(project / "spec.py")


@pytest.mark.slow
def test_it_says_what_the_source_is(project: Path, kind: str) -> None:
    model, wanted = load(project), WANTED[kind]
    assert model.problem_type == wanted["problem_type"]
    assert {one.grain for one in model.datasets} == {wanted["grain"]}
    assert model.key == wanted["key"]
    assert model.features == wanted["features"]
    assert model.known_later == wanted["later"]
    assert not wanted["later"] & set(model.rows.columns)
    assert model.rows.personal == wanted["personal"]
    assert str(model.label.dataset.delay) == wanted["delay"]
    assert (model.drift.min_rows, model.performance.min_rows) == (wanted["min_rows"], None)
    # Of the orders' forty days the last two have no label, and never get one.
    assert kind != "sqlite" or str(model.rows.end) == "2024-02-07"


@pytest.mark.slow
def test_it_is_formatted_parses_and_passes_its_own_test(project: Path, kind: str) -> None:
    bin_folder = Path(sys.executable).parent
    env = {name: os.environ[name] for name in ("PATH", "AIRFLOW_HOME")}
    env |= {"PYTHONPATH": str(project.parent), "HOME": str(project.parent)}
    for command in (
        [bin_folder / "ruff", "format", "--isolated", "--check", "."],
        [bin_folder / "ruff", "check", "--isolated", "."],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
    ):
        done = subprocess.run(
            command, cwd=project, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    bag = BundleDagBag(dag_folder=project.parent, bundle_path=project.parent)
    assert not bag.import_errors
    name = f"{kind}_model"
    verbs = {dag_id.rpartition(".")[2] for dag_id in bag.dags if dag_id.startswith(name + ".")}
    looped = {"score", "monitor", "decide", "train"}
    assert verbs == looped | {"release", "rollback", "reproduce"}


def test_what_is_there_stays_and_what_is_missing_comes_back(
    make: Make, dags: Path, tmp_path: Path
) -> None:
    from mlops_tasks.scaffold import write_files

    source = orders(tmp_path / "shop.db", n_days=20)
    found: Draft = make(source, "late", target="late")
    spec = dags / "late" / "spec.py"
    spec.write_text(spec.read_text() + "# mine\n")
    (dags / "late" / "features.sql").unlink()
    states = {one.path.name: one.state for one in write_files(found.files)}
    assert states.pop("spec.py") == "differs"
    assert states.pop("features.sql") == "written"
    assert set(states.values()) == {"kept"}
    assert spec.read_text().endswith("# mine\n")


def test_a_second_draft_is_the_same(make: Make, tmp_path: Path) -> None:
    source = orders(tmp_path / "shop.db", n_days=20)
    first, second = (make(source, "late", target="late") for _ in range(2))
    assert first.files == second.files
