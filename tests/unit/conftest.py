"""Shared pieces of the unit tests: real stores in temporary folders, no network."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import ModelSpec

# Before the first import of MLflow, which reads them then.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

N_DAYS = 18


def pytest_configure(config: pytest.Config) -> None:
    """Let skops look through every loaded module, as it does when it is imported."""
    config.addinivalue_line("filterwarnings", r"ignore:The `airflow\..* is deprecated")


@dataclass(frozen=True)
class World:
    """A project some nights on: data published, version 1 trained, judged and promoted."""

    spec: ModelSpec
    lake: Lake
    tracking: Tracking
    ledger: Ledger
    pin: TrainingPin
    trained: TrainResult
    verdict: Verdict
    champion: RegisteredVersion
    as_of: str


@pytest.fixture
def example_projects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the projects in ``dags/`` be imported for one test only."""
    from tests.quality.discovery import DAGS

    monkeypatch.syspath_prepend(DAGS)
    mine = {path.name for path in DAGS.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
        sys.modules.pop(name)


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """Return the orders project, in files of this test's own."""
    from tests.unit.orders import project

    return project(tmp_path / "project")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> World:
    """Build the shared world once. Only for tests that change nothing in it."""
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.champions import champion_of
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.steps.evaluate import evaluate
    from mlops_tasks.steps.pin import pin_training_data
    from mlops_tasks.steps.promote import promote
    from mlops_tasks.steps.register import register
    from mlops_tasks.steps.train import train
    from tests.unit.orders import day, fill_lake, project

    home = tmp_path_factory.mktemp("world")
    spec, lake = project(home / "project"), Lake(home / "lake")
    fill_lake(lake, spec, range(N_DAYS))
    tracking, ledger = _tracking(home, mlflow_template), Ledger(f"sqlite:///{home}/ledger.db")
    as_of = day(15)
    pin = pin_training_data(spec, as_of, lake=lake)
    trained = train(spec, pin, lake=lake, tracking=tracking)
    verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
    version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
    assert promote(version, verdict, as_of=as_of, tracking=tracking, ledger=ledger)
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    return World(spec, lake, tracking, ledger, pin, trained, verdict, champion, as_of)


@pytest.fixture(scope="session")
def _run_files(world: World) -> dict[Path, bytes]:
    """What the world's run keeps beside its model: an evaluation in a copy writes it anew."""
    from pathlib import Path
    from urllib.parse import urlsplit

    uri = world.tracking.client.get_run(world.trained.run_id).info.artifact_uri
    folder = Path(urlsplit(uri).path)
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def own_world(world: World, _run_files: dict[Path, bytes], tmp_path: Path) -> Iterator[World]:
    """Give a copy of the world that this test may change."""
    yield copy_world(world, tmp_path)
    for path, content in _run_files.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


@pytest.fixture
def tracking_files(own_world: World) -> Iterator[Path]:
    """The folder in MLflow's store where the champion's files are; as it was, afterwards."""
    from pathlib import Path

    model = own_world.tracking.client.get_logged_model(own_world.trained.model_id)
    folder = Path(model.artifact_location)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield folder
    for path, content in before.items():
        path.write_bytes(content)


def copy_world(world: World, home: Path) -> World:
    """Copy all stores of a world below `home`. Model files are shared: nobody writes to them."""
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

    shutil.copytree(world.lake.root, home / "lake")
    for name in ("mlflow.db", "ledger.db"):
        shutil.copy(world.lake.root.parent / name, home / name)
    return replace(
        world,
        lake=Lake(home / "lake"),
        tracking=Tracking(f"sqlite:///{home}/mlflow.db"),
        ledger=Ledger(f"sqlite:///{home}/ledger.db"),
    )


def _tracking(home: Path, template: Path) -> Tracking:
    from mlops_tasks.registry.tracking import Tracking

    shutil.copy(template, home / "mlflow.db")
    tracking = Tracking(f"sqlite:///{home}/mlflow.db")
    # A store without a server would put artifacts below the current folder.
    tracking.client.create_experiment("late_orders", artifact_location=str(home / "artifacts"))
    return tracking


@pytest.fixture
def evening(freeze_today: Callable[[str], None]) -> None:
    """Let it be the evening of 1 March in New York, when it is the 2nd in London."""
    freeze_today("2024-03-02T01:00+00:00")
