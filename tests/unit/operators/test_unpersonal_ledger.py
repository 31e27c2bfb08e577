"""No value of a person enters the ledger, not even of features that the model is trained on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.monitor import MeasureDriftOperator, MeasurePerformanceOperator
from mlops_airflow.operators.pack import MakeEvidencePackOperator
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.release import ReleaseModelOperator, RequestReleaseOperator
from mlops_airflow.operators.rollback import RollbackModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.smoke_test import SmokeTestModelOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.releases import Answer, request_of
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec, HistorySpec, InputSpec, LabelSpec
from mlops_tasks.specs.history import CategoryGrowthSpec
from mlops_tasks.steps.promote_manually import promote_manually
from tests.unit.operators.test_personal import run, take
from tests.unit.orders import (
    day,
    deliveries_dataset,
    of_day,
    orders_dataset,
    project,
    traffic_dataset,
    write_suite,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from tests.unit.orders import Source

# Not as words of this file, which lies in the project that a training packs.
BIRD = "".join(("distel", "fink"))
#: Every distance begins like this: a mean, a limit or a quantile of them would, too.
METRES = 48_151_623.0
CANARIES = (BIRD, str(int(METRES)), "4.815", "4.82e")
N_DAYS = 9


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """A category and a number of people as features, slices and fairness by the category."""
    folder = tmp_path / "project"
    folder.mkdir()
    suite = [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "max_value": 1},
            "severity": "warning",
        },
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "shop", "regex": f"^{BIRD}-[^q]*$"},
        },
        {
            "type": "expect_column_mean_to_be_between",
            "kwargs": {"column": "distance", "max_value": 1},
            "severity": "warning",
        },
        {
            "type": "expect_column_distinct_values_to_be_in_set",
            "kwargs": {"column": "shop", "value_set": ["nobody"]},
            "severity": "warning",
        },
    ]
    columns = "order_id, ordered_at, zone, shop, items, distance, express"
    orders = orders_dataset(
        folder,
        source=of_day("orders", "order_date", columns),
        subject="order_id",
        personal=("shop", "distance"),
        expectations=write_suite(folder, "people", suite),
        max_quarantined_share=0.5,
        history=HistorySpec(
            min_partitions=1, categories=CategoryGrowthSpec(columns=("shop",), max_new=0)
        ),
    )
    return project(
        folder,
        inputs=(
            InputSpec(dataset=orders),
            InputSpec(dataset=traffic_dataset(folder), lookback="1d"),
        ),
        label=LabelSpec(
            dataset=deliveries_dataset(folder, subject="order_id"), target="minutes_late > 10"
        ),
        gate=GateSpec(
            n_bootstrap=50,
            slices={"shop": "shop", "far": f"distance > {METRES + 9}"},
            min_slice_rows=10,
            fairness={"shop": {"error_gap": 0.9}},
        ),
        allow_leak_suspects=("distance",),
    )


@pytest.fixture
def source(empty_stack: Any) -> Source:
    """Shops and distances of people; the distance knows the label."""
    source: Source = empty_stack[3]
    for number in range(N_DAYS):
        source.add(number)
    source.run(
        f"UPDATE orders SET shop = '{BIRD}-' || shop",
        f"UPDATE orders SET distance = {METRES} + coalesce((SELECT max(0, minutes_late) / 4 FROM"
        " deliveries WHERE deliveries.order_id = orders.order_id), 0)",
        f"UPDATE orders SET shop = '{BIRD}-new' WHERE order_date >= '{day(N_DAYS - 3)}'",
        f"UPDATE orders SET shop = '{BIRD}-q' WHERE rowid % 40 = 0",
    )
    return source


def texts_of(path: Path) -> list[str]:
    """Return every statement that would write the whole database anew, all tables and columns."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.slow
def test_no_value_of_a_person_enters_the_ledger(
    spec: ModelSpec, source: Source, empty_stack: Any, tmp_path: Path
) -> None:
    _, ledger, tracking, _ = empty_stack
    shown: list[str] = []
    for number in range(N_DAYS):
        for dataset in spec.datasets:
            take(dataset, day(number), shown)
    night = day(N_DAYS - 1)
    pin = run(PinTrainingDataOperator(task_id="pin", model=spec), night, shown)

    def train(spec: ModelSpec) -> Any:
        trained = run(TrainModelOperator(task_id="train", model=spec, pin=pin), night, shown)
        evaluate = EvaluateModelOperator(task_id="evaluate", model=spec, pin=pin, trained=trained)
        verdict = run(evaluate, night, shown)
        about = {"model": spec, "verdict": verdict}
        register = RegisterModelOperator(task_id="register", trained=trained, **about)
        registered = run(register, night, shown)
        test = SmokeTestModelOperator(
            task_id="smoke_test", model=spec, pin=pin, registered=registered
        )
        run(test, night, shown)
        request = RequestReleaseOperator(task_id="request", pin=pin, registered=registered, **about)
        return verdict, request

    verdict, request = train(spec)
    assert "distance" in str(verdict["suspects"])
    groups = {one["name"] for one in verdict["criteria"] if one["kind"] in ("slice", "fairness")}
    assert groups, "groups of a personal column were looked at"
    run(request, night, shown)
    asked = request_of(spec.name, "1", ledger=ledger)
    assert asked is not None
    answer = Answer("1", True, "approved by eve", "eve", "fine", asked.evidence)
    ledger.record(model=spec.name, kind=EvidenceKind.APPROVAL, key="1", evidence=to_json(answer))
    promoted = run(ReleaseModelOperator(task_id="promote", model=spec), "1", shown)
    pack = MakeEvidencePackOperator(task_id="pack", model=spec, promoted=promoted)
    run(pack, "1", shown)
    for number in (N_DAYS - 3, N_DAYS - 2, N_DAYS - 1):
        scored = run(ScorePartitionOperator(task_id="score", model=spec), day(number), shown)
        drift = MeasureDriftOperator(task_id="drift", model=spec, scored=scored)
        run(drift, day(number), shown)
        run(MeasurePerformanceOperator(task_id="monitor", model=spec), day(number), shown)
    run(DecideRetrainingOperator(task_id="decide", model=spec), night, shown)
    # Of equal inputs there is one version.
    train(spec.model_copy(update={"random_state": spec.random_state + 1}))
    stores: dict[str, Any] = {"tracking": tracking, "ledger": ledger}
    promote_manually(spec.name, "2", reason="to see", by="eve", **stores)
    back = RollbackModelOperator(task_id="rollback", model=spec)
    run(back, night, shown, version="1", reason="the first was right")

    # Rows of the past come again with other values, and rows that no contract allows.
    source.run("UPDATE orders SET distance = distance + 1 WHERE rowid <= 5")
    assert take(spec.rows, day(0), shown)["changes"]["changed"] > 0

    kinds = {entry.kind for entry in ledger.entries(history=True)}
    assert kinds >= {
        *("validation", "pin", "preregistration", "verdict", "registration", "smoke_test"),
        *("release_request", "approval", "promotion", "pack", "drift", "performance"),
        *("labels", "decision", "rollback"),
    }
    texts = texts_of(tmp_path / "ledger.db")
    assert any("shop" in text for text in texts), "what is hidden is named"
    for canary in CANARIES:
        wrong = [text for text in texts if canary in text]
        assert not wrong, (
            canary,
            [one[max(0, one.find(canary) - 300) :][:500] for one in wrong[:2]],
        )
