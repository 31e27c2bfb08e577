"""The metric that a model is judged by: of its problem type, of its gate, or of its costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan, judge
from mlops_tasks.problem_types import Outcomes, gate_metric
from mlops_tasks.specs import GateSpec
from tests.unit.orders import project, project_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("kind", "metric"), [("regression", "mae"), ("multiclass", "log_loss"), ("binary", "roc_auc")]
)
def test_each_problem_type_has_one(tmp_path: Path, kind: str, metric: str) -> None:
    spec = project(tmp_path) if kind == "binary" else project_of(tmp_path, kind)
    assert gate_metric(spec).name == metric


def test_a_metric_of_another_type_is_refused(tmp_path: Path) -> None:
    spec = project(tmp_path, gate=GateSpec(metric="mae"))
    with pytest.raises(SpecError, match=r"'mae' is no metric of binary \(it is one of"):
        gate_metric(spec)


COSTS: dict[str, Any] = {"false_alarm": 1, "miss": 19}


def test_costs_set_the_threshold_and_are_a_metric(tmp_path: Path) -> None:
    spec = project(tmp_path, costs=COSTS, gate=GateSpec(metric="expected_cost", n_bootstrap=60))
    assert spec.threshold == 0.05
    target = np.repeat([1, 0], [20, 80])
    careful = Outcomes(target, np.where(target == 1, 0.06, 0.04), threshold=spec.threshold)
    careless = Outcomes(target, np.full(100, 0.04), threshold=spec.threshold)
    verdict = judge(GatePlan.of(spec), careful, careless)
    assert (verdict.verdict, verdict.metric) == ("promote", "expected_cost")
    assert verdict.challenger["expected_cost"] == 0
    assert (verdict.champion or {})["expected_cost"] == pytest.approx(19 * 0.2)
    assert verdict.difference["value"] == pytest.approx(3.8)


def test_a_threshold_that_is_given_stays(tmp_path: Path) -> None:
    assert project(tmp_path, costs=COSTS, threshold=0.3).threshold == 0.3
    assert project(tmp_path).threshold == 0.5


@pytest.mark.parametrize(
    ("costs", "match"),
    [({"miss": 2}, "false_alarm and miss, both"), ({"yes": {"no": 1}}, "costs name no class")],
)
def test_costs_that_are_none_are_refused(tmp_path: Path, costs: dict[str, Any], match: str) -> None:
    spec = project(tmp_path, costs=costs, gate=GateSpec(metric="expected_cost"))
    with pytest.raises(SpecError, match=match):
        gate_metric(spec)
