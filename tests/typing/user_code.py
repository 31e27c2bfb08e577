"""Code as a user writes it. mypy reads it in ``make check``; nothing here is run.

Each line that must be refused says so with an ignore, and an ignore that is not needed is an error:
a type that becomes looser shows here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import assert_type

from mlops_airflow.lifecycle import build_dags
from mlops_airflow.operators.train import TrainModelOperator
from mlops_tasks.lake import Lake, Pin, TrainingPin
from mlops_tasks.registry.ledger import Champion, Ledger, LedgerEntry
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.ingest import IngestResult, ingest
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.train import train


def a_dataset() -> DatasetSpec:
    return DatasetSpec(
        name="orders",
        description="Orders of a day.",
        source=SqlSource(
            conn_id="shop", query="SELECT * FROM orders WHERE at >= :start AND at < :end"
        ),
        columns={"order_id": "int64"},
        key=("order_id",),
        expectations=Path("orders.json"),
        start=date(2026, 1, 1),
    )


def a_model(dataset: DatasetSpec) -> ModelSpec:
    return ModelSpec(
        name="returns",
        description="Will it come back?",
        inputs=(InputSpec(dataset=dataset),),
        label=LabelSpec(dataset=dataset, target="returned"),
        features_sql=Path("features.sql"),
        as_of="ordered_at",
        numeric=("amount",),
        estimator="returns.model:build",
    )


def steps(model: ModelSpec, lake: Lake, tracking: Tracking) -> TrainResult:
    pin = pin_training_data(model, "2026-02-01", lake=lake)
    assert_type(pin, TrainingPin)
    assert_type(pin.labels, Pin)
    assert_type(pin.inputs, dict[str, Pin])
    return train(model, pin, lake=lake, tracking=tracking)


def refused(model: ModelSpec, lake: Lake, tracking: Tracking) -> None:
    pin_training_data(model, date(2026, 2, 1), lake=lake)  # type: ignore[arg-type]
    pin_training_data(model, "2026-02-01", lake)  # type: ignore[call-arg]
    train(model, {"as_of": "2026-02-01"}, lake=lake, tracking=tracking)  # type: ignore[arg-type]
    ingest(model.rows, "2026-02-01", lake=lake, token=1)  # type: ignore[call-arg]
    ingest(model.rows, "2026-02-01", source="shop", lake=lake, token=1)  # type: ignore[arg-type]
    SqlSource(query="SELECT 1")  # type: ignore[call-arg]
    model.name = "other"  # type: ignore[misc]
    LabelSpec(dataset=model.rows)  # type: ignore[call-arg]
    InputSpec(dataset=model.rows, look_back=1)  # type: ignore[call-arg]
    build_dags(model)  # type: ignore[call-arg]
    TrainModelOperator(task_id="train", model="returns")  # type: ignore[arg-type]


def evidence(ledger: Ledger) -> None:
    assert_type(ledger.champion("returns"), Champion | None)
    assert_type(ledger.entries(model="returns"), list[LedgerEntry])
    assert_type(ledger.newest("returns", "verdict"), LedgerEntry | None)
    move: dict[str, str] = {"reason": "better"}
    champion = ledger.promote("returns", version="1", generation=0, key="k", evidence=move)
    assert_type(champion, Champion)
    ledger.promote("returns", version="1", key="k", evidence=move)  # type: ignore[call-arg]
    ledger.champion("returns").version  # type: ignore[union-attr]  # noqa: B018


def results(result: IngestResult) -> None:
    assert_type(result.raw.version, int)
    result.query_s = 1.0  # type: ignore[misc]
