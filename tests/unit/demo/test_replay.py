"""The replay's order of events, what it repeats and what it refuses; no Airflow needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from demo.airflow_api import AirflowApi
from demo.airflow_records import DagRun, PendingPartition, TaskInstance
from demo.nights import EXTRA_NIGHTS, MAX_NIGHTS, MIN_NIGHTS, Goal, play_nights
from demo.plan import ALL_DAGS, ARRIVALS, DECIDE, MODEL, SCORE, TRAIN, history, ingestion
from demo.replay import Replay, ReplayError
from demo.source import LAST_DAY, SourceDatabase
from demo.view import View
from mlops_tasks.registry.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

FOLLOWERS = {"flights.ingest": SCORE}


@dataclass
class Airflow:
    """An Airflow whose runs end at once; it decides and trains by writing to the real ledger."""

    ledger: Ledger
    done: list[DagRun] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    known_at: dict[str, str | None] = field(default_factory=dict)
    dags: set[str] = field(default_factory=lambda: set(ALL_DAGS))
    errors: list[str] = field(default_factory=list)
    scores: bool = True
    verdict: str = "promote"
    open_backfills: int = 0
    decides: bool = True
    base_url: str = "http://airflow"

    def dag_ids(self) -> set[str]:
        return self.dags

    def import_errors(self) -> list[str]:
        return self.errors

    def unpause(self, dag_ids: Any) -> None:
        self.calls.append(f"unpause {' '.join(dag_ids)}")

    def trigger(
        self,
        dag_id: str,
        key: str,
        *,
        run_id: str,
        note: str = "",
        conf: dict[str, str] | None = None,
    ) -> None:
        self.calls.append(f"{dag_id} {key}")
        self.known_at[f"{dag_id} {key}"] = (conf or {}).get("known_at")
        self.finish(dag_id, key)
        if dag_id in FOLLOWERS and self.scores:
            self.finish(FOLLOWERS[dag_id], key)
        if dag_id == DECIDE and self.decides:
            evidence = {"retrain": key.endswith("3"), "cause": "drift", "reason": "r"}
            self.ledger.record(model=MODEL, kind="decision", key=key, evidence=evidence)
        if dag_id == TRAIN:
            entry = {"verdict": self.verdict, "reason": "AUC 0.51"}
            self.ledger.record(model=MODEL, kind="verdict", key=key, evidence=entry)
            if self.verdict == "promote":
                self.ledger.promote(MODEL, version="1", generation=0, key=key, evidence={})

    def finish(self, dag_id: str, key: str, state: str = "success") -> None:
        run_id = f"r{len(self.done)}"
        self.done.append(DagRun(dag_id, run_id, state, key, "manual", None, None, None))

    def backfill(
        self, dag_id: str, first: str, last: str, *, max_active_runs: int, conf: dict[str, str]
    ) -> int:
        self.known_at[f"backfill {dag_id}"] = conf["known_at"]
        self.calls.append(f"backfill {dag_id} {first} {last}")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last):
            self.finish(dag_id, day.isoformat())
            day += timedelta(days=1)
        return 1

    def backfill_is_open(self, dag_id: str) -> bool:
        self.open_backfills -= 1
        return self.open_backfills >= 0

    def runs(self, dag_id: str = "~", *, states: tuple[str, ...] = ()) -> list[DagRun]:
        return [
            run
            for run in self.done
            if dag_id in ("~", run.dag_id) and (not states or run.state in states)
        ]

    def count_runs(self) -> int:
        return len(self.done)

    def pending_partitions(self) -> list[PendingPartition]:
        return []

    def task_instances(self, run: DagRun) -> list[TaskInstance]:
        return []

    def run_url(self, run: DagRun) -> str:
        return ""

    def clear(self, run: DagRun) -> None:
        self.calls.append(f"clear {run.dag_id} {run.partition_key}")
        self.done.remove(run)
        self.finish(run.dag_id, run.partition_key or "")


@dataclass
class Clock:
    """The source database's clock alone."""

    at: date | None = None

    def advance(self, night: date) -> None:
        self.at = night


def make(tmp_path: Path, **fields: Any) -> tuple[Replay, Airflow]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    airflow = Airflow(ledger, **fields)
    view = View(Console(file=StringIO(), width=200))
    source = cast("SourceDatabase", Clock())
    return Replay(cast("AirflowApi", airflow), source, ledger, view), airflow


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def printed(replay: Replay) -> str:
    return cast("StringIO", replay.view.console.file).getvalue()


def nothing(*_: object) -> None:
    """Watch nothing."""


def test_history_comes_first_and_consumers_wake_after_the_champion(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    replay.prepare()
    assert airflow.calls == [
        "unpause flights.ingest weather.ingest arrivals.ingest arrivals.refresh",
        "backfill flights.ingest 2013-01-01 2013-01-31",
        "backfill weather.ingest 2013-01-01 2013-01-31",
        "backfill arrivals.ingest 2013-01-01 2013-01-29",
        f"unpause {TRAIN}",
        f"{TRAIN} 2013-01-31",
        f"unpause {TRAIN} {MODEL}.score {MODEL}.monitor {MODEL}.decide",
    ]
    assert airflow.known_at["backfill arrivals.ingest"] == "2013-01-31"


def test_preparing_twice_repeats_nothing(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    replay.prepare()
    airflow.calls.clear()
    replay.prepare()
    assert [call for call in airflow.calls if not call.startswith("unpause")] == []


def test_interrupted_backfill_is_completed(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path, open_backfills=2)
    for part in history():
        for key in sorted(part.keys())[:-1]:
            airflow.finish(part.dag_id, key)
    replay.prepare()
    assert [call.split()[1] for call in airflow.calls if call.startswith("backfill")] == [
        part.dag_id for part in history()
    ]


def test_running_backfill_is_left_alone(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path, open_backfills=10)
    airflow.finish(ARRIVALS, "2013-01-01", state="running")
    assert replay._is_going_on(ARRIVALS)


def test_history_that_stays_incomplete_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay, _ = make(tmp_path)
    monkeypatch.setattr(Airflow, "backfill", lambda self, *args, **kwargs: 1)
    with pytest.raises(ReplayError, match=r"January is not complete.*and 86 more"):
        replay.prepare()


def test_failed_runs_of_an_earlier_session_are_run_again(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    airflow.finish(SCORE, "2013-02-01", state="failed")
    airflow.finish("somebody.elses", "2013-02-01", state="failed")
    with pytest.raises(RuntimeError, match=r"somebody\.elses failed"):
        replay.prepare()
    assert airflow.calls[0] == f"clear {SCORE} 2013-02-01"


def test_gate_that_refuses_the_first_champion_stops_the_replay(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, verdict="keep")
    with pytest.raises(ReplayError, match=r"no first champion came out.*AUC 0\.51"):
        replay.prepare()


def test_dag_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, dags=set(), errors=["dag.py: SyntaxError"])
    with pytest.raises(ReplayError, match=r"dag\.py: SyntaxError"):
        replay.prepare()


def test_dag_that_never_appears_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.replay.PARSE_TIMEOUT_S", 0.0)
    replay, _ = make(tmp_path, dags=set(ALL_DAGS) - {TRAIN})
    with pytest.raises(ReplayError, match=r"does not know \['flight_delays\.train'\]"):
        replay.prepare()


def test_night_runs_ingestion_then_the_decision(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    night = date(2013, 2, 1)
    replay.play(night, nothing)
    assert airflow.calls == [
        *(f"{step.dag_id} {step.partition_key}" for step in ingestion(night)),
        f"{DECIDE} 2013-02-01",
    ]
    assert replay.source.at == night  # type: ignore[attr-defined]
    assert (replay.nights(), replay.next_night()) == ([night], date(2013, 2, 2))


def test_first_night_is_the_first_of_february(tmp_path: Path) -> None:
    assert make(tmp_path)[0].next_night() == date(2013, 2, 1)


def test_scoring_that_did_not_follow_is_an_error(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, scores=False)
    with pytest.raises(ReplayError, match=r"flight_delays\.score did not run for 2013-02-01"):
        replay.play(date(2013, 2, 1), nothing)


def test_training_that_did_not_follow_a_yes_is_an_error(tmp_path: Path) -> None:
    replay, _ = make(tmp_path)
    with pytest.raises(ReplayError, match=r"flight_delays\.train did not run for 2013-02-03"):
        replay.play(date(2013, 2, 3), nothing)


def test_decision_that_was_not_written_down_is_an_error(tmp_path: Path) -> None:
    replay, _ = make(tmp_path, decides=False)
    with pytest.raises(ReplayError, match="no decision of 2013-02-01"):
        replay.play(date(2013, 2, 1), nothing)


@pytest.mark.parametrize(
    ("goal", "closes_at", "nights"),
    [
        (Goal(asked=2, before=0, closed_before=False), 0, 2),
        (Goal(asked=20, before=30, closed_before=True), 0, 20),
        (Goal(asked=None, before=0, closed_before=False), 9, MIN_NIGHTS),
        (Goal(asked=None, before=0, closed_before=False), 20, 20),
        (Goal(asked=None, before=0, closed_before=False), 999, MAX_NIGHTS),
        (Goal(asked=None, before=4, closed_before=False), 0, MIN_NIGHTS - 4),
        (Goal(asked=None, before=16, closed_before=False), 20, 4),
        (Goal(asked=None, before=14, closed_before=True), 0, EXTRA_NIGHTS),
        (Goal(asked=None, before=MAX_NIGHTS, closed_before=False), 999, EXTRA_NIGHTS),
    ],
)
def test_how_many_nights_a_session_plays(goal: Goal, closes_at: int, nights: int) -> None:
    def played(now: int) -> bool:
        return goal.wants_more(now, lambda: goal.before + now >= closes_at)

    assert next(now for now in range(100) if not played(now)) == nights


def test_nights_are_played_and_told(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    assert play_nights(replay, replay.view, 2, lambda: False) == 2
    assert airflow.calls[-1] == f"{DECIDE} 2013-02-02"
    assert "night 2013-02-02: not retrained, because r" in printed(replay)


def test_year_ends(tmp_path: Path) -> None:
    replay, airflow = make(tmp_path)
    airflow.finish(DECIDE, LAST_DAY.isoformat())
    assert play_nights(replay, replay.view, 5, lambda: False) == 0
    assert "the data ends" in printed(replay)
