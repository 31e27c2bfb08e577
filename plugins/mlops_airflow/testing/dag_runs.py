"""Dags under ``dag.test``: in this process, over a metadata database of their own.

Whatever Airflow the shell points at is neither read nor written. Airflow may have been imported
before, with other settings: so these come from the environment at run time, Airflow's database
session is made anew from them, and both are put back at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

__all__ = ["FinishedRun", "LocalAirflow", "airflow_settings"]

_DATABASE = "airflow.db"
#: What these libraries warn of by themselves, which is nobody's error under ``-W error``.
_NOISE = (
    "Using `httpx` with `starlette.testclient` is deprecated",
    "GitWildMatchPattern",
    "The `airflow[.].* is deprecated",
    "The ``noload`` loader strategy is deprecated",
    "The specified dataset source can be interpreted in multiple ways",
    ".*Any type hint is inferred as AnyType",
)


@dataclass(frozen=True)
class FinishedRun:
    """A run of a Dag, after its end.

    Attributes
    ----------
    state : str
        ``success`` or ``failed``.
    tasks : dict of str to str
        State of each task; of a mapped one each by its index, as ``candidate[0]``.
    outputs : dict of str to object
        What each task has returned.
    links : dict of str to str
        The address behind each task's button, where it has one.
    events : dict of str to list of dict
        By asset, what each of the run's events says, its ``extra``.
    """

    state: str
    tasks: dict[str, str]
    outputs: dict[str, Any]
    links: dict[str, str]
    events: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class LocalAirflow:
    """Dags, and a metadata database that knows them; each test works on a copy of it.

    Attributes
    ----------
    folder : Path
        Of the Dags.
    template : Path
        The database: no run yet, nothing paused.
    dags : dict of str to DAG
        By id.
    import_errors : dict of str to str
        By file, why it has none.
    """

    folder: Path
    template: Path
    dags: dict[str, DAG]
    import_errors: dict[str, str]

    @classmethod
    def of_folder(cls, folder: Path, home: Path) -> Self:
        """Parse the Dags of a folder and make the database below `home`."""
        with airflow_settings(home, folder):
            bag = _make_database()
        for dag in bag.dags.values():
            for task in dag.tasks:
                task.retries = 0  # otherwise a failure is waited for and tried again
        return cls(folder, home / _DATABASE, dict(bag.dags), dict(bag.import_errors))

    @contextmanager
    def started(self, home: Path, connections: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
        """Work on a fresh copy of the database, with these connections, until the end."""
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.template, home / _DATABASE)
        with airflow_settings(home, self.folder, connections):
            yield

    def run(
        self, dag: str | DAG, partition: str | None = None, conf: Mapping[str, Any] | None = None
    ) -> FinishedRun:
        """Run a Dag to its end, as if it was triggered by hand.

        Parameters
        ----------
        dag : str or DAG
            Its id, or one that the test has made itself.
        partition : str, optional
            Partition key of the run.
        conf : mapping, optional
            Parameters of the run, as its form has them.

        Returns
        -------
        FinishedRun
            What became of it. A failed task is no error here: its log says why.
        """
        found = self._find(dag) if isinstance(dag, str) else dag
        with _quiet(), _partition(partition), _alone(found):
            run = found.test(logical_date=None, run_conf=dict(conf or {}) or None)
        return _finished(run)

    def _find(self, dag_id: str) -> DAG:
        if dag_id in self.dags:
            return self.dags[dag_id]
        broken = [f"{file}: {error.strip()}" for file, error in self.import_errors.items()]
        raise LookupError(
            f"there is no Dag {dag_id!r} in {self.folder}; there are {sorted(self.dags)}"
            + ("; could not be read:\n" + "\n".join(broken) if broken else "")
            + ". The fixture `dags_folder` says which folder it is; override it in conftest.py"
        )


@contextmanager
def airflow_settings(
    home: Path, folder: Path, connections: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[None]:
    """Let Airflow work on a database in `home`, on these Dags, and on nothing else."""
    given = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in (connections or {}).items()
    }
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
            del os.environ[name]
        os.environ.update(_environment(home, folder) | given)
        with _quiet():
            from airflow import settings

            _reconfigure()
        try:
            yield
        finally:
            settings.dispose_orm()
    # A shell may point at a database whose driver is not here: then nobody has used it either.
    with _quiet(), suppress(ImportError):
        _reconfigure()


def _environment(home: Path, folder: Path) -> dict[str, str]:
    path = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundle = {"name": "dags-folder", "classpath": path, "kwargs": {"path": str(folder)}}
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / _DATABASE}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "False",
        "AIRFLOW__SECRETS__BACKEND": "",
    }


def _reconfigure() -> None:
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()  # type: ignore[no-untyped-call]
    settings.configure_orm()  # type: ignore[no-untyped-call]


def _make_database() -> DagBag:
    """Make a database that knows the Dags of the folder, and return these."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with _quiet():
        initdb()
        DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
        (bundle,) = DagBundlesManager().get_all_dag_bundles()  # type: ignore[no-untyped-call]
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)
        with create_session() as session:  # a paused consumer does not hear of events
            session.execute(update(DagModel).values(is_paused=False))
    return bag


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _NOISE:
            warnings.filterwarnings("ignore", message)
        yield


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


@contextmanager
def _alone(dag: DAG) -> Iterator[None]:
    """Spare ``dag.test`` from parsing the whole folder at each call: the database knows it."""
    bag = SimpleNamespace(
        dags={dag.dag_id: dag}, import_errors={}, dag_warnings=set(), bundle_path=None
    )
    with patch("airflow.dag_processing.dagbag.BundleDagBag", lambda **_: bag):
        yield


def _finished(run: DagRun) -> FinishedRun:
    from airflow.utils.session import create_session

    with create_session() as session:
        tasks = {_name(ti): str(ti.state) for ti in run.get_task_instances(session=session)}
        values = _values(run, session)
        events = _events(run, session)
    return FinishedRun(
        state=str(run.state),
        tasks=tasks,
        outputs={task: value for task, key, value in values if key == "return_value"},
        links={task: value for task, key, value in values if key.startswith("_link_")},
        events=events,
    )


def _name(row: Any) -> str:
    """Name a task; of a mapped one each by its index, as ``candidate[0]``."""
    return str(row.task_id) if row.map_index < 0 else f"{row.task_id}[{row.map_index}]"


def _values(run: DagRun, session: Session) -> list[tuple[str, str, Any]]:
    """Return task, key and value of all that the run's tasks have left."""
    from airflow.models.xcom import XComModel
    from airflow.sdk.serde import deserialize
    from sqlalchemy import select

    query = select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id)
    return [
        (_name(row), row.key, deserialize(XComModel.deserialize_value(row)))
        for row in session.scalars(query)
    ]


def _events(run: DagRun, session: Session) -> dict[str, list[dict[str, Any]]]:
    from airflow.models.asset import AssetEvent, AssetModel
    from sqlalchemy import select

    query = (
        select(AssetModel.name, AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id)
        .order_by(AssetEvent.id)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for name, extra in session.execute(query):
        found.setdefault(name, []).append(dict(extra or {}))
    return found
