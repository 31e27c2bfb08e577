"""The whole loop in pure Python at every grain: from a source to a decision, over clock changes."""

from __future__ import annotations

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


# Each spans a clock change of Berlin, and a leap day, a year's end or both.
LOOPS = {
    "hour": ("2024-03-29T23", "2024-04-01T03", berlin(2024, 3, 30), timedelta(minutes=4), 46),
    "week": ("2023-12-18", "2024-04-08", berlin(2023, 12, 18), timedelta(hours=3), 15),
    "month": ("2023-08", "2024-04", berlin(2023, 8, 1), timedelta(hours=5), 6),
}


@pytest.mark.parametrize("grain", LOOPS)
def test_the_loop_closes(
    tmp_path: Path, lake: Lake, tracking: Tracking, ledger: Ledger, grain: str
) -> None:
    first, last, begin, every, n_trained = LOOPS[grain]
    spec = project(tmp_path / "project", grain, **WINDOWS[grain])
    tracking.client.create_experiment(spec.name, artifact_location=str(tmp_path / "artifacts"))
    fill_source(tmp_path / "plant.db", begin.astimezone(UTC), berlin(2024, 5, 1), every)
    source = Database(sa.make_url(f"sqlite:///{tmp_path}/plant.db"))
    take(spec, lake, source, first, last)

    # Every reading is in the one partition whose instants it lies between.
    rows = lake.table("readings").read()
    assert sorted(rows.column("reading_id").to_pylist()) == list(range(rows.num_rows))

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


WINDOWS: dict[str, dict[str, int]] = {
    "hour": {"train_days": 1, "evaluation_days": 1},
    "week": {"train_days": 70, "evaluation_days": 28},
    "month": {"train_days": 150, "evaluation_days": 60},
}
