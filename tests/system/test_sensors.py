"""Sensors of partitions with the real scheduler and triggerer."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pytest

from mlops_airflow.stack.credentials import load_credentials
from mlops_tasks.lake import Lake, overwrite_partition
from tests.system.conftest import HERE, start_run, wait_for, wait_for_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_airflow.stack.settings import StackSettings

MLOPS = str(Path(sys.executable).parent / "mlops")
KEY = "2024-03-04"


@pytest.fixture(scope="module")
def settings(new_settings: Callable[..., StackSettings]) -> StackSettings:
    return new_settings(HERE / "sensor_dags")


@pytest.fixture(scope="module")
def client(settings: StackSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    console = tmp_path_factory.mktemp("console") / "output"
    with console.open("wb") as output:
        env = os.environ | settings.to_env()
        process = subprocess.Popen([MLOPS, "up"], env=env, stdout=output, stderr=output)
    wait_for(
        lambda: process.poll() is not None or b"Ctrl-C" in console.read_bytes(),
        "the stack is up",
        timeout_s=240,
    )
    assert process.poll() is None, console.read_text()
    password = load_credentials(settings.secrets_file).admin_password
    with httpx.Client(base_url=settings.airflow_url, timeout=30, trust_env=False) as client:
        login = {"username": "admin", "password": password}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def runs(client: httpx.Client) -> dict[str, str]:
    """Start one run of each way to wait."""
    ways = ("deferred", "poked", "rescheduled", "given_up", "given_up_softly")
    return {way: start_run(client, f"wait_{way}") for way in ways}


def state(client: httpx.Client, run: str) -> str:
    return str(client.get(f"{run}/taskInstances/wait").json()["state"])


def is_in(client: httpx.Client, run: str, wanted: str) -> bool:
    return state(client, run) == wanted


def test_time_that_is_over_fails_or_skips(client: httpx.Client, runs: dict[str, str]) -> None:
    assert wait_for_run(client, runs["given_up"]) == "failed"
    assert wait_for_run(client, runs["given_up_softly"]) == "success"
    assert state(client, runs["given_up_softly"]) == "skipped"
    log = client.get(
        f"{runs['given_up']}/taskInstances/wait/logs/1", headers={"Accept": "application/x-ndjson"}
    ).text
    assert f"these are not published: visits: {KEY}; staff: {KEY}" in log


def test_all_ways_wait_until_the_partition_is_published(
    settings: StackSettings, client: httpx.Client, runs: dict[str, str]
) -> None:
    # One that is rescheduled every second is in this state too briefly to be met.
    for way, wanted in {"deferred": "deferred", "poked": "running"}.items():
        wait_for(partial(is_in, client, runs[way], wanted), f"{way} is {wanted}", timeout_s=90)
    lake, rows = Lake(settings.home / "lake"), pa.table({"n": [1, 2, 3]})
    overwrite_partition(lake.table("visits"), KEY, rows, token=1, known_at=KEY)
    assert state(client, runs["deferred"]) == "deferred"  # the other table is not there yet
    overwrite_partition(lake.table("staff"), KEY, rows, token=1, known_at=KEY)
    for way in ("deferred", "poked", "rescheduled"):
        assert wait_for_run(client, runs[way]) == "success"
        result = client.get(f"{runs[way]}/taskInstances/after/xcomEntries/return_value").json()
        assert int(result["value"]) == 6
