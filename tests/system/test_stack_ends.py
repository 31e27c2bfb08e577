"""However a stack ends, no process of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.stack import running_stack, start_stack
from tests.system.conftest import HERE, stack_processes, start_sleeper, survivors, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_airflow.stack.settings import StackSettings

DAGS = HERE / "stack_dags"
MLOPS = str(Path(sys.executable).parent / "mlops")


@pytest.fixture(scope="module")
def settings(new_settings: Callable[..., StackSettings]) -> StackSettings:
    """One home for all: each stack starts where another one was ended the hard way."""
    return new_settings(DAGS)


def test_crash_of_the_scheduler(settings: StackSettings) -> None:
    with running_stack(settings) as stack:
        with stack.airflow_client() as client:
            start_sleeper(settings, client)
        processes = stack_processes(settings)
        record = read_record(settings.record_file)
        assert record is not None

        psutil.Process(record.components["scheduler"].pid).kill()

        wait_for(lambda: not stack.is_running(), "the stack ended", timeout_s=30)
        assert survivors(processes) == []
        assert stack.explain_end().startswith("scheduler ended with code -9")


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
