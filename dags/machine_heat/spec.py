"""Everything that is unique to the machine heat model."""

from __future__ import annotations

from pathlib import Path

from datasets.machines import FIRST, KEY, LAST, TRENDS
from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent

TOMORROWS = DatasetSpec(
    name="tomorrows_heat",
    description="What the sensors show a day later.",
    owner="plant-data",
    source=SqlSource(
        conn_id="machines_source",
        query="""
            SELECT machine_id, date(day, '-1 day') AS day, temperature AS next_temperature
            FROM readings WHERE day = date(:partition, '+1 day')
        """,
    ),
    columns=KEY | {"next_temperature": "float64"},
    key=tuple(KEY),
    expectations=HERE / "expectations" / "tomorrows_heat.json",
    start=FIRST,
    end=LAST,
    delay="1d",
)

MODEL = ModelSpec(
    name="machine_heat",
    description="How hot will this machine run tomorrow?",
    owner="plant-ml",
    inputs=(InputSpec(dataset=TRENDS),),
    label=LabelSpec(dataset=TOMORROWS, target="next_temperature"),
    problem_type="regression",
    features_python="machine_heat.features:features",
    as_of="asked_at",
    categorical=("kind",),
    numeric=("hours", "temperature", "week_temperature"),
    estimator="machine_heat.model:build",
    train="42d",
)
