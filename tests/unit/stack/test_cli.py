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
from mlops_airflow.stack.record import StackRecord, locked

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

    assert result.exit_code == 1
    assert f"No stack runs in {settings.home}" in result.output


def test_status_as_json_without_a_stack(settings: StackSettings) -> None:
    result = runner.invoke(app, ["status", "--json"])

    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "home": str(settings.home),
        "running": False,
        "healthy": False,
        "airflow_url": None,
        "mlflow_url": None,
        "profile": None,
        "components": {},
    }


@pytest.fixture
def half_dead(made_home: StackSettings) -> StackSettings:
    """A record of a stack with one living and one dead component."""
    me = ProcessId.of(os.getpid())
    dead = ProcessId(me.pid, 1.0)
    StackRecord(
        runner=me,
        started_at=time.time(),
        airflow_url="http://127.0.0.1:1",
        mlflow_url="http://127.0.0.1:1",
        components={"mlflow": me, "scheduler": dead},
    ).write(made_home.record_file)
    return made_home


def test_status_of_a_sick_stack(half_dead: StackSettings) -> None:
    result = runner.invoke(app, ["status", "--json"])

    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["running"]
    assert not report["healthy"]
    assert report["components"]["mlflow"]["health"] == "no answer"
    assert report["components"]["scheduler"]["health"] == "ended"
    assert report["components"]["scheduler"]["log"].endswith("/logs/scheduler.log")


def test_status_table(half_dead: StackSettings) -> None:
    output = runner.invoke(app, ["status"]).output

    assert "scheduler  ended" in output.replace("   ", "  ")
    assert "http://127.0.0.1:1" in output


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
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
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
