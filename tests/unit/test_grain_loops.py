"""The whole loop in pure Python at every grain: from a source to a decision, over clock changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.policy import read_evidence
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import to_json
from mlops_tasks.sources import Database
from mlops_tasks.steps.decide import decide
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from mlops_tasks.steps.validate import validate
from tests.unit.machines import ZONE, fill_source, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions.grains import GrainName
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec


def berlin(*day: int) -> datetime:
    return datetime(*day, tzinfo=ZoneInfo(ZONE))  # type: ignore[arg-type]


def take(spec: ModelSpec, lake: Lake, source: Database, first: str, last: str) -> None:
    """Ingest and validate the partitions of every dataset, as their schedules would."""
    for dataset in spec.datasets:
        for key in dataset.calendar.range(first, last):
            known_at = dataset.schedule.known_on(key, dataset.delay_steps)
            raw = ingest(dataset, key, source=source, lake=lake, token=1, known_at=known_at)
            result = validate(dataset, raw.raw, lake=lake, token=1, known_at=known_at)
            assert result.published.n_rows, key


@dataclass(frozen=True)
class Loop:
    """A span of partitions, from the midnight of Berlin at which the first of them begins."""

    grain: GrainName
    begin: datetime
    first: str
    last: str
    every: timedelta
    n_trained: int
    windows: tuple[str, str]


def hours(begin: datetime, first: str, last: str, n_of_two_days: int) -> Loop:
    n_trained = n_of_two_days - 1
    return Loop("hour", begin, first, last, timedelta(minutes=4), n_trained, ("1d", "1d"))


# Weeks and months span clock changes of Berlin, the leap day and the year's end.
LOOPS = {
    "hour, clocks forward": hours(berlin(2024, 3, 30), "2024-03-29T23", "2024-04-01T03", 47),
    "hour, clocks back": hours(berlin(2024, 10, 26), "2024-10-25T22", "2024-10-28T02", 49),
    "hour, year's end": hours(berlin(2023, 12, 31), "2023-12-30T23", "2024-01-02T03", 48),
    "hour, leap day": hours(berlin(2024, 2, 28), "2024-02-27T23", "2024-03-01T03", 48),
    "day, year's end and leap day": Loop(
        "day",
        berlin(2023, 12, 27),
        "2023-12-27",
        "2024-03-02",
        timedelta(minutes=40),
        58,
        ("44d", "14d"),
    ),
    "day, clocks forward": Loop(
        "day",
        berlin(2024, 3, 1),
        "2024-03-01",
        "2024-04-02",
        timedelta(minutes=40),
        26,
        ("20d", "7d"),
    ),
    "day, clocks back": Loop(
        "day",
        berlin(2024, 10, 1),
        "2024-10-01",
        "2024-10-29",
        timedelta(minutes=40),
        23,
        ("18d", "6d"),
    ),
    "week": Loop(
        "week",
        berlin(2023, 12, 18),
        "2023-12-18",
        "2024-04-08",
        timedelta(hours=3),
        15,
        ("70d", "28d"),
    ),
    "month": Loop(
        "month", berlin(2023, 8, 1), "2023-08", "2024-04", timedelta(hours=5), 6, ("150d", "60d")
    ),
}


#: Where these are also played, which takes as long again; keys over them are test_grains.py's.
LONG = "MLOPS_LONG_LOOPS"
_LONG = ("hour, year's end", "hour, leap day", "day, clocks back")
_PLAYED = [name for name in LOOPS if name not in _LONG or LONG in os.environ]


@pytest.mark.parametrize("name", _PLAYED)
def test_the_loop_closes(
    tmp_path: Path, lake: Lake, tracking: Tracking, ledger: Ledger, name: str
) -> None:
    loop = LOOPS[name]
    first, last, n_trained = loop.first, loop.last, loop.n_trained
    train_window, evaluation = loop.windows
    spec = project(tmp_path / "project", loop.grain, train=train_window, evaluation=evaluation)
    tracking.client.create_experiment(spec.name, artifact_location=str(tmp_path / "artifacts"))
    begin, end = loop.begin.astimezone(UTC), spec.rows.partition(last).end
    assert begin == spec.rows.partition(first).start
    fill_source(tmp_path / "plant.db", begin, end + timedelta(days=1), loop.every)
    source = Database(sa.make_url(f"sqlite:///{tmp_path}/plant.db"))
    take(spec, lake, source, first, last)

    # Every reading is in the one partition whose instants it lies between.
    rows = lake.table("readings").read()
    assert sorted(rows.column("reading_id").to_pylist()) == list(range(rows.num_rows))
    assert rows.num_rows == -((begin - end) // loop.every)

    keys = spec.calendar.range(first, last)
    trained_until = keys[n_trained]
    as_of = spec.rows.schedule.known_on(trained_until)
    pin = pin_training_data(spec, as_of, lake=lake)
    assert pin.evaluation[1] == trained_until
    assert spec.calendar.shift(pin.train[1], 1) == pin.evaluation[0]
    trained = train(spec, pin, lake=lake, tracking=tracking)
    verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
    assert verdict.verdict == "promote", verdict
    version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
    assert promote(version, verdict, as_of=as_of, tracking=tracking, ledger=ledger)
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)

    for key in keys[n_trained + 1 :]:
        result = score(spec, key, champion, lake=lake, tracking=tracking, token=1)
        drift = measure_drift(spec, key, champion, lake=lake, tracking=tracking)
        assert result.predictions.n_rows
        assert not [check.text for check in drift.checks if check.alarm]
        predictions = read_labelled_predictions(spec, key, lake=lake)
        assert predictions.coverage[key] == 1
        performance = measure_performance(predictions, champion)
        labels = measure_labels(predictions, performance, champion, lake=lake, tracking=tracking)
        ended_on = spec.rows.schedule.known_on(key)
        for kind, found in (
            (EvidenceKind.DRIFT, drift),
            (EvidenceKind.PERFORMANCE, performance),
            (EvidenceKind.LABELS, labels),
        ):
            evidence = to_json(found) | {"known_at": ended_on}
            ledger.record(model=spec.name, kind=kind, key=key, evidence=evidence, dag_run="x")

    night = spec.rows.schedule.known_on(last)
    evidence = read_evidence(spec, night, ledger=ledger)
    assert [one.last for one in evidence.drift] == keys[-len(evidence.drift) :]
    found = decide(spec, night, evidence)
    assert (found.retrain, found.cause) in ((False, "none"), (True, "age"))
