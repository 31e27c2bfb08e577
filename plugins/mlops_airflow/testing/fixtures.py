"""The pytest plugin: stores of a test's own, rows in them, and Dags that run over them.

Every pytest in the environment loads this module, so it imports nothing but pytest until a test
asks for one of its fixtures. A fixture of the same name in your ``conftest.py`` takes its place.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mlops_airflow.testing.dag_runs import LocalAirflow
    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import DatasetSpec

__all__ = ["pytest_load_initial_conftests"]

#: MLflow reads these at its first import: no test reports home.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Give Airflow a home for this time: a test file that imports it would make ``~/airflow``.

    An Airflow that somebody has there stays the one that tests see.
    """
    if "AIRFLOW_HOME" in os.environ or "airflow" in sys.modules:
        return
    if not Path("~/airflow").expanduser().exists():
        home = os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
        early_config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return an empty lake."""
    from mlops_tasks.lake import Lake

    return Lake(tmp_path / "lake")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return an empty ledger in a file, as several processes would share it."""
    from mlops_tasks.registry.ledger import Ledger

    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty MLflow store once: its migrations take seconds."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with warnings.catch_warnings():  # MLflow's own, of SQLAlchemy and pydantic
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracking(tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    """Return a client of an empty MLflow store, which is a file and needs no server."""
    from mlops_tasks.registry.tracking import Tracking

    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    # Else a store without a server puts artifacts below the current folder.
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    return Tracking(f"sqlite:///{tmp_path}/mlflow.db", login=None)


@pytest.fixture
def publish_rows(lake: Lake) -> Callable[..., PartitionVersion]:
    """Return a function that publishes rows as a partition of a dataset, without its source.

    ``publish_rows(dataset, "2024-03-01", rows)``, where the rows are dictionaries, an Arrow table
    or a DataFrame.
    """
    from mlops_airflow.testing import sample_rows

    def publish(dataset: DatasetSpec, partition: str, rows: Any) -> PartitionVersion:
        return sample_rows.publish_rows(lake, dataset, partition, rows)

    return publish


@pytest.fixture
def sample_partitions(lake: Lake) -> Callable[..., list[str]]:
    """Return a function that publishes made-up rows of a dataset, and returns their partitions.

    ``sample_partitions(dataset, 3)``: 100 rows of each of the first three partitions.
    """
    from mlops_airflow.testing import sample_rows

    def publish(
        dataset: DatasetSpec, n_partitions: int = 1, *, n_rows: int = 100, first: str | None = None
    ) -> list[str]:
        first = first or dataset.first
        keys = [dataset.calendar.shift(first, number) for number in range(n_partitions)]
        for key in keys:
            rows = sample_rows.sample_rows(dataset, key, n_rows)
            sample_rows.publish_rows(lake, dataset, key, rows)
        return keys

    return publish


@pytest.fixture
def freeze_today(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | datetime], None]:
    """Return a function that sets what the loop takes for today: a day, or an instant."""
    import datetime as clock

    from mlops_tasks.partitions import days

    def freeze(moment: str | datetime) -> None:
        found = clock.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        instant = found if found.tzinfo else found.replace(tzinfo=clock.UTC)

        class Frozen(clock.datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return instant.astimezone(tz)

        monkeypatch.setattr(days, "datetime", Frozen)

    return freeze


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that defines an Airflow connection for this test.

    ``connect("shop", conn_type="sqlite", host=str(file))``
    """

    def define(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return define


@pytest.fixture(scope="session")
def dags_folder(pytestconfig: pytest.Config) -> Path:
    """Return the folder of your projects: ``dags`` below pytest's root, unless you override it."""
    return pytestconfig.rootpath / "dags"


@pytest.fixture(scope="session")
def local_airflow(tmp_path_factory: pytest.TempPathFactory, dags_folder: Path) -> LocalAirflow:
    """Parse the Dags once, and make a metadata database that knows them."""
    home = tmp_path_factory.mktemp("airflow")
    if "airflow" not in sys.modules:  # it reads this once, and would make ~/airflow without it
        os.environ.setdefault("AIRFLOW_HOME", str(home / "home"))
    from mlops_airflow.testing.dag_runs import LocalAirflow

    return LocalAirflow.of_folder(dags_folder, home)


@pytest.fixture
def run_dag(
    local_airflow: LocalAirflow, lake: Lake, ledger: Ledger, tracking: Tracking, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Return a function that runs a Dag over the test's lake, ledger and MLflow store.

    ``run_dag("orders.ingest", "2024-03-01")`` runs it to its end and returns a `FinishedRun`.
    """
    connections: dict[str, dict[str, Any]] = {
        "lake_default": {"conn_type": "file", "extra": {"path": str(lake.root)}},
        "ledger_default": {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")},
        "mlflow_default": {"conn_type": "sqlite", "host": str(tmp_path / "mlflow.db")},
    }
    with local_airflow.started(tmp_path / "airflow", connections):
        yield local_airflow.run
