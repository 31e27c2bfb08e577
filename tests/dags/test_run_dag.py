"""The fixture ``run_dag``: Dags of the folder, and Dags that a test has made itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_airflow.testing.dag_runs import FinishedRun
    from mlops_tasks.lake import Lake

    Run = Callable[..., FinishedRun]


def own_dag() -> Any:
    from airflow.sdk import DAG, Asset, PartitionedAtRuntime, task

    with DAG("own", schedule=PartitionedAtRuntime(), params={"n": 2}) as dag:

        @task(outlets=[Asset("numbers")])
        def count(params: dict[str, Any], *, partition_key: Any = None, outlet_events: Any) -> int:
            outlet_events[Asset("numbers")].extra = {"key": partition_key}
            return int(params["n"])

        @task
        def double(n: int) -> int:
            if n > 5:
                raise ValueError("too many")
            return 2 * n

        double(count())
    return dag


def test_a_dag_of_the_test_runs_with_its_parameters(run_dag: Run) -> None:
    run = run_dag(own_dag(), conf={"n": 3})
    assert (run.state, run.tasks) == ("success", {"count": "success", "double": "success"})
    assert run.outputs == {"count": 3, "double": 6}
    assert run.events == {"numbers": [{"key": None}]}


def test_a_partition_reaches_the_tasks(run_dag: Run) -> None:
    assert run_dag(own_dag(), "2024-03-01").events == {"numbers": [{"key": "2024-03-01"}]}


def test_a_failed_task_is_reported_and_the_next_run_is_another_one(run_dag: Run) -> None:
    failed = run_dag(own_dag(), conf={"n": 6})
    assert (failed.state, failed.tasks["double"]) == ("failed", "failed")
    assert run_dag(own_dag()).outputs["double"] == 4


def test_runs_after_the_first_are_fast(run_dag: Run) -> None:
    run_dag(own_dag())
    before = time.process_time()  # that of the machine's other work is not ours
    run_dag(own_dag())
    assert time.process_time() - before < 2


def test_a_dag_that_is_not_there_is_named(run_dag: Run) -> None:
    with pytest.raises(
        LookupError, match=r"no Dag 'flight\.ingest' in .*/dags; there are .*flights"
    ):
        run_dag("flight.ingest", "2013-01-01")


def test_each_test_has_stores_of_its_own(run_dag: Run, lake: Lake, connect: Any) -> None:
    from airflow.sdk import BaseHook

    from mlops_airflow.hooks.lake import LakeHook

    assert LakeHook().get_conn().root == lake.root
    connect("lake_default", conn_type="file", extra={"path": "/elsewhere"})
    assert BaseHook.get_connection("lake_default").extra_dejson == {"path": "/elsewhere"}


SUITE = """
import sys

def test_nothing_is_imported(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("mlops_airflow.testing.fixtures")
    heavy = {"airflow", "mlflow", "pandas", "numpy", "pyarrow", "deltalake", "sqlalchemy"}
    assert not heavy & set(sys.modules)
"""


OWN_FOLDER = """
import os
import pytest

@pytest.fixture(scope="session")
def dags_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects")
    (folder / "shop.py").write_text(BROKEN)
    return folder

BROKEN = '''from airflow.sdk import DAG
raise RuntimeError("no such column")
'''

def test_a_broken_file_is_named(run_dag):
    with pytest.raises(LookupError, match="no such column"):
        run_dag("shop")

def test_the_airflow_of_the_shell_is_left_alone(run_dag):
    from airflow.configuration import conf
    assert "nowhere" not in conf.get("database", "sql_alchemy_conn")
    assert not os.environ["AIRFLOW_HOME"].startswith(os.path.expanduser("~"))
"""


# The file of a test that names a Dag imports Airflow before any fixture can say where its home is.
IMPORTED = """
import os
import airflow

def test_airflow_has_a_home_for_this_time():
    assert os.path.isdir(os.environ["AIRFLOW_HOME"])
    assert not os.environ["AIRFLOW_HOME"].startswith(os.path.expanduser("~"))
"""


@pytest.mark.parametrize(
    ("suite", "options"),
    [(SUITE, []), (OWN_FOLDER, ["-W", "error"]), (IMPORTED, [])],
    ids=["unused", "own folder", "imported"],
)
def test_the_plugin_in_a_suite_of_its_own(tmp_path: Path, suite: str, options: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(suite)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    nowhere = "postgresql+psycopg2://u:p@nowhere.invalid/airflow"
    env |= {"HOME": str(tmp_path)}
    if suite != IMPORTED:  # Airflow itself wants the driver as soon as it is imported
        env |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": nowhere}
    plugin = ["-p", "mlops_airflow.testing.fixtures", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", ".", *options, "test_it.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert not (tmp_path / "airflow").exists()
