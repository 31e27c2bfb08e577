"""The replay of the example projects: their calendars, order of events, and when they end."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from demo import __main__ as program
from demo.airflow_api import AirflowApi
from demo.project_replay import ProjectReplay
from demo.project_report import build_project_report, print_project_report
from demo.projects import PROJECTS
from demo.replay import ReplayError
from demo.view import View
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.specs.calendar import Calendar
from tests.quality.discovery import DAGS
from tests.unit.demo.test_main import Running
from tests.unit.demo.test_replay import Airflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_airflow.stack.stack import Stack
    from mlops_tasks.specs import ModelSpec


class Project(Airflow):
    """An Airflow that scores what is ingested and retrains on one day, by its ledger."""

    model = "demand"
    rows = "offers"
    yes_on = "2024-07-21"
    cause = "performance"

    def trigger(self, dag_id: str, key: str, **_: Any) -> None:  # type: ignore[override]
        self.calls.append(f"{dag_id} {key}")
        self.finish(dag_id, key)
        verb = dag_id.removeprefix(f"{self.model}.")
        if dag_id == f"{self.rows}.ingest" and self.scores:
            self.finish(f"{self.model}.score", key)
        if verb == "decide":
            evidence = {"retrain": key == self.yes_on, "cause": self.cause, "reason": "r"}
            self.ledger.record(model=self.model, kind="decision", key=key, evidence=evidence)
        if verb == "train" or (verb == "decide" and key == self.yes_on):
            entry = {"verdict": self.verdict, "reason": "MAE 3.1", "metric": "mae", "n_rows": 9}
            self.ledger.record(model=self.model, kind="verdict", key=key, evidence=entry)
            self.finish(f"{self.model}.train", key)
            if self.ledger.champion(self.model) is None and self.verdict == "promote":
                self.ledger.promote(
                    self.model, version="1", generation=0, key=key, evidence={"version": "1"}
                )


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture(autouse=True)
def dags(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let projects be imported for one test only."""
    monkeypatch.syspath_prepend(DAGS)
    mine = {path.name for path in DAGS.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
        sys.modules.pop(name)


def spec(model: str) -> ModelSpec:
    return PROJECTS[model].spec(DAGS)


def make(tmp_path: Path, **fields: Any) -> tuple[ProjectReplay, Project]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    made = spec("demand")
    dag_ids = set(Calendar(made, PROJECTS["demand"].first).dag_ids)
    airflow = Project(ledger, dags=dag_ids, **fields)
    view = View(Console(file=StringIO(), width=200))
    api = cast("AirflowApi", airflow)
    return ProjectReplay(api, PROJECTS["demand"], made, ledger, view), airflow


def printed(replay: ProjectReplay) -> str:
    return cast("StringIO", replay.view.console.file).getvalue()


@pytest.mark.parametrize("model", PROJECTS)
def test_partitions_to_play_are_days_of_the_data(model: str) -> None:
    project, made = PROJECTS[model], spec(model)
    calendar = Calendar(made, project.first)
    last = made.calendar.shift(project.first, project.n_partitions - 1)
    assert made.rows.last is not None
    assert last <= made.rows.last
    made.check_as_of(calendar.as_of(last))
    assert calendar.cutoff < calendar.as_of(project.first)
    assert project.conn_id in {getattr(one.source, "conn_id", "") for one in calendar.datasets}


def test_history_comes_first_and_consumers_wake_after_the_champion(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    replay.prepare()
    assert airflow.calls[0] == "unpause offers.ingest sales.ingest stores.ingest"
    counts = Counter(call.split()[0] for call in airflow.calls[1:-3])
    assert counts == {"offers.ingest": 57, "stores.ingest": 59, "sales.ingest": 56}
    assert airflow.calls[-3:-1] == ["unpause demand.train", "demand.train 2024-06-09"]
    assert "demand.decide" in airflow.calls[-1]
    airflow.calls.clear()
    replay.prepare()
    assert [call for call in airflow.calls if not call.startswith("unpause")] == []


def test_first_training_that_is_refused_stops_the_replay(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, verdict="keep")
    with pytest.raises(ReplayError, match=r"no first champion came out of demand\.train: MAE 3\.1"):
        replay.prepare()


def test_weeks_are_played_until_an_alarm_has_caused_a_training(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    replay.prepare()
    assert not replay.has_closed()
    replay.run(None)
    assert replay.has_closed()
    assert airflow.calls[-1] == "demand.decide 2024-07-21"
    assert replay.next_partition() == "2024-07-22"
    assert "week 2024-07-08, decided as of 2024-07-14: not retrained, because r" in printed(replay)
    assert "week 2024-07-15, decided as of 2024-07-21: retrained, because of perf" in printed(
        replay
    )
    airflow.calls.clear()
    replay.run(None)
    assert airflow.calls == []


def test_training_by_age_does_not_close_the_loop(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    airflow.cause = "age"
    replay.prepare()
    replay.run(None)
    assert not replay.has_closed()
    assert replay.next_partition() is None
    assert "all 20 partitions are played" in printed(replay)


def test_asked_number_is_played_and_the_next_session_goes_on(tmp_path: Path) -> None:
    replay, _ = make(tmp_path)
    replay.prepare()
    replay.run(2)
    assert replay.decided() == ["2024-06-16", "2024-06-23"]
    assert replay.next_partition() == "2024-06-24"


def test_scoring_that_did_not_follow_is_an_error(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, scores=False)
    replay.prepare()
    with pytest.raises(ReplayError, match=r"demand\.score did not run for 2024-06-10"):
        replay.run(1)


def test_world_is_written_once_and_whole(tmp_path: Path) -> None:
    project = PROJECTS["support_tickets"]
    (tmp_path / "tickets.part").write_text("half of it, killed")
    assert project.write_world(tmp_path)
    with sqlite3.connect(project.database(tmp_path)) as connection:
        found = connection.execute("SELECT count(*) FROM tickets").fetchone()
    assert found == (182 * 60,)
    assert not project.write_world(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tickets.db"]
    assert list(project.connection(tmp_path)) == ["AIRFLOW_CONN_TICKETS_SOURCE"]


def test_report_shows_champion_gate_monitors_and_decisions(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    replay.prepare()
    check = {"name": "mae", "value": 3.5, "threshold": 3.1, "alarm": True, "text": "t"}
    for kind in ("drift", "performance"):
        evidence = {"model_version": "1", "checks": [check]}
        airflow.ledger.record(model="demand", kind=kind, key="2024-07-15", evidence=evidence)
    airflow.ledger.record(model="flights", kind="decision", key="2013-02-01", evidence={})
    replay.run(None)
    report = build_project_report(replay.ledger, "demand", closed=replay.has_closed())
    assert report["closed"]
    assert [row["partitions_scored"] for row in report["champions"]] == [1]
    assert [row["cause"] for row in report["trainings"]] == ["first training", "performance"]
    assert len(report["decisions"]) == 6
    print_project_report(report, replay.view.console)
    for text in ("The loop has closed", "promote: MAE 3.1", "mae 3.50 > 3.10", "ALARM"):
        assert text in printed(replay)


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
    assert program._settings(None).extra_env == {}
    found = program._settings(PROJECTS["demand"]).extra_env
    assert json.loads(found["AIRFLOW_CONN_DEMAND_SOURCE"]) == {
        "conn_type": "sqlite",
        "host": str(tmp_path / "demand.db"),
    }


def test_session_of_a_project_writes_its_source_and_ends_with_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    project, view = PROJECTS["demand"], View(Console(file=StringIO(), width=200))
    stack = cast("Stack", Running(program._settings(project)))
    session = program._session(stack, cast("AirflowApi", None), view, project)
    assert (tmp_path / "demand.db").is_file()
    replay, airflow = make(tmp_path)
    session.project_replay = replay  # type: ignore[attr-defined]
    assert session.run(2, tmp_path / "report.json") == program.STILL_OPEN
    assert json.loads((tmp_path / "report.json").read_text())["model"] == "demand"
    assert session.run(None, None) == 0
    airflow.scores = False
    assert session.run(1, None) == program.FAILED
    assert "The replay stops: demand.score did not run" in printed(session)  # type: ignore[arg-type]
