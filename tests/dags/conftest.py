"""The real Dags under ``dag.test``: a metadata database, a lake and a store for a whole module."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import DAG

    from demo.source import SourceDatabase
    from mlops_airflow.testing.dag_runs import FinishedRun, LocalAirflow
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

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


@dataclass
class Airflow:
    """The Dags of the repository and everything that they work on."""

    local: LocalAirflow
    lake: Lake
    ledger: Ledger
    tracking: Tracking
    source: SourceDatabase

    @property
    def dags(self) -> dict[str, DAG]:
        return self.local.dags

    def run(self, dag_id: str, key: str | None, **conf: Any) -> FinishedRun:
        """Run a Dag to its end, as a run triggered with this partition key.

        What a day holds was known on its own night, though the test runs today.
        """
        if key and dag_id.endswith((".ingest", ".refresh")):
            conf = {"known_at": key} | conf
        return self.local.run(dag_id, key, conf)

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


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, local_airflow: LocalAirflow
) -> Iterator[Airflow]:
    """Hold the Dags of the repository over real, empty stores, and the first days of 2013."""
    import sklearn.ensemble  # noqa: F401 (its threads can be limited once they are loaded)
    from threadpoolctl import threadpool_limits

    home = tmp_path_factory.mktemp("airflow")
    connections = {
        "lake_default": {"conn_type": "file", "extra": {"path": str(home / "lake")}},
        "ledger_default": {"conn_type": "sqlite", "host": str(home / "ledger.db")},
        "mlflow_default": {"conn_type": "sqlite", "host": str(home / "mlflow.db")},
        "flights_source": {"conn_type": "sqlite", "host": str(home / "source.db")},
    }
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    # Threads that wait for each other on a busy machine take longer than one alone.
    with (
        patch.dict(os.environ, quiet),
        local_airflow.started(home, connections),
        threadpool_limits(1),
    ):
        yield _airflow(home, local_airflow)


def _airflow(home: Path, local: LocalAirflow) -> Airflow:
    from demo.source import SourceDatabase
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

    source = SourceDatabase(home / "source.db")
    source.advance(date(2013, 1, 3))
    tracking = Tracking(f"sqlite:///{home}/mlflow.db")
    tracking.client.create_experiment("flight_delays", artifact_location=str(home / "artifacts"))
    return Airflow(
        local=local,
        lake=Lake(home / "lake"),
        ledger=Ledger(f"sqlite:///{home}/ledger.db"),
        tracking=tracking,
        source=source,
    )
