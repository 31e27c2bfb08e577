"""The real Dags under ``dag.test``: a metadata database, a lake and a store of their own.

Another test of the same process may have imported Airflow before, with other settings. So nothing
here rests on ``AIRFLOW_HOME``: the settings come from the environment at run time, Airflow's
database session is made anew from them, and both are put back at the end.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

    from demo.source import SourceDatabase
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

DAGS = Path(__file__).resolve().parents[2] / "dags"

# Airflow reads this once, at its first import; without it, it would write to the user's home.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Know the noise of Airflow and its neighbours when they run in one process."""
    for line in (
        # skops looks through every loaded module when it is imported.
        r"ignore:The `airflow\..* is deprecated",
        # MLflow on the whole numbers of a signature; the estimator takes missing ones.
        "ignore:Hint. Inferred schema contains integer column:UserWarning",
    ):
        config.addinivalue_line("filterwarnings", line)


@dataclass(frozen=True)
class Finished:
    """One run as the metadata database tells it."""

    state: str
    tasks: dict[str, str]
    outputs: dict[str, Any]
    links: dict[str, str]


@dataclass
class Airflow:
    """The Dags of the repository and everything that they work on."""

    dags: dict[str, DAG]
    lake: Lake
    ledger: Ledger
    tracking: Tracking
    source: SourceDatabase

    def run(self, dag_id: str, key: str | None, **conf: Any) -> Finished:
        """Run a Dag to its end, as a run triggered with this partition key.

        What a day holds was known on its own night, though the test runs today.
        """
        if key and dag_id.endswith((".ingest", ".refresh")):
            conf = {"known_at": key} | conf
        with _partition(key):
            run = self.dags[dag_id].test(logical_date=None, run_conf=conf or None)
        return self._finished(run)

    def events(self, asset: str, key: str) -> list[dict[str, Any]]:
        """Return the extra of every event of an asset for one partition."""
        from airflow.models.asset import AssetEvent, AssetModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            query = (
                select(AssetEvent)
                .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
                .where(AssetModel.name == asset, AssetEvent.partition_key == key)
                .order_by(AssetEvent.id)
            )
            return [dict(event.extra or {}) for event in session.scalars(query)]

    def queued(self, dag_id: str, key: str) -> list[str]:
        """Return the assets that a consumer's waiting run for one partition has heard of."""
        from airflow.models.asset import AssetModel, AssetPartitionDagRun, PartitionedAssetKeyLog
        from airflow.utils.session import create_session
        from sqlalchemy import select

        log = PartitionedAssetKeyLog
        with create_session() as session:
            query = (
                select(AssetModel.name)
                .join(log, log.asset_id == AssetModel.id)
                .join(
                    AssetPartitionDagRun, AssetPartitionDagRun.id == log.asset_partition_dag_run_id
                )
                .where(
                    AssetPartitionDagRun.target_dag_id == dag_id,
                    AssetPartitionDagRun.partition_key == key,
                )
            )
            return sorted(session.scalars(query))

    def _finished(self, run: DagRun) -> Finished:
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            tasks = {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)}
            query = select(XComModel).where(
                XComModel.dag_id == run.dag_id,
                XComModel.run_id == run.run_id,
            )
            rows = [
                (row.key, row.task_id, deserialize(XComModel.deserialize_value(row)))
                for row in session.scalars(query)
            ]
        outputs = {task: value for key, task, value in rows if key == "return_value"}
        links = {task: value for key, task, value in rows if key.startswith("_link_")}
        return Finished(str(run.state), tasks, outputs, links)


@contextmanager
def _partition(key: str | None) -> Iterator[None]:
    """Make the run as the REST API does: with a partition key and without a logical date.

    ``dag.test`` of Airflow 3.3 takes no partition key, and it would delete the earlier runs that
    have no logical date either. Everything else of it stays as it is.
    """
    from airflow.utils.types import DagRunType

    def create(*, dag: Any, **options: Any) -> DagRun:
        kind = {"run_type": DagRunType.MANUAL, "state": "running"}
        run: DagRun = dag.create_dagrun(partition_key=key, **kind, **options)
        return run

    with patch("airflow.models.dagrun.get_or_create_dagrun", create):
        yield


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Hold the Dags of the repository over real, empty stores, and the first days of 2013."""
    import sklearn.ensemble  # noqa: F401 (its threads can be limited once they are loaded)
    from airflow import settings
    from threadpoolctl import threadpool_limits

    home = tmp_path_factory.mktemp("airflow")
    # Threads that wait for each other on a busy machine take longer than one alone.
    with patch.dict(os.environ, _environment(home)), threadpool_limits(1):
        _reconfigure()
        try:
            _make_database()
            yield _airflow(home)
        finally:
            settings.dispose_orm()
    _reconfigure()


def _environment(home: Path) -> dict[str, str]:
    connections = {
        "lake_default": {"conn_type": "file", "extra": {"path": str(home / "lake")}},
        "ledger_default": {"conn_type": "sqlite", "host": str(home / "ledger.db")},
        "mlflow_default": {"conn_type": "sqlite", "host": str(home / "mlflow.db")},
        "flights_source": {"conn_type": "sqlite", "host": str(home / "source.db")},
    }
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()},
    }


def _reconfigure() -> None:
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()


def _make_database() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from sqlalchemy import update

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    (bundle,) = DagBundlesManager().get_all_dag_bundles()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
    with create_session() as session:  # a paused consumer does not hear of events
        session.execute(update(DagModel).values(is_paused=False))


def _airflow(home: Path) -> Airflow:
    from airflow.dag_processing.dagbag import BundleDagBag

    from demo.source import SourceDatabase
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

    dags = BundleDagBag(dag_folder=DAGS, bundle_path=DAGS).dags
    for dag in dags.values():
        for task in dag.tasks:
            task.retries = 0  # otherwise a failure is waited for and tried again
    source = SourceDatabase(home / "source.db")
    source.advance(date(2013, 1, 3))
    tracking = Tracking(f"sqlite:///{home}/mlflow.db")
    tracking.client.create_experiment("flight_delays", artifact_location=str(home / "artifacts"))
    return Airflow(
        dags=dags,
        lake=Lake(home / "lake"),
        ledger=Ledger(f"sqlite:///{home}/ledger.db"),
        tracking=tracking,
        source=source,
    )
