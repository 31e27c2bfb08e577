"""The plan of a gate: what it looks at, its digest, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.exceptions import PreregistrationError, SpecError
from mlops_tasks.gate import GatePlan, check_registration
from mlops_tasks.gate.plan import plan_digest, resolved
from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.costs import Costs
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.specs import GateSpec

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

TABLE = Pin("t", "2024-03-01", "2024-03-12", (1,), ("a",), 80, "d")
PIN = TrainingPin(
    "2024-03-16", ("2024-03-01", "2024-03-10"), ("2024-03-11", "2024-03-12"), {}, TABLE
)
TRAINED = TrainResult("run", "model-id", "models:/new", "digest of new", 100, {"y_share": 0.5}, 1.0)


@pytest.mark.parametrize(
    ("kind", "gate", "superiority", "others"),
    [
        ("binary", {}, ["roc_auc", "log_loss"], []),
        ("binary", {"metric": "log_loss"}, ["log_loss"], []),
        ("binary", {"metric": "f2", "superiority": ()}, ["f2"], []),
        ("binary", {"superiority": ("brier", "f1")}, ["roc_auc", "brier", "f1"], []),
        ("binary", {"non_inferiority": {"brier": 0.1}}, ["roc_auc", "log_loss"], ["brier"]),
        ("binary", {"non_inferiority": {"log_loss": 0.1}}, ["roc_auc", "log_loss"], []),
        ("multiclass", {}, ["log_loss"], []),
        ("multiclass", {"metric": "accuracy"}, ["accuracy", "log_loss"], []),
        ("regression", {}, ["mae"], []),
    ],
)
def test_what_is_compared(
    kind: str, gate: dict[str, Any], superiority: list[str], others: list[str]
) -> None:
    plan = GatePlan.make(GateSpec(**gate), kind)
    assert [metric.name for metric in plan.superiority] == superiority
    assert [metric.name for metric in plan.others] == others
    assert list(plan.margins) == superiority + others
    assert plan.metric.name == superiority[0]
    assert plan.metrics == (*plan.superiority, *plan.others)


def test_margins() -> None:
    gate = GateSpec(superiority=("brier", "log_loss"), non_inferiority={"recall": "5%", "f1": 0.3})
    plan = GatePlan.make(gate, "binary", costs=Costs.of({"false_alarm": 1, "miss": 9}, "binary"))
    assert plan.margins == {
        "roc_auc": 0.02,
        "brier": 0.02,
        "log_loss": 0.01,
        "recall": "5%",
        "f1": 0.3,
        "expected_cost": "2%",
    }
    recall = next(one for one in plan.others if one.name == "recall")
    rows = Outcomes(np.ones(5, np.int64), np.array([0.9, 0.9, 0.9, 0.9, 0.1]))
    assert plan.margin(recall, rows) == pytest.approx(0.04)
    assert plan.margin(plan.metric, rows) == 0.02
    assert resolved("10%", -3.0) == pytest.approx(0.3)
    assert resolved(0.2, -3.0) == 0.2
    of_numbers = GatePlan.make(GateSpec(superiority=("r2", "bias")), "regression")
    assert of_numbers.margins == {"mae": "2%", "r2": "2%", "bias": "2%"}
    one_cost = GateSpec(non_inferiority={"expected_cost": 0.5})
    costs = Costs.of({"false_alarm": 1, "miss": 9}, "binary")
    assert GatePlan.make(one_cost, "binary", costs=costs).margins["expected_cost"] == 0.5


@pytest.mark.parametrize(
    ("gate", "kind", "message"),
    [
        ({"metric": "rocauc"}, "binary", "gate.metric: 'rocauc' is no metric of binary"),
        ({"superiority": ("auc",)}, "binary", "gate.superiority: 'auc' is no metric of binary"),
        ({"non_inferiority": {"mae": 1}}, "binary", "gate.non_inferiority: 'mae' is no metric of"),
        (
            {"slices": ("a",), "fairness": {"a": {"equalized_odds_difference": 0.1}}},
            "regression",
            "which a regression model has not; write error_gap",
        ),
    ],
)
def test_what_does_not_exist_is_refused(gate: dict[str, Any], kind: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        GatePlan.make(GateSpec(**gate), kind)


def test_the_level_and_who_is_asked() -> None:
    plan = GatePlan.make(GateSpec(confidence=0.9, ask_on=("slice", "overfit")), "binary")
    assert plan.level == pytest.approx(0.05)
    asked = {kind: plan.failing(kind) for kind in ("slice", "overfit", "fairness")}
    assert asked == {"slice": "ask", "overfit": "ask", "fairness": "veto"}


def test_a_digest_is_of_all_that_is_planned(spec: ModelSpec) -> None:
    first = GatePlan.of(spec).registration(spec, PIN, TRAINED)
    assert first == GatePlan.of(spec).registration(spec, PIN, TRAINED)
    assert first["digest"] == plan_digest(first)
    assert first["pins"] == {"t": "d"}
    assert first["evaluation"] == {"first": "2024-03-11", "last": "2024-03-12"}
    assert first["challenger"] == {"run_id": "run", "digest": "digest of new"}
    digests = {first["digest"]}
    for pin in (
        replace(PIN, labels=replace(TABLE, digest="e")),
        replace(PIN, evaluation=("2024-03-11", "2024-03-11")),
        replace(PIN, as_of="2024-03-17"),
    ):
        digests.add(GatePlan.of(spec).registration(spec, pin, TRAINED)["digest"])
    for gate in (
        {"slices": ("origin",)},
        {"confidence": 0.9},
        {"superiority": ()},
        {"non_inferiority": {"log_loss": 0.011}},
        {"approval": "always"},
    ):
        other = spec.model_copy(update={"gate": GateSpec(**gate)})
        digests.add(GatePlan.of(other).registration(other, PIN, TRAINED)["digest"])
    seeded = spec.model_copy(update={"random_state": spec.random_state + 1})
    digests.add(GatePlan.of(seeded).registration(seeded, PIN, TRAINED)["digest"])
    retrained = replace(TRAINED, digest="digest of another")
    digests.add(GatePlan.of(spec).registration(spec, PIN, retrained)["digest"])
    assert len(digests) == 11


def test_another_plan_than_registered_is_refused_and_named(spec: ModelSpec) -> None:
    first = GatePlan.of(spec).registration(spec, PIN, TRAINED)
    check_registration(first, first)
    softer = spec.model_copy(update={"gate": GateSpec(non_inferiority={"log_loss": 9})})
    changed = GatePlan.of(softer).registration(softer, PIN, TRAINED)
    with pytest.raises(PreregistrationError) as error:
        check_registration(changed, first)
    assert "gate, margins differs" in str(error.value)
    assert first["digest"][:12] in str(error.value)
    assert "clear the task train" in str(error.value)


@pytest.mark.parametrize("registered", [{}, {"digest": "forged"}])
def test_an_entry_that_is_not_what_it_says_is_refused(
    spec: ModelSpec, registered: dict[str, Any]
) -> None:
    first = GatePlan.of(spec).registration(spec, PIN, TRAINED)
    with pytest.raises(PreregistrationError):
        check_registration(first, registered)
    with pytest.raises(PreregistrationError, match="the entry of the ledger differs"):
        check_registration(first | {"digest": "forged"}, first | {"digest": "forged"})
