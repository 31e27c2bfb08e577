"""How the demo begins and ends: one at a time, and with an exit code that tells the truth."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from demo import __main__ as program
from demo.plan import MODEL
from demo.projects import PROJECTS
from mlops_airflow.replay import Replay, ReplayError, View
from mlops_airflow.rest import AirflowApiError, DagRun, PendingPartition
from mlops_airflow.stack.preparation import make_home
from mlops_airflow.stack.record import locked
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.stack.stack import Stack


@dataclass
class Running:
    """A stack that answers nothing."""

    settings: StackSettings
    alive: bool = True
    login: tuple[str, str] = ("admin", "the-password")
    mlflow_login: tuple[str, str] = ("mlops", "the-other-word")
    airflow_url: str = "http://127.0.0.1:1"
    mlflow_url: str = "http://127.0.0.1:2"
    env: dict[str, str] = field(default_factory=dict)

    def is_running(self) -> bool:
        return self.alive

    def explain_end(self) -> str:
        return "scheduler ended with code -9"

    def environment(self) -> dict[str, str]:
        return self.env


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    found = StackSettings.from_env()
    make_home(found)
    return found


@pytest.fixture
def stack(settings: StackSettings) -> Running:
    return Running(settings)


def a_view(*, terminal: bool = False) -> View:
    return View(Console(file=StringIO(), width=200, force_terminal=terminal, color_system=None))


def printed(view: View) -> str:
    return cast("StringIO", view.console.file).getvalue()


def demo(stack: Running, view: View, *, stay: bool = False) -> int:
    return program._demo(cast("Stack", stack), view, PROJECTS[MODEL], None, None, stay=stay)


def ends_with(monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException) -> None:
    def run(self: object, *_: object) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(program.Session, "run", run)


def starts(monkeypatch: pytest.MonkeyPatch, stack: Running, error: BaseException | None) -> None:
    @contextmanager
    def running(*_: Any, **__: Any) -> Iterator[Running]:
        if error is not None:
            raise error
        yield stack

    monkeypatch.setattr(program, "running_stack", running)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)  # type: ignore[attr-defined]


def test_second_demo_says_so_and_stops(
    settings: StackSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with locked(settings), pytest.raises(SystemExit) as caught:
        program.main(exit_=True)
    signal.signal(signal.SIGTERM, before)
    assert caught.value.code == program.FAILED
    assert "running" in capsys.readouterr().out


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(
    stack: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starts(monkeypatch, stack, KeyboardInterrupt())
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == program.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().out


@pytest.mark.parametrize("code", [0, program.STILL_OPEN, program.FAILED])
def test_exit_code_is_the_sessions(
    stack: Running, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    starts(monkeypatch, stack, None)
    ends_with(monkeypatch, code)
    with pytest.raises(SystemExit) as caught:
        program.main(exit_=True)
    assert caught.value.code == code


def test_terminated_like_interrupted() -> None:
    with pytest.raises(SystemExit) as caught:
        program._terminated(signal.SIGTERM, None)
    assert caught.value.code == 143


def test_password_is_shown_on_a_terminal_only(
    stack: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_with(monkeypatch, 0)
    for terminal in (True, False):
        view = a_view(terminal=terminal)
        demo(stack, view)
        assert ("the-password" in printed(view)) is terminal
        assert ("the-other-word" in printed(view)) is terminal
    assert "secrets.json" in printed(view)


def test_mlflow_in_this_process_is_as_quiet_as_in_the_stack(
    stack: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_with(monkeypatch, 0)
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    stack.env = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OTHER": "1"}
    demo(stack, a_view())
    assert os.environ.pop("MLFLOW_DISABLE_TELEMETRY") == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert "OTHER" not in os.environ


def test_stack_that_died_explains_itself(stack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(monkeypatch, AirflowApiError("GET /", None, "ConnectError"))
    view = a_view()
    assert demo(stack, view) == program.FAILED
    assert "Airflow refused a request: GET /: no answer" in printed(view)
    stack.alive = False
    assert demo(stack, view, stay=True) == program.FAILED
    assert "scheduler ended with code -9" in printed(view)


def test_ui_stays_until_ctrl_c_or_the_end_of_the_stack(
    stack: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_with(monkeypatch, 0)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    def end(seconds: float) -> None:
        stack.alive = False

    for sleep in (interrupt, end):
        view = a_view()
        monkeypatch.setattr("time.sleep", sleep)
        assert demo(stack, view, stay=True) == 0
        assert "End them with Ctrl-C" in printed(view)
    assert "scheduler ended" in printed(view)


@pytest.fixture
def session(
    stack: Running, example_projects: None, monkeypatch: pytest.MonkeyPatch
) -> program.Session:
    view = a_view()
    found = program.Session(cast("Stack", stack), cast("Any", None), view)
    facts = {"closed": False, "nights": []}
    monkeypatch.setattr(program.Session, "facts", lambda self: facts)
    monkeypatch.setattr(type(found.project), "show", lambda self, report, console: None)
    monkeypatch.setattr(Replay, "played", lambda self: [])
    return found


def test_report_is_written_as_json_too(session: program.Session, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert session.report(file) is False
    assert json.loads(file.read_text())["closed"] is False


def test_report_ends_with_the_page_where_there_is_one(session: program.Session) -> None:
    session.report(None)
    assert "time axis" not in printed(session.view)
    page = session.lake.root / "_reports" / f"{MODEL}__timeline" / "newest.html"
    page.parent.mkdir(parents=True)
    page.write_text("page")
    session.report(None)
    said = printed(session.view)
    assert f"http://127.0.0.1:1/mlops/reports/{MODEL}__timeline/newest" in said
    assert str(page) in said.replace("\n", "")


def test_replay_that_stops_is_told_and_fails(
    session: program.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(self: Replay) -> None:
        raise ReplayError("no first champion")

    monkeypatch.setattr(Replay, "prepare", prepare)
    assert session.run(None, None) == program.FAILED
    assert "The replay stops: no first champion" in printed(session.view)


def test_open_loop_is_not_a_success(
    session: program.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def run(self: Replay, more: Any, expected: int) -> None:
        asked.extend((more(1), more(2)))
        assert expected == 2

    monkeypatch.setattr(Replay, "prepare", lambda self: None)
    monkeypatch.setattr(Replay, "run", run)
    assert session.run(2, None) == program.STILL_OPEN
    assert asked == [True, False]


def test_bars_on_a_terminal_and_lines_elsewhere() -> None:
    runs = [DagRun(f"d{n}", "r", "running", "k", "manual", None, None, None) for n in range(20)]
    complete = [PendingPartition("e", "k", is_complete=True)]
    for terminal in (True, False):
        view = a_view(terminal=terminal)
        with view.stage("January", 91) as stage:
            stage.watch_backfill(runs, complete)
            stage.rename("February")
            stage.set_progress(3, 14)
        assert ("January:" in printed(view)) is not terminal
