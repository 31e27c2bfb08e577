from __future__ import annotations

import io
import json
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlops_airflow import cli
from mlops_airflow.cli import app, progress
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.exceptions import StackNotReadyError
from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import ComponentRecord, StackRecord, locked

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

runner = CliRunner()


@pytest.fixture(autouse=True)
def environment(settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    # As wide as it needs: rich breaks lines at the width of the terminal.
    monkeypatch.setattr(cli, "console", Console(highlight=False, width=400))


def test_down_without_a_stack() -> None:
    result = runner.invoke(app, ["down"])

    assert (result.exit_code, result.output) == (0, "Nothing was running\n")


def test_down_says_what_it_could_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "end_stack", lambda settings: (5, 2))

    result = runner.invoke(app, ["down"])

    assert result.exit_code == 3
    assert "2 of 5 processes could not be ended" in result.output


def test_down_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "end_stack", lambda settings: (5, 0))

    assert runner.invoke(app, ["down"]).output == "Ended 5 processes\n"


def test_status_without_a_stack(settings: StackSettings) -> None:
    result = runner.invoke(app, ["status"])

    assert result.exit_code == 4
    assert f"No stack runs in {settings.home}" in result.output


@pytest.fixture
def half_dead(made_home: StackSettings) -> StackSettings:
    """A record of a stack with one healthy component and one that waits for its restart."""
    me = ProcessId.of(os.getpid())
    what = "ended with code -9 (SIGKILL) [x]"
    StackRecord(
        runner=me,
        started_at=time.time(),
        airflow_url="http://127.0.0.1:1",
        mlflow_url="http://127.0.0.1:2",
        components={
            "mlflow": ComponentRecord(me, "healthy", 0.0),
            "scheduler": ComponentRecord(me, "restarting", 60.0, what, 3, -9),
        },
    ).write(made_home.record_file)
    return made_home


def test_status_of_a_sick_stack(half_dead: StackSettings) -> None:
    result = runner.invoke(app, ["status", "--json"])

    assert result.exit_code == 1
    report = json.loads(result.output)
    assert (report["state"], report["running"], report["healthy"]) == ("running", True, False)
    assert report["components"]["mlflow"]["state"] == "healthy"
    assert report["components"]["scheduler"] == {
        "state": "restarting",
        "detail": "ended with code -9 (SIGKILL) [x]",
        "since": "1970-01-01T00:01:00+00:00",
        "restarts": 3,
        "last_exit": -9,
        "pid": os.getpid(),
        "log": str(half_dead.component_log("scheduler")),
    }


def test_status_table(half_dead: StackSettings) -> None:
    output = runner.invoke(app, ["status"]).output

    assert "restarting: ended with code -9 (SIGKILL) [x]" in output
    assert "The stack is running" in output
    assert "http://127.0.0.1:1" in output


def test_status_of_an_ended_stack_says_why(made_home: StackSettings) -> None:
    reason = "mlflow ended with code 1 before it was healthy"
    gone = ProcessId(os.getpid(), 1.0)
    StackRecord(gone, 0.0, "", "", failure=("mlflow", reason)).write(made_home.record_file)

    result = runner.invoke(app, ["status"])

    assert result.exit_code == 4
    assert f"The stack ended: {reason}" in result.output


def test_changes_are_shown_while_the_stack_runs(
    half_dead: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=output, width=400))
    shown = {"mlflow": ("healthy", 0), "scheduler": ("healthy", 2)}

    for _ in range(2):
        cli._show_changes(half_dead, shown)

    (line,) = output.getvalue().splitlines()
    assert line.endswith("scheduler is restarting: ended with code -9 (SIGKILL) [x]")


def test_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_AIRFLOW_PORT", "many")

    result = runner.invoke(app, ["up"])

    assert result.exit_code == 3
    assert "MLOPS_AIRFLOW_PORT='many' must be a whole number" in result.output


def test_second_start_says_so(made_home: StackSettings) -> None:
    with locked(made_home):
        result = runner.invoke(app, ["up"])

    assert result.exit_code == 3
    assert "is running or being started" in result.output


def test_taken_port_stops_the_start(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        # Bound and not listening: a server may still take it, and nobody else gets it.
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLOPS_AIRFLOW_PORT", str(free.getsockname()[1]))
        monkeypatch.setenv("MLOPS_MLFLOW_PORT", str(taken.getsockname()[1]))

        result = runner.invoke(app, ["up", "--detach"])

    assert result.exit_code == 3
    assert "Set MLOPS_MLFLOW_PORT to a free port" in result.output
    assert not settings.secrets_file.exists()


def test_failed_start_shows_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StackNotReadyError("scheduler ended with code 1")

    monkeypatch.setattr(cli, "start_stack", fail)

    result = runner.invoke(app, ["up"])

    assert result.exit_code == 3
    assert "mlops: scheduler ended with code 1" in result.output


def test_interrupted_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "start_stack", interrupt)

    assert runner.invoke(app, ["up"]).exit_code == 130


def test_run_needs_a_home() -> None:
    result = runner.invoke(app, ["run", "airflow", "version"])

    assert result.exit_code == 3
    assert "Start one with `mlops up`" in result.output


def test_run_passes_arguments_and_environment(
    made_home: StackSettings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load_credentials(made_home.secrets_file)
    code = "import os, sys; print(os.environ['AIRFLOW_HOME'], sys.argv[1:]); sys.exit(5)"

    result = runner.invoke(app, ["run", "python", "-c", code, "--flag", "x"])

    assert result.exit_code == 5
    assert capfd.readouterr().out == f"{made_home.airflow_home} ['--flag', 'x']\n"


def test_progress_off_a_terminal_is_plain() -> None:
    output = io.StringIO()

    with progress(Console(file=output)) as report:
        report("[one] thing")

    assert output.getvalue() == "[one] thing\n"


def test_progress_on_a_terminal_spins() -> None:
    output = io.StringIO()

    with progress(Console(file=output, force_terminal=True)) as report:
        report("one thing")

    assert "one thing" in output.getvalue()
    assert "\x1b[" in output.getvalue()
