"""The loop of the flight delay project, Dag by Dag, on real flights of January 2013."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from flight_delays.spec import ARRIVALS, FLIGHTS, MODEL, WEATHER
from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import feature_rows
from mlops_tasks.lake import TrainingPin, overwrite_partition
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.pack import Answer as PackAnswer
from mlops_tasks.registry.pack import verify_pack
from mlops_tasks.serialization import from_json
from mlops_tasks.sources import Database
from mlops_tasks.steps.ingest import ingest

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlops_airflow.testing.dag_runs import FinishedRun
    from tests.dags.conftest import Airflow

pytestmark = pytest.mark.slow

FIRST = "2013-01-01"
SCORED = ("2013-01-12", "2013-01-13")


def day(number: int) -> str:
    return f"2013-01-{number:02}"


@pytest.fixture(scope="module")
def first_day(airflow: Airflow) -> dict[str, FinishedRun]:
    """Ingest the first day as it was known two nights later."""
    dags = ("flights.ingest", "weather.ingest", "arrivals.ingest")
    return {dag_id: airflow.run(dag_id, FIRST) for dag_id in dags}


@pytest.fixture(scope="module")
def refreshed(
    airflow: Airflow, first_day: dict[str, FinishedRun]
) -> tuple[FinishedRun, FinishedRun]:
    """Take the labels of the first day again, twice, when the late ones are there."""
    airflow.source.advance(date(2013, 1, 16))
    return airflow.run("arrivals.refresh", FIRST), airflow.run("arrivals.refresh", FIRST)


@pytest.fixture(scope="module")
def too_early(airflow: Airflow, refreshed: tuple[FinishedRun, FinishedRun]) -> FinishedRun:
    """Score before there is a champion."""
    return airflow.run("flight_delays.score", FIRST)


@pytest.fixture(scope="module")
def trained(airflow: Airflow, too_early: FinishedRun) -> FinishedRun:
    """Train the first champion on the first week."""
    _publish_the_other_days(airflow)
    return airflow.run("flight_delays.train", day(12), train="7d", evaluation="3d")


@pytest.fixture(scope="module")
def released(airflow: Airflow, trained: FinishedRun) -> FinishedRun:
    """Release its version, as the scheduler does when it hears of the request."""
    return airflow.run("flight_delays.release", trained.outputs["register"]["version"])


@pytest.fixture(scope="module")
def scored(airflow: Airflow, released: FinishedRun) -> dict[str, FinishedRun]:
    return {key: airflow.run("flight_delays.score", key) for key in SCORED}


@pytest.fixture(scope="module")
def monitored(airflow: Airflow, scored: dict[str, FinishedRun]) -> dict[str, FinishedRun]:
    return {key: airflow.run("flight_delays.monitor", key) for key in SCORED}


@pytest.fixture(scope="module")
def decided(airflow: Airflow, monitored: dict[str, FinishedRun]) -> dict[str, FinishedRun]:
    """Decide on the night after the training, and eight nights later."""
    return {key: airflow.run("flight_delays.decide", key) for key in (day(13), day(20))}


@pytest.fixture(scope="module")
def challenged(airflow: Airflow, decided: dict[str, FinishedRun]) -> FinishedRun:
    """Train a challenger on fewer days than the champion had."""
    return airflow.run("flight_delays.train", day(15), train="6d", evaluation="3d")


def _publish_the_other_days(airflow: Airflow) -> None:
    """Publish days 2 to 14 with the steps alone: the Dags around them have run for the first."""
    for number in range(2, 15):
        for dataset in (FLIGHTS, WEATHER, ARRIVALS):
            raw = ingest(
                dataset,
                day(number),
                source=Database(airflow.source.engine.url),
                lake=airflow.lake,
                token=airflow.ledger.next_token(),
                known_at=day(number),
            ).raw
            rows = airflow.lake.table(raw.table).read(first=day(number), last=day(number))
            if dataset is WEATHER and day(number) in SCORED:
                rows = _in_metric_units(rows)
            token = airflow.ledger.next_token()
            overwrite_partition(
                airflow.lake.table(dataset.name),
                day(number),
                rows,
                token=token,
                known_at=day(number),
            )


def _in_metric_units(weather: pa.Table) -> pa.Table:
    """Return weather as a service reports it that has gone over to kelvin and pascal."""
    for name, scale, offset in (
        ("temp", 5 / 9, -459.67),
        ("dewp", 5 / 9, -459.67),
        ("pressure", 100.0, 0.0),
    ):
        values = pc.multiply(pc.subtract(weather.column(name), offset), scale)
        weather = weather.set_column(weather.schema.get_field_index(name), name, values)
    return weather


# --- ingest and refresh


def test_a_day_is_ingested_validated_and_published(
    airflow: Airflow, first_day: dict[str, FinishedRun]
) -> None:
    for dag_id, run in first_day.items():
        dataset = dag_id.split(".")[0]
        assert (run.state, run.tasks) == ("success", {"ingest": "success", "validate": "success"})
        found = run.outputs["validate"]
        assert found["n_validated"] + found["n_quarantined"] == found["n_rows_in"] > 0
        assert (
            airflow.lake.table(dataset).read(first=FIRST, last=FIRST).num_rows
            == found["n_validated"]
        )
        (entry,) = airflow.ledger.entries(model=dataset, kind="validation", history=True)[:1]
        assert entry.key == FIRST
        assert entry.dag_run.startswith(f"{dag_id}/")


def test_a_published_day_is_heard_by_its_consumers(
    airflow: Airflow, first_day: dict[str, FinishedRun]
) -> None:
    for dataset in ("flights", "weather", "arrivals"):
        *_, event = airflow.events(dataset, FIRST)
        (commit,) = airflow.lake.table(dataset).commits(first=FIRST, last=FIRST, known_at=FIRST)
        for name in ("version", "n_rows", "digest"):
            assert event[name] == getattr(commit, name), dataset
    assert airflow.queued("flight_delays.score", FIRST) == ["flights", "weather"]
    assert "arrivals" in airflow.queued("flight_delays.monitor", FIRST)


def test_a_day_without_news_is_skipped_and_starts_nothing(
    airflow: Airflow, first_day: dict[str, FinishedRun]
) -> None:
    before = airflow.events("flights", FIRST)
    again = airflow.run("flights.ingest", FIRST)
    assert again.tasks == {"ingest": "success", "validate": "skipped"}
    assert airflow.events("flights", FIRST) == before


def test_late_labels_are_taken_in_once(
    airflow: Airflow, first_day: dict[str, FinishedRun], refreshed: tuple[FinishedRun, FinishedRun]
) -> None:
    late, again = refreshed
    assert late.tasks == {"ingest": "success", "validate": "success"}
    early = first_day["arrivals.ingest"].outputs["validate"]["n_validated"]
    assert late.outputs["validate"]["n_validated"] > early
    assert again.tasks == {"ingest": "success", "validate": "skipped"}
    assert len(airflow.events("arrivals.refreshed", FIRST)) == 1
    assert "arrivals.refreshed" in airflow.queued("flight_delays.monitor", FIRST)


def test_a_day_that_the_source_does_not_have_fails_and_loses_nothing(
    airflow: Airflow, first_day: dict[str, FinishedRun]
) -> None:
    before = airflow.lake.table("flights").version, airflow.lake.table("flights").partitions()
    missing = airflow.run("flights.ingest", "2013-11-30")
    assert missing.state == "failed"
    assert missing.tasks == {"ingest": "failed", "validate": "upstream_failed"}
    assert airflow.events("flights", "2013-11-30") == []
    assert (
        airflow.lake.table("flights").version,
        airflow.lake.table("flights").partitions(),
    ) == before


def test_a_run_without_a_partition_fails(airflow: Airflow) -> None:
    assert airflow.run("weather.ingest", None).tasks["ingest"] == "failed"


@pytest.mark.parametrize("key", ["banana", "2013-02-30", "2012-12-31", "2014-01-01", "2999-01-01"])
def test_a_key_that_is_no_day_of_the_data_fails_at_once(airflow: Airflow, key: str) -> None:
    assert airflow.run("flight_delays.score", key).tasks["score"] == "failed"


def test_a_parameter_that_does_not_exist_fails_the_run(airflow: Airflow) -> None:
    assert airflow.run("flight_delays.train", FIRST, traindays=3).tasks["pin"] == "failed"


# --- train


def test_before_the_first_champion_scoring_is_skipped(too_early: FinishedRun) -> None:
    assert (too_early.state, too_early.tasks) == (
        "success",
        dict.fromkeys(("score", "drift", "estimate", "shadow"), "skipped"),
    )


def test_the_first_champion_is_trained_judged_and_released_with_no_person(
    airflow: Airflow, trained: FinishedRun, released: FinishedRun
) -> None:
    assert trained.tasks == dict.fromkeys(
        ("pin", "train", "evaluate", "register", "smoke_test", "request_release"), "success"
    )
    assert airflow.queued("flight_delays.release", "1") == ["flight_delays.release_request"]
    assert airflow.events("flight_delays.release_request", "1") == [{"version": "1"}]
    assert (released.state, released.tasks) == (
        "success",
        {"approve": "skipped", "promote": "success", "pack": "success"},
    )
    pin = trained.outputs["pin"]
    assert (tuple(pin["train"]), tuple(pin["evaluation"])) == ((day(1), day(5)), (day(8), day(10)))
    assert released.outputs["promote"] == {"name": "flight_delays", "version": "1"}
    champion = champion_of("flight_delays", tracking=airflow.tracking, ledger=airflow.ledger)
    assert champion.version == "1"
    (event,) = airflow.events("flight_delays.model", "1")
    assert event["version"] == "1"
    assert [pin["digest"] for pin in event["pins"]] == [
        found["digest"] for found in (*pin["inputs"].values(), pin["labels"])
    ]
    kinds = {entry.kind: entry for entry in airflow.ledger.entries(model="flight_delays")}
    assert kinds["verdict"].evidence["verdict"] == "promote"
    assert kinds["promotion"].evidence["version"] == "1"
    tested = kinds["smoke_test"]
    assert (tested.key, tested.evidence) == ("1", trained.outputs["smoke_test"])
    assert tested.evidence["passed"]
    made = airflow.lake.root / kinds["pack"].evidence["file"]
    fingerprint = kinds["pack"].evidence["fingerprint"]
    assert verify_pack(made, trusted=fingerprint).answer is PackAnswer.VERIFIED


def test_its_tasks_lead_to_mlflow_and_its_run_leads_back(
    airflow: Airflow, trained: FinishedRun, released: FinishedRun
) -> None:
    run_id = trained.outputs["train"]["run_id"]
    assert trained.links["train"].endswith(f"/runs/{run_id}")
    assert "/mlops/reports/flight_delays__gate/" in trained.links["evaluate"]
    assert released.links["promote"].endswith("/models/flight_delays/versions/1")
    run = airflow.tracking.client.get_run(run_id)
    assert run.data.tags["airflow.dag_id"] == "flight_delays.train"
    assert "/tasks/train" in run.data.tags["airflow.log_url"]


# --- features of real flights


def test_a_flight_has_the_same_features_alone_and_in_a_range(
    airflow: Airflow, trained: FinishedRun
) -> None:
    """Days are local, weather is asked for in UTC: the day before must be looked at, too."""
    key = day(5)
    flights = airflow.lake.table("flights").read(first=key, last=key, columns=["flight_id"])
    ids = set(flights.column("flight_id").to_pylist())
    whole = feature_rows(MODEL, airflow.lake, first=day(3), last=day(7)).to_pylist()
    alone = feature_rows(MODEL, airflow.lake, first=key, last=key).to_pylist()
    assert alone == [row for row in whole if row["flight_id"] in ids]
    assert len(alone) == len(ids)
    assert all(row["temp"] is not None for row in alone[:5])


def test_weather_of_the_hours_after_asking_is_refused(
    airflow: Airflow, trained: FinishedRun, tmp_path: Path
) -> None:
    sql = tmp_path / "leak.sql"
    text = MODEL.features_sql.read_text()
    assert "INTERVAL 2 HOUR > w.observed_at" in text
    sql.write_text(text.replace("INTERVAL 2 HOUR > w.", "INTERVAL 2 HOUR <= w."))
    leaky = MODEL.model_copy(update={"features_sql": sql})
    with pytest.raises(LeakageError, match=r"'weather_observed_at' is not before 'asked_at' in"):
        feature_rows(leaky, airflow.lake, first=day(5), last=day(5))


# --- score and monitor


def test_every_flight_of_a_day_is_scored_by_the_champion(
    airflow: Airflow, scored: dict[str, FinishedRun]
) -> None:
    for key, run in scored.items():
        done = dict.fromkeys(("score", "drift", "estimate"), "success")
        assert run.tasks == done | {"shadow": "skipped"}
        flights = airflow.lake.table("flights").read(first=key, last=key).num_rows
        found = airflow.lake.table(MODEL.predictions_table).read(first=key, last=key)
        assert found.num_rows == flights == run.outputs["score"]["predictions"]["n_rows"]
        assert set(found.column("model_version").to_pylist()) == {"1"}
        (event,) = airflow.events("flight_delays.predictions", key)
        assert event == run.outputs["score"]["predictions"] | {"model_version": "1"}
        assert airflow.queued("flight_delays.monitor", key) == ["flight_delays.predictions"]


def test_drift_is_measured_and_kept_as_evidence(
    airflow: Airflow, scored: dict[str, FinishedRun]
) -> None:
    entries = airflow.ledger.entries(model="flight_delays", kind="drift")
    assert [entry.key for entry in entries] == list(SCORED)
    for entry in entries:
        names = {check["name"] for check in entry.evidence["checks"]}
        assert names == {*MODEL.features, "score", "predicted_class"}
        alarms = {check["name"] for check in entry.evidence["checks"] if check["alarm"]}
        assert {"temp", "dewp", "pressure"} <= alarms
        assert not alarms & {"carrier", "origin", "dest", "distance", "day_of_week"}


def test_performance_is_measured_once_labels_are_there(
    airflow: Airflow, monitored: dict[str, FinishedRun]
) -> None:
    for key, run in monitored.items():
        none = {"compare": "skipped", "roll_back": "skipped"}
        assert run.tasks == {"monitor": "success"} | none
        found = run.outputs["monitor"]
        assert (found["model_version"], found["last"]) == ("1", key)
        assert 0.8 < found["coverage"] <= 1
    # Of the few labels on the first evening the metric shows nothing, and is not called fine.
    early, late = (monitored[key].outputs["monitor"]["checks"][0] for key in SCORED)
    assert early["value"] is None
    assert "labelled rows" in early["text"]
    assert ": too few rows to tell, " in early["text"]
    assert 0.5 < late["value"] < 0.9
    for kind in ("performance", "labels"):
        entries = airflow.ledger.entries(model="flight_delays", kind=kind)
        assert [entry.key for entry in entries] == list(SCORED)
    (check,) = entries[-1].evidence["checks"]
    assert check["text"].startswith("label share ")


def test_a_day_that_was_never_scored_is_not_measured(
    airflow: Airflow, monitored: dict[str, FinishedRun]
) -> None:
    run = airflow.run("flight_delays.monitor", FIRST)
    skipped = dict.fromkeys(("monitor", "compare", "roll_back"), "skipped")
    assert (run.state, run.tasks) == ("success", skipped)


# --- decide, and the training that follows


def test_within_the_cooldown_the_answer_is_a_written_no(
    airflow: Airflow, decided: dict[str, FinishedRun]
) -> None:
    run = decided[day(13)]
    assert run.tasks == {
        "decide": "success",
        "request_retraining": "skipped",
        "incidents": "success",
    }
    decision = run.outputs["decide"]
    assert (decision["retrain"], decision["cause"]) == (False, "cooldown")
    assert "but the last training was 1 days ago" in decision["reason"]
    drift = decision["evidence"]["drift"]
    assert drift["text"].startswith(
        "drift alarmed on 2 of the last 2 days (2013-01-12, 2013-01-13)"
    )
    assert airflow.events("flight_delays.retrain_request", day(13)) == []
    assert airflow.queued("flight_delays.train", day(13)) == []


def test_after_it_the_same_evidence_starts_a_training(
    airflow: Airflow, decided: dict[str, FinishedRun]
) -> None:
    run = decided[day(20)]
    assert set(run.tasks.values()) == {"success"}
    decision = run.outputs["decide"]
    assert decision["retrain"]
    assert decision["evidence"]["drift"]["alarm"]
    request = {"cause": decision["cause"], "reason": decision["reason"]}
    assert airflow.events("flight_delays.retrain_request", day(20)) == [request]
    assert airflow.queued("flight_delays.train", day(20)) == ["flight_delays.retrain_request"]
    written = airflow.ledger.entries(model="flight_delays", kind="decision")
    assert [entry.evidence["retrain"] for entry in written] == [False, True]


def test_a_worse_challenger_is_registered_and_not_promoted(
    airflow: Airflow, challenged: FinishedRun
) -> None:
    assert challenged.state == "success"
    assert challenged.tasks["request_release"] == "skipped"
    verdict = challenged.outputs["evaluate"]
    assert (verdict["verdict"], verdict["champion_version"]) == ("keep", "1")
    assert verdict["difference"]["lower"] < 0
    assert challenged.outputs["register"]["version"] == "2"
    assert airflow.tracking.by_version("flight_delays", "2").tags["mlops.verdict"] == "keep"
    champion = champion_of("flight_delays", tracking=airflow.tracking, ledger=airflow.ledger)
    assert champion.version == "1"
    assert airflow.events("flight_delays.release_request", "2") == []
    assert airflow.run("flight_delays.release", "2").tasks["approve"] == "failed", "it never asked"
    assert airflow.events("flight_delays.model", "2") == []


def test_the_maintenance_leaves_all_of_it_as_it_is(
    airflow: Airflow, challenged: FinishedRun
) -> None:
    before = {name: len(airflow.lake.table(name).all_commits()) for name in airflow.lake.tables()}
    run = airflow.run("mlops.maintenance", day(20), keep_days=1)
    assert run.tasks == {"maintain": "success"}
    assert {name: len(airflow.lake.table(name).all_commits()) for name in before} == before
    champion = champion_of("flight_delays", tracking=airflow.tracking, ledger=airflow.ledger)
    airflow.tracking.load(champion.model_uri, champion.digest)
    for entry in airflow.ledger.entries(kind="pin", history=True):
        for pin in from_json(TrainingPin, entry.evidence).pins:
            airflow.lake.table(pin.table).verify_pin(pin)
