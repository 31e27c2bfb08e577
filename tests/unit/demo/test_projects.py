"""The examples: where each begins, its source, how its session ends and what is reported."""

from __future__ import annotations

import json
import sqlite3
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from demo import __main__ as program
from demo.project_report import build_project_report, print_project_report
from demo.projects import PROJECTS, Generated
from mlops_airflow.projects import find_model
from mlops_airflow.replay import Replay, View
from mlops_airflow.rest import AirflowApi
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.specs.calendar import Calendar
from tests.quality.discovery import DAGS
from tests.unit.demo.test_main import Running
from tests.unit.replay.fake_airflow import FakeAirflow, printed

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_airflow.stack.stack import Stack

pytestmark = pytest.mark.usefixtures("example_projects")
YES_ON = "2024-07-21"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def generated(model: str) -> Generated:
    project = PROJECTS[model]
    assert isinstance(project, Generated)
    return project


@pytest.mark.parametrize("model", PROJECTS)
def test_partitions_to_play_are_of_the_data(model: str) -> None:
    project, spec = PROJECTS[model], find_model(model, DAGS)
    calendar = Calendar(spec, project.first)
    spec.check_as_of(calendar.as_of(project.last))
    spec.rows.check_partition(project.last)
    n_rounds = len(calendar.grain.range(project.first, project.last))
    assert n_rounds == project.at_most or model == "flight_delays"
    assert calendar.cutoff < calendar.as_of(project.first)
    if isinstance(project, Generated):
        assert project.conn_id in {getattr(d.source, "conn_id", "") for d in calendar.datasets}


def test_world_is_written_once_and_whole(tmp_path: Path) -> None:
    project = generated("support_tickets")
    (tmp_path / "tickets.part").write_text("half of it, killed")
    assert "generated from a seed" in project.prepare(tmp_path)
    with sqlite3.connect(project.database(tmp_path)) as connection:
        found = connection.execute("SELECT count(*) FROM tickets").fetchone()
    assert found == (182 * 60,)
    assert project.prepare(tmp_path) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["tickets.db"]
    assert list(project.connection(tmp_path)) == ["AIRFLOW_CONN_TICKETS_SOURCE"]


def test_airline_writes_its_own_source_by_its_clock(tmp_path: Path) -> None:
    project = PROJECTS["flight_delays"]
    assert project.prepare(tmp_path) == ""
    project.advance(tmp_path, "2013-01-02")
    with sqlite3.connect(tmp_path / "source.db") as connection:
        (last,) = connection.execute("SELECT max(flight_date) FROM schedule").fetchone()
    assert last == "2013-01-02"


def test_unknown_model_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(model="weather")
    assert caught.value.code == program.FAILED
    assert (
        "choose one of flight_delays, demand, support_tickets, machine_" in capsys.readouterr().out
    )


def test_stack_is_given_the_connection_to_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    assert program._settings(PROJECTS["flight_delays"]).extra_env == {}
    found = program._settings(PROJECTS["demand"]).extra_env
    assert json.loads(found["AIRFLOW_CONN_DEMAND_SOURCE"]) == {
        "conn_type": "sqlite",
        "host": str(tmp_path / "demand.db"),
    }


class Decided(FakeAirflow):
    """An Airflow whose decisions and verdicts are in a ledger, too."""

    ledger: Ledger

    def run(self, dag_id: str, key: str, state: str = "success") -> Any:
        run = super().run(dag_id, key, state)
        verb = dag_id.removeprefix(f"{self.model}.")
        if verb == "decide":
            evidence = self.results[run.run_id, "decide"]
            self.ledger.record(model=self.model, kind="decision", key=key, evidence=evidence)
        if verb == "train":
            evidence = {"verdict": "promote", "reason": "MAE 3.1", "metric": "mae", "n_rows": 9}
            self.ledger.record(model=self.model, kind="verdict", key=key, evidence=evidence)
            if self.ledger.champion(self.model) is None:
                version = {"version": "1", "reason": "first"}
                self.ledger.promote(
                    self.model, version="1", generation=0, key=key, evidence=version
                )
        return run


@pytest.fixture
def airflow() -> Decided:
    calendar = Calendar(find_model("demand", DAGS), PROJECTS["demand"].first)
    return Decided("demand", "offers", calendar.dag_ids, yes_on=YES_ON)


@pytest.fixture
def session(tmp_path: Path, airflow: Decided, monkeypatch: pytest.MonkeyPatch) -> program.Session:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    project, view = PROJECTS["demand"], View(Console(file=StringIO(), width=200))
    stack = cast("Stack", Running(program._settings(project)))
    found = program.Session(stack, cast("AirflowApi", airflow), view, project)
    airflow.ledger = found.ledger
    return found


def test_session_ends_when_an_alarm_has_caused_a_training(
    session: program.Session, airflow: Decided, tmp_path: Path
) -> None:
    assert session.run(2, tmp_path / "report.json") == program.STILL_OPEN
    assert json.loads((tmp_path / "report.json").read_text())["model"] == "demand"
    assert session.run(None, None) == 0
    assert airflow.calls[-1] == f"demand.decide {YES_ON}"
    assert "The loop has closed" in printed(session.view)
    airflow.scores = False
    assert session.run(1, None) == program.FAILED
    assert "The replay stops: demand.score for 2024-07-22 did not run" in printed(session.view)


def test_training_by_age_does_not_close_the_loop(
    session: program.Session, airflow: Decided
) -> None:
    airflow.cause = "age"
    assert session.run(None, None) == program.STILL_OPEN
    assert len(session.replay.played()) == PROJECTS["demand"].at_most


def test_report_shows_champion_gate_monitors_and_decisions(
    session: program.Session, airflow: Decided
) -> None:
    check = {"name": "mae", "value": 3.5, "threshold": 3.1, "alarm": True, "text": "t"}
    for kind in ("drift", "performance"):
        evidence = {"model_version": "1", "checks": [check]}
        airflow.ledger.record(model="demand", kind=kind, key="2024-07-15", evidence=evidence)
    airflow.ledger.record(model="flights", kind="decision", key="2013-02-01", evidence={})
    session.play(None)
    report = build_project_report(session.ledger, "demand")
    assert report["closed"]
    assert [row["partitions_scored"] for row in report["champions"]] == [1]
    assert [row["cause"] for row in report["trainings"]] == ["first training", "performance"]
    assert len(report["decisions"]) == 6
    print_project_report(report, session.view.console)
    for text in ("The loop has closed", "promote: MAE 3.1", "mae 3.50 > 3.10", "ALARM"):
        assert text in printed(session.view)


def test_replay_of_the_demo_is_that_of_the_command(session: program.Session) -> None:
    assert type(session.replay) is Replay
