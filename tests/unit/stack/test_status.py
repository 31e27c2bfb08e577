"""What is said about a stack before, while and after it runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import ComponentRecord, StackRecord, locked
from mlops_airflow.stack.status import (
    ALL_HEALTHY,
    NOT_ALL_HEALTHY,
    NOTHING_RUNS,
    exit_code,
    stack_status,
)

if TYPE_CHECKING:
    from mlops_airflow.stack.record import State
    from mlops_airflow.stack.settings import StackSettings


def record(*states: State) -> StackRecord:
    components = {f"c{n}": ComponentRecord(state=state) for n, state in enumerate(states)}
    me = ProcessId.of(os.getpid())
    return StackRecord(me, 0.0, "http://a", "http://m", components=components)


def test_nothing_was_ever_started(settings: StackSettings) -> None:
    assert stack_status(settings) == {
        "home": str(settings.home),
        "state": "down",
        "running": False,
        "healthy": False,
        "since": None,
        "reason": None,
        "airflow_url": None,
        "mlflow_url": None,
        "profile": None,
        "components": {},
    }
    assert not settings.home.exists()


def test_databases_are_being_prepared(made_home: StackSettings) -> None:
    with locked(made_home):
        status = stack_status(made_home)

    assert (status["state"], exit_code(status)) == ("starting", NOT_ALL_HEALTHY)


@pytest.mark.parametrize(
    ("states", "state", "code"),
    [
        ((), "starting", NOT_ALL_HEALTHY),
        (("starting", "starting"), "starting", NOT_ALL_HEALTHY),
        (("healthy", "starting"), "running", NOT_ALL_HEALTHY),
        (("healthy", "healthy"), "running", ALL_HEALTHY),
        (("healthy", "restarting"), "running", NOT_ALL_HEALTHY),
        (("healthy", "unhealthy"), "running", NOT_ALL_HEALTHY),
        (("healthy", "unknown"), "running", NOT_ALL_HEALTHY),
    ],
)
def test_state_of_a_running_stack(
    made_home: StackSettings, states: tuple[State, ...], state: str, code: int
) -> None:
    record(*states).write(made_home.record_file)

    status = stack_status(made_home)

    assert (status["state"], exit_code(status)) == (state, code)


def test_ending_stack_is_not_healthy(made_home: StackSettings) -> None:
    replace(record("healthy"), ending=True).write(made_home.record_file)

    status = stack_status(made_home)

    assert (status["state"], exit_code(status)) == ("ending", NOT_ALL_HEALTHY)


def test_killed_runner_is_said(made_home: StackSettings) -> None:
    left = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        component = ComponentRecord(ProcessId.of(left.pid), "healthy")
        StackRecord(ProcessId(os.getpid(), 1.0), 0.0, "", "", components={"a": component}).write(
            made_home.record_file
        )

        status = stack_status(made_home)
    finally:
        left.kill()
        left.wait()

    assert exit_code(status) == NOTHING_RUNS
    assert status["reason"] == "its runner was killed; `mlops down` ends the 1 processes it left"


def test_record_of_another_boot_says_nothing(made_home: StackSettings) -> None:
    gone = replace(record("healthy"), runner=ProcessId(1, 1.0), boot_time=1.0)
    replace(gone, failure=("a", "died")).write(made_home.record_file)

    assert stack_status(made_home)["reason"] is None
