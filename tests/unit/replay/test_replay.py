"""The replay's order of events, what it repeats and what it refuses; no Airflow needed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from mlops_airflow.replay import Replay, ReplayError, RunFailedError
from mlops_airflow.replay.exceptions import DagsNotReadyError, NoFirstChampionError
from mlops_airflow.rest import AirflowApi
from mlops_tasks.specs.calendar import Calendar
from tests.unit.replay.fake_airflow import FakeAirflow, a_view, printed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.specs import ModelSpec

    Model = Callable[[str], ModelSpec]

FIRST, LAST = "2024-06-10", "2024-07-22"


def make(model: Model, last: str = LAST, **fields: Any) -> tuple[Replay, FakeAirflow]:
    calendar = Calendar(model("demand"), FIRST)
    airflow = FakeAirflow("demand", "offers", calendar.dag_ids, yes_on="2024-07-21", **fields)
    return Replay(cast("AirflowApi", airflow), calendar, last, a_view()), airflow


def flights(model: Model) -> tuple[Replay, FakeAirflow, list[str]]:
    calendar, moved = Calendar(model("flight_delays"), "2013-02-01"), []
    airflow = FakeAirflow("flight_delays", "flights", calendar.dag_ids)
    api = cast("AirflowApi", airflow)
    return Replay(api, calendar, "2013-02-03", a_view(), advance=moved.append), airflow, moved


def nothing(*_: object) -> None:
    """Watch nothing."""


def test_history_comes_first_and_consumers_wake_after_the_champion(model: Model) -> None:
    replay, airflow = make(model)
    trained = replay.prepare()
    assert airflow.calls[0] == "unpause offers.ingest sales.ingest stores.ingest"
    counts = Counter(call.split()[0] for call in airflow.calls[1:-3])
    # 28 days of evaluation and 364 of training before 10 June: 56 weeks; the stores of the week
    # before count as known, and sales are counted a week later.
    assert counts["offers.ingest"] - counts["sales.ingest"] == 1
    assert airflow.calls[-3:-1] == [
        "unpause demand.release demand.train",
        "demand.train 2024-06-09",
    ]
    assert airflow.calls[-1] == (
        "unpause demand.rollback demand.release demand.train demand.monitor demand.score "
        "sales.ingest "
        "stores.ingest offers.ingest demand.decide"
    )
    assert trained is not None
    assert (trained.version, trained.promoted) == ("1", True)
    airflow.calls.clear()
    assert replay.prepare() is None
    assert [call for call in airflow.calls if not call.startswith("unpause")] == []


def test_weeks_are_played_in_the_order_of_their_schedules(model: Model) -> None:
    replay, airflow = make(model)
    replay.prepare()
    airflow.calls.clear()
    replay.run()
    assert airflow.calls[:4] == [
        "offers.ingest 2024-06-10",
        "stores.ingest 2024-06-10",
        "sales.ingest 2024-06-03",
        "demand.decide 2024-06-16",
    ]
    assert [one.key for one in replay.done] == replay.rounds
    assert replay.played() == replay.rounds
    (retrained,) = [one for one in replay.done if one.retrain]
    assert (retrained.key, retrained.as_of) == ("2024-07-15", "2024-07-21")
    assert retrained.training is not None
    assert retrained.training.version == "2"
    shown = printed(replay.view)
    assert "week 2024-07-08, decided as of 2024-07-14: not retrained, because r" in shown
    assert "week 2024-07-15, decided as of 2024-07-21: retrained, because of performance" in shown


def test_what_is_done_is_not_repeated(model: Model) -> None:
    replay, airflow = make(model)
    replay.prepare()
    replay.run(lambda now: now < 2)
    assert replay.played() == ["2024-06-10", "2024-06-17"]
    again = Replay(replay.api, replay.calendar, LAST, a_view())
    airflow.calls.clear()
    again.prepare()
    again.run(lambda now: now < 1)
    started = [call for call in airflow.calls if not call.startswith("unpause")]
    assert started[0] == "offers.ingest 2024-06-24"
    assert len(started) == 4
    assert "2 weeks are played already: going on with 2024-06-24" in printed(again.view)


def test_events_that_found_a_paused_dag_are_made_up_for(model: Model) -> None:
    replay, airflow = make(model, scores=False)
    replay.prepare()
    airflow.run("offers.ingest", FIRST)  # by its schedule, while score was paused
    airflow.calls.clear()
    replay.play(FIRST, nothing)
    assert "offers.ingest 2024-06-10" not in airflow.calls
    assert "demand.score 2024-06-10" in airflow.calls
    assert replay.played() == [FIRST]


def test_week_that_is_decided_but_not_scored_is_not_played(model: Model) -> None:
    replay, airflow = make(model)
    replay.prepare()
    airflow.run("demand.decide", "2024-06-16")
    assert replay.played() == []


def test_late_rows_are_known_when_their_schedule_would_have_come(model: Model) -> None:
    replay, airflow, moved = flights(model)
    replay.prepare()
    refreshed = [call for call in airflow.calls if call.startswith("arrivals.refresh ")]
    assert refreshed == []  # what is taken in today has them
    assert airflow.conf["flights.ingest 2013-01-31"] == {}
    airflow.calls.clear()
    replay.play("2013-02-01", nothing)
    assert airflow.calls == [
        "flights.ingest 2013-02-01",
        "weather.ingest 2013-02-01",
        "arrivals.ingest 2013-01-30",
        "arrivals.refresh 2013-01-25",
        "flight_delays.decide 2013-02-01",
    ]
    assert airflow.conf["arrivals.refresh 2013-01-25"] == {"known_at": "2013-02-01"}
    assert airflow.conf["arrivals.ingest 2013-01-30"] == {}
    assert moved == ["2013-01-31", "2013-02-01"]


def test_derived_datasets_of_the_history_are_computed_once_after_their_inputs(
    model: Model,
) -> None:
    calendar = Calendar(model("machine_failures"), "2024-05-02")
    airflow = FakeAirflow("machine_failures", "machine_trends", calendar.dag_ids)
    replay = Replay(cast("AirflowApi", airflow), calendar, "2024-05-03", a_view())
    replay.prepare()
    names = [call.split()[0] for call in airflow.calls if not call.startswith("unpause")]
    assert names.index("machine_trends.ingest") > max(
        index for index, name in enumerate(names) if name == "readings.ingest"
    )


def test_failed_runs_of_an_earlier_session_are_run_again(model: Model) -> None:
    replay, airflow = make(model)
    airflow.run("demand.score", FIRST, "failed")
    airflow.run("demand.score", "2023-01-02", "failed")  # before all that is looked at
    airflow.run("demand.score", "2026-01-05", "failed")  # its schedule goes on beside
    airflow.run("another.score", FIRST, "failed")
    replay.prepare()
    assert [call for call in airflow.calls if call.startswith("clear")] == [
        "clear demand.score 2024-06-10"
    ]


def test_labels_that_are_not_due_within_the_replay_may_fail_beside_it(model: Model) -> None:
    replay, airflow, _ = flights(model)
    due = [
        step.partition_key
        for key in replay.rounds
        for step in replay.calendar.news(key)
        if step.dag_id == "arrivals.ingest"
    ]
    assert max(due) < replay.calendar.as_of(replay.last)
    airflow.run("arrivals.ingest", max(due), "failed")
    airflow.run("arrivals.ingest", replay.calendar.as_of(replay.last), "failed")
    replay.prepare()
    assert [call for call in airflow.calls if call.startswith("clear")] == [
        f"clear arrivals.ingest {max(due)}"
    ]


def test_run_that_fails_stops_the_replay_and_names_its_error(model: Model) -> None:
    replay, airflow = make(model)
    replay.prepare()
    airflow.trigger = lambda dag_id, key, **_: airflow.run(dag_id, key, "failed")  # type: ignore[assignment,return-value]
    with pytest.raises(RunFailedError) as caught:
        replay.run()
    text = str(caught.value)
    for part in (
        "offers.ingest failed for 2024-06-10, in task 'ingest' of run r",
        "EmptyPartitionError: no rows",
        "http://airflow/dags/offers.ingest/runs/r",
        "run the same command again",
    ):
        assert part in text


def test_gate_that_refuses_the_first_champion_stops_the_replay(model: Model) -> None:
    replay, _ = make(model, verdict="keep")
    with pytest.raises(
        NoFirstChampionError, match=r"came out of demand\.train as of 2024-06-09: MAE"
    ):
        replay.prepare()


def test_champion_of_elsewhere_is_enough(model: Model) -> None:
    replay, airflow = make(model, verdict="keep")
    train = airflow._train

    def compared(run: Any) -> None:
        train(run)
        airflow.results[run.run_id, "evaluate"]["champion_version"] = "7"

    airflow._train = compared  # type: ignore[method-assign]
    trained = replay.prepare()
    assert trained is not None
    assert (trained.champion, trained.promoted) == ("7", False)


def test_dag_file_that_cannot_be_read_is_told(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_airflow.replay.readiness.ERROR_GRACE_S", 0.0)
    replay, _ = make(model, errors={"demand/dag.py": "Traceback\nSyntaxError: invalid"})
    with pytest.raises(DagsNotReadyError, match=r"demand/dag\.py:\n.*Traceback\n.*SyntaxError"):
        replay.prepare()


def test_dag_that_never_appears_is_told(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_airflow.replay.readiness.PARSE_TIMEOUT_S", 0.0)
    replay, airflow = make(model)
    airflow.dag_names = set(airflow.dag_names) - {"demand.train"}
    with pytest.raises(DagsNotReadyError, match=r"does not have demand\.train .* is healthy"):
        replay.prepare()


def test_scoring_that_did_not_follow_is_an_error(model: Model) -> None:
    replay, _ = make(model, scores=False)
    replay.prepare()
    with pytest.raises(ReplayError, match=r"demand\.score for 2024-06-10 did not run"):
        replay.run()


def test_training_that_did_not_follow_a_yes_is_an_error(model: Model) -> None:
    replay, airflow = make(model, trains=False)
    replay.prepare()
    airflow.yes_on = "2024-06-16"
    with pytest.raises(ReplayError, match=r"demand\.train for 2024-06-16 did not run"):
        replay.run()
