"""Real stacks and databases for the system tests, each in a folder and on ports of its own."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mlops_airflow.stack.ending import end_stack
from mlops_airflow.stack.processes import ProcessId, is_alive, session_processes
from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.settings import StackSettings
from tests.system.shops import Kind, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.system.servers import Server

HERE = Path(__file__).parent
#: How many nights to play; takes minutes, so without it nobody asks for them.
NIGHTS = "MLOPS_CHAOS_NIGHTS"
#: Makes a fresh environment of the wheel, which takes minutes.
BARE = "MLOPS_BARE_AIRFLOW"
#: Boots a stack of its own; the same under `dag.test` is tests/dags/test_incidents.py.
INCIDENTS = "MLOPS_INCIDENTS_ON_A_STACK"
#: The life of two models, with a training in an environment made anew.
STORY = "MLOPS_STORY"
#: Whole months on a stack, and what the benchmarks measure: a minute and more each.
LONG = "MLOPS_LONG_SYSTEM"
_LONG = {
    "test_authoring_benchmark.py": LONG,
    "test_bare_airflow.py": BARE,
    "test_chaos.py": NIGHTS,
    "test_generated_ci.py": BARE,
    "test_incidents.py": INCIDENTS,
    "test_project_by_hand.py": LONG,
    "test_story.py": STORY,
}
collect_ignore = [file for file, variable in _LONG.items() if variable not in os.environ]

#: Coverage measures the process runner, not Airflow: its start would take several times as long.
NOT_MEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


def free_ports(n_ports: int) -> list[int]:
    """Return loopback ports nobody listens on."""
    sockets = [socket.socket() for _ in range(n_ports)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@pytest.fixture(scope="module")
def new_settings(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., StackSettings]]:
    """Make settings of stacks that are ended after the module, whatever happened."""
    made: list[StackSettings] = []

    def make(
        dags_folder: Path, extra_env: dict[str, str] | None = None, **settings: object
    ) -> StackSettings:
        airflow_port, mlflow_port = free_ports(2)
        home = tmp_path_factory.mktemp("stack") / "home"
        made.append(
            StackSettings(
                home=home,
                dags_folder=dags_folder,
                airflow_port=airflow_port,
                mlflow_port=mlflow_port,
                extra_env=NOT_MEASURED | (extra_env or {}),
                **settings,  # type: ignore[arg-type]
            )
        )
        return made[-1]

    yield make
    for settings in made:
        end_stack(settings)


@pytest.fixture(scope="module")
def serving() -> Iterator[Callable[[Kind], Server]]:
    """Start a filled database of each kind when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(kind: Kind) -> Server:
            return stack.enter_context(kind.filled())

        yield start


@pytest.fixture
def shop(kind: Kind, serving: Callable[[Kind], Server], tmp_path: Path) -> Shop:
    """Return the database of the kind that the test or its module names."""
    return Shop(kind, serving(kind), tmp_path)


def stack_processes(settings: StackSettings) -> list[ProcessId]:
    """Name every process of a running stack, tasks and readers included."""
    record = read_record(settings.record_file)
    assert record is not None
    processes = session_processes(record.leaders())
    return [ProcessId(p.pid, p.create_time()) for p in processes]


def survivors(processes: list[ProcessId]) -> list[str]:
    """Describe those of some processes that still run."""
    alive = [psutil.Process(p.pid) for p in processes if is_alive(p)]
    return [f"{p.pid} {' '.join(p.cmdline())}" for p in alive]


def wait_for(condition: Callable[[], object], what: str, *, timeout_s: float = 60.0) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.1)


def start_run(client: httpx.Client, dag_id: str) -> str:
    """Unpause a Dag as soon as it is parsed, trigger it and return the address of its run."""
    dag = f"/api/v2/dags/{dag_id}"
    wait_for(lambda: client.get(dag).status_code == 200, f"{dag_id} is parsed")
    client.patch(dag, json={"is_paused": False}).raise_for_status()
    answer = client.post(f"{dag}/dagRuns", json={"logical_date": None})
    answer.raise_for_status()
    return f"{dag}/dagRuns/{answer.json()['dag_run_id']}"


def wait_for_run(client: httpx.Client, run: str, *, timeout_s: float = 90.0) -> str:
    """Wait for the end of a run and return its state."""
    ended = {"success", "failed"}
    wait_for(lambda: client.get(run).json()["state"] in ended, run, timeout_s=timeout_s)
    return str(client.get(run).json()["state"])


def start_sleeper(settings: StackSettings, client: httpx.Client) -> None:
    """Start a task that would run for ten minutes, and wait until it does."""
    start_run(client, "sleeper")
    wait_for(
        lambda: "sleep 600" in " / ".join(survivors(stack_processes(settings))),
        "the task runs",
    )
