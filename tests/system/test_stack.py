"""The embedded stack as a person starts it: `mlops up`, then Ctrl-C."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import httpx
import psutil
import pytest

from mlops_airflow.stack.credentials import KEYS, load_credentials
from mlops_airflow.stack.processes import session_processes
from mlops_airflow.stack.record import read_record
from tests.system.conftest import (
    HERE,
    stack_processes,
    start_run,
    start_sleeper,
    survivors,
    wait_for,
    wait_for_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_airflow.stack.settings import StackSettings

DAGS = HERE / "stack_dags"
MLOPS = str(Path(sys.executable).parent / "mlops")

CONNECTION = {
    "conn_type": "http",
    "host": "nowhere.invalid",
    "login": "somebody",
    "password": 'C0nn/p@ss w"rd&é',
    "extra": {"api_token": "Extra+t0ken/1=2", "nested": {"note": "c0ncealed-n0te"}},
}
ENV_TOKEN = "Env:t0ken?1&2"
STORED_PASSWORD = "St0red@p/ss w0rd"
STORED_VARIABLE = "St0red+var1able/"

CANARIES = {
    "connection password": CONNECTION["password"],
    "connection extra": CONNECTION["extra"]["api_token"],
    "nested extra": CONNECTION["extra"]["nested"]["note"],
    "environment": ENV_TOKEN,
    "stored connection": STORED_PASSWORD,
    "stored variable": STORED_VARIABLE,
}


@pytest.fixture(scope="module")
def settings(new_settings: Callable[..., StackSettings]) -> StackSettings:
    return new_settings(DAGS)


@pytest.fixture(scope="module")
def console(settings: StackSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `mlops up` writes what a person would see."""
    return tmp_path_factory.mktemp("console") / "output"


@pytest.fixture(scope="module")
def up(settings: StackSettings, console: Path) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | settings.to_env()
    env["AIRFLOW_CONN_CANARY"] = json.dumps(CONNECTION)
    env["CANARY_TOKEN"] = ENV_TOKEN
    env["PYTHONPATH"] = str(DAGS)  # the triggerer imports triggers, it parses no Dag file
    with console.open("wb") as output:
        process = subprocess.Popen([MLOPS, "up"], env=env, stdout=output, stderr=output)
    wait_for(
        lambda: process.poll() is not None or b"Ctrl-C" in console.read_bytes(),
        "the stack is up",
        timeout_s=180,
    )
    assert process.poll() is None, console.read_text()
    yield process
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def client(settings: StackSettings, up: subprocess.Popen[bytes]) -> Iterator[httpx.Client]:
    password = load_credentials(settings.secrets_file).admin_password
    with httpx.Client(base_url=settings.airflow_url, timeout=30, trust_env=False) as client:
        login = {"username": "admin", "password": password}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def test_status_is_healthy(settings: StackSettings, up: subprocess.Popen[bytes]) -> None:
    env = os.environ | settings.to_env()

    result = subprocess.run([MLOPS, "status", "--json"], env=env, capture_output=True, check=False)

    report = json.loads(result.stdout)
    assert (result.returncode, report["healthy"]) == (0, True)
    assert sorted(report["components"]) == [
        *("api-server", "dag-processor", "mlflow", "scheduler", "triggerer"),
    ]


def test_only_loopback_is_listened_on(settings: StackSettings, up: subprocess.Popen[bytes]) -> None:
    pids = {process.pid for process in stack_processes(settings)}
    sockets = [s for s in psutil.net_connections("inet") if s.pid in pids]
    listening = {s.laddr for s in sockets if s.status == psutil.CONN_LISTEN or not s.raddr}

    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == {settings.airflow_port, settings.mlflow_port}


def test_login_is_asked_for(settings: StackSettings, up: subprocess.Popen[bytes]) -> None:
    assert httpx.get(f"{settings.airflow_url}/api/v2/dags", trust_env=False).status_code == 401


def test_second_start_is_refused(settings: StackSettings, up: subprocess.Popen[bytes]) -> None:
    env = os.environ | settings.to_env()

    result = subprocess.run([MLOPS, "up"], env=env, capture_output=True, text=True, check=False)

    assert result.returncode != 0
    assert f"is running at {settings.airflow_url}" in result.stderr


def test_many_quick_triggers_are_all_taken(client: httpx.Client) -> None:
    # Of a Dag that stays paused: what is tried is the database under the api-server.
    def trigger(n: int) -> int:
        body = {"logical_date": None, "dag_run_id": f"quick_{n}"}
        return client.post("/api/v2/dags/nap/dagRuns", json=body).status_code

    wait_for(lambda: client.get("/api/v2/dags/nap").status_code == 200, "nap is parsed")
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(trigger, range(75)))

    assert Counter(answers) == {200: 75}


def test_tasks_find_the_heavy_libraries_loaded(
    settings: StackSettings, client: httpx.Client
) -> None:
    run = start_run(client, "probe")
    assert wait_for_run(client, run) == "success"

    found = client.get(f"{run}/taskInstances/look/xcomEntries/return_value").json()["value"]

    assert found == {
        "missing": [],
        "umask": 0o077,
        "mlflow": settings.mlflow_port,
        "lake": str(settings.home / "lake"),
    }


def test_a_time_limit_ends_native_code(client: httpx.Client) -> None:
    run = start_run(client, "stubborn")
    assert wait_for_run(client, run) == "failed"

    logs = {}
    for task in ("query", "stuck"):
        log = client.get(f"{run}/taskInstances/{task}/logs/1")
        logs[task] = log.raise_for_status().text
    assert "this took longer than its time limit of 2 s and was stopped" in logs["query"], logs
    assert (
        "did not stop 30 s after its time limit of 2 s. Give stubborn/stuck less" in logs["stuck"]
    )
    folders = [re.search(r"folder (\S*mlops-\d+/[^\s\"\\]+)", log) for log in logs.values()]
    assert [folder and Path(folder[1]).exists() for folder in folders] == [False, False]


def forms(secret: str) -> dict[str, str]:
    """Return what must not be found in any file, worked out without the code under test."""
    raw = secret.encode()
    # Whole groups of three bytes look the same whatever follows; each offset has its own.
    basic = [base64.b64encode(raw[n : n + (len(raw) - n) // 3 * 3]).decode() for n in range(3)]
    return {
        "raw": secret,
        "url": quote(secret, safe=""),
        "path": quote(secret),
        "form": quote_plus(secret),
        "json": json.dumps(secret)[1:-1],
        "json twice": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "repr": repr(secret)[1:-1],
        "html": html.escape(secret),
        **{f"base64 at {n}": text for n, text in enumerate(basic)},
    }


def find(secrets: dict[str, str], files: list[Path]) -> list[str]:
    found = []
    for file in files:
        content = file.read_bytes()
        found += [
            f"{name} ({form}) in {file}"
            for name, secret in secrets.items()
            for form, text in forms(secret).items()
            if text.encode() in content
        ]
    return found


def test_secrets_are_in_no_file(
    settings: StackSettings, client: httpx.Client, console: Path
) -> None:
    stored = {"connection_id": "stored", "conn_type": "http", "host": "nowhere.invalid"}
    for path, body in (
        ("connections", stored | {"password": STORED_PASSWORD}),
        ("variables", {"key": "stored_api_key", "value": STORED_VARIABLE}),
    ):
        client.post(f"/api/v2/{path}", json=body).raise_for_status()
    run = start_run(client, "leaky")
    assert wait_for_run(client, run) == "failed"

    files = [file for file in settings.home.rglob("*") if file.is_file()]
    logs = {file: file.read_text(errors="replace") for file in files if file.suffix == ".log"}
    shown = {file for file, text in logs.items() if "***" in text and "base64" in text}
    # Each kind of log did get the text, so that finding nothing in it means something.
    kinds = {"scheduler", "task", "trigger", "dag-processor"}
    assert {kind_of(file) for file in shown} >= kinds
    assert find(CANARIES, [*files, console]) == []

    own = load_credentials(settings.secrets_file)
    generated = {"admin password": own.admin_password, "fernet": own.fernet_key}
    generated |= {"jwt": own.jwt_secret, "api": own.api_secret_key, "mlflow": own.mlflow_password}
    # Where the stack, Airflow's login and Airflow keep them, for the owner only.
    kept = {settings.secrets_file, settings.passwords_file, *map(settings.key_file, KEYS)}
    assert find(generated, [f for f in [*files, console] if f not in kept]) == []


def kind_of(file: Path) -> str:
    if "dag_processor" in file.parts:
        return "dag-processor"
    if ".trigger." in file.name:
        return "trigger"
    return "task" if "dag_id=leaky" in file.parts else file.stem


def test_each_process_holds_the_secrets_it_needs(
    settings: StackSettings, client: httpx.Client
) -> None:
    start_sleeper(settings, client)
    own = load_credentials(settings.secrets_file)
    secrets = asdict(own) | CANARIES | {"connection password": json.dumps(CONNECTION["password"])}
    record = read_record(settings.record_file)
    assert record is not None
    found = {}
    for component, known in record.components.items():
        texts = [environment_of(p) for p in session_processes([known.process])]
        found[component] = {
            name for name, secret in secrets.items() if any(secret in text for text in texts)
        }
    below = psutil.Process(record.components["scheduler"].process.pid).children(recursive=True)
    (task,) = [p for p in below if p.cmdline() == ["sleep", "600"]]
    # What the task hands on; its own process has written its title over what it was started with.
    held = environment_of(task)

    users = {"connection password", "connection extra", "nested extra", "environment"}
    assert found == {
        "mlflow": {"mlflow_password"},
        "api-server": set(),
        "scheduler": users | {"mlflow_password"},
        "triggerer": users,
        "dag-processor": users,
    }
    assert {name for name, secret in secrets.items() if secret in held} == found["scheduler"]
    of_mlflow = environment_of(psutil.Process(record.components["mlflow"].process.pid)).split("\0")
    assert [text for text in of_mlflow if text.startswith(("AIRFLOW", "_AIRFLOW"))] == []
    # In no process list, whatever it belongs to.
    lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert any("--app-name=mlops" in line for line in lines)
    assert not [line for line in lines if any(secret in line for secret in secrets.values())]


def environment_of(process: psutil.Process | None) -> str:
    """Return what the process was started with: what `ps e` of its owner shows."""
    assert process is not None
    return Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace")


def test_mlflow_asks_for_the_login_too(
    settings: StackSettings, up: subprocess.Popen[bytes]
) -> None:
    search = f"{settings.mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert httpx.get(search, trust_env=False).status_code == 401


def test_files_are_closed_to_others(settings: StackSettings, client: httpx.Client) -> None:
    paths = [settings.home, *settings.home.rglob("*")]
    open_paths = [p for p in paths if not p.is_symlink() and stat.S_IMODE(p.stat().st_mode) & 0o077]

    assert open_paths == []


def test_locked_databases_end_nothing(settings: StackSettings, client: httpx.Client) -> None:
    with contextlib.ExitStack() as locks:
        for name in ("airflow/airflow.db", "mlflow/mlflow.db"):
            connection = sqlite3.connect(settings.home / name, isolation_level=None)
            locks.enter_context(contextlib.closing(connection))
            connection.execute("BEGIN IMMEDIATE")
        time.sleep(25)

    def report() -> dict[str, Any]:
        env = os.environ | settings.to_env()
        done = subprocess.run(
            [MLOPS, "status", "--json"], env=env, capture_output=True, check=False
        )
        return dict(json.loads(done.stdout))

    wait_for(lambda: report()["healthy"], "all are healthy")
    assert {component["restarts"] for component in report()["components"].values()} == {0}
    assert wait_for_run(client, start_run(client, "probe")) == "success"


# The last one: it ends the stack of this module.
def test_ctrl_c_leaves_no_process(
    settings: StackSettings, up: subprocess.Popen[bytes], client: httpx.Client
) -> None:
    start_sleeper(settings, client)
    processes = stack_processes(settings)
    assert len(processes) > 10
    asked_at = time.monotonic()

    up.send_signal(signal.SIGINT)

    assert up.wait(60) == 130
    assert time.monotonic() - asked_at < 15
    assert survivors(processes) == []
    assert not settings.record_file.exists()
