"""However a stack ends, no process of it is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.stack import running_stack, start_stack
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
    from collections.abc import Callable

    from mlops_airflow.stack.processes import ProcessId
    from mlops_airflow.stack.settings import StackSettings

DAGS = HERE / "stack_dags"
MLOPS = str(Path(sys.executable).parent / "mlops")


@pytest.fixture(scope="module")
def settings(new_settings: Callable[..., StackSettings]) -> StackSettings:
    """One home for all: each stack starts where another one was ended the hard way."""
    return new_settings(DAGS)


def status(settings: StackSettings) -> tuple[int, dict[str, Any]]:
    """Ask `mlops status`."""
    result = subprocess.run(
        [MLOPS, "status", "--json"],
        env=os.environ | settings.to_env(),
        capture_output=True,
        check=False,
    )
    return result.returncode, json.loads(result.stdout)


def leader(settings: StackSettings, name: str) -> psutil.Process:
    """Return the process of a component."""
    record = read_record(settings.record_file)
    assert record is not None
    process = record.components[name].process
    assert process is not None
    return psutil.Process(process.pid)


def test_killed_components_are_started_again(settings: StackSettings) -> None:
    with running_stack(settings) as stack:
        with stack.airflow_client() as client:
            run = start_run(client, "nap")
            wait_for(
                lambda: "sleep 12" in " / ".join(survivors(stack_processes(settings))),
                "the task runs",
            )
            (worker,) = leader(settings, "mlflow").children()

            worker.kill()
            leader(settings, "scheduler").kill()

            wait_for(lambda: status(settings)[0] == 1, "the deaths are seen", timeout_s=10)
            # MLflow and the scheduler begin anew, which takes a minute on a busy machine.
            wait_for(lambda: status(settings)[0] == 0, "all are healthy again", timeout_s=180)
            components = status(settings)[1]["components"]
            assert {n: c["restarts"] for n, c in components.items() if c["restarts"]} == {
                **{"mlflow": 1, "scheduler": 1},
            }
            assert components["scheduler"]["last_exit"] == -9
            # The task was brought to its end without its scheduler, by its first attempt.
            assert wait_for_run(client, run) == "success"
            tried = client.get(f"{run}/taskInstances/sleep/xcomEntries/return_value")
            assert tried.json()["value"] == 1
            runner_log = stack.settings.component_log("runner")
            wait_for(
                lambda: "the last task of an earlier scheduler is over" in runner_log.read_text(),
                "what the killed scheduler left is swept",
            )
        old_workers = [p for p in stack_processes(settings) if "<idle>" in " ".join(command(p))]
        processes = stack_processes(settings)
    assert len(old_workers) <= settings.parallelism
    assert survivors(processes) == []


def command(process: ProcessId) -> list[str]:
    """Return the command line of a process, empty if it has ended."""
    try:
        return psutil.Process(process.pid).cmdline()
    except psutil.NoSuchProcess:
        return []


def test_killed_runner_is_cleaned_up_by_down(settings: StackSettings) -> None:
    stack = start_stack(settings)
    with stack.airflow_client() as client:
        start_sleeper(settings, client)
    processes = stack_processes(settings)
    stack.runner.kill()
    stack.runner.wait()
    assert len(survivors(processes)) > 5

    env = os.environ | settings.to_env()
    result = subprocess.run([MLOPS, "down"], env=env, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout.split()[0]) == (0, "Ended")
    assert survivors(processes) == []
    again = subprocess.run([MLOPS, "down"], env=env, capture_output=True, text=True, check=False)
    assert again.stdout == "Nothing was running\n"


def test_sigterm_during_the_start(settings: StackSettings) -> None:
    env = os.environ | settings.to_env()
    up = subprocess.Popen([MLOPS, "up"], env=env, stdout=subprocess.DEVNULL)
    wait_for(
        lambda: len(getattr(read_record(settings.record_file), "components", ())) == 5, "start"
    )
    processes = stack_processes(settings)

    up.terminate()

    assert up.wait(30) == 130
    assert survivors(processes) == []
