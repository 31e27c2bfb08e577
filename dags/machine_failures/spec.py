"""Everything that is unique to the machine failure model."""

from __future__ import annotations

from pathlib import Path

from datasets.machines import FIRST, KEY, LAST, TRENDS
from mlops_tasks.specs import CandidateSpec, DatasetSpec, GateSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent

FAILURES = DatasetSpec(
    name="failures",
    description="Whether a machine failed within two weeks, known when they are over.",
    owner="plant-data",
    source=SqlSource(
        conn_id="machines_source",
        query="SELECT machine_id, day, failed FROM failures WHERE day = :partition",
    ),
    columns=KEY | {"failed": "int64"},
    key=tuple(KEY),
    expectations=HERE / "expectations" / "failures.json",
    start=FIRST,
    end=LAST,
    delay="15d",
)

MODEL = ModelSpec(
    name="machine_failures",
    description="Will this machine fail within two weeks?",
    owner="plant-ml",
    inputs=(InputSpec(dataset=TRENDS),),
    label=LabelSpec(dataset=FAILURES, target="failed"),
    features_sql=HERE / "features.sql",
    as_of="asked_at",
    categorical=("kind",),
    numeric=("hours", "temperature", "vibration", "week_temperature", "week_vibration"),
    estimator="machine_failures.model:build",
    random_state=2024,
    # How much each sensor may count: chosen anew by each training, on later weeks of its window.
    candidates=tuple(CandidateSpec(params={"model__C": c}) for c in (0.05, 1.0, 20.0)),
    costs={"false_alarm": 1, "miss": 25},
    evaluation="14d",
    gate=GateSpec(metric="expected_cost", non_inferiority={"log_loss": 0.02}),
)
