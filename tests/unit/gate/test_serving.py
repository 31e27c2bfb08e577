"""What a model costs when it serves, as criteria of the gate."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan, conclude
from mlops_tasks.gate.criteria import Criterion
from mlops_tasks.gate.latency import Latency
from mlops_tasks.gate.serving import latency_criterion, size_criterion
from mlops_tasks.specs import GateSpec

BETTER = Criterion("roc_auc", "superiority", "fine", "it is better", 0.1, 0.05, 0.15, 0.0)


def plan(**fields: Any) -> GatePlan:
    return GatePlan.make(GateSpec(**fields), "binary")


@pytest.mark.parametrize(
    ("p99", "least", "answer", "said", "verdict"),
    [
        (8.0, 7.0, "fine", "within 100 ms", "promote"),
        (250.0, 8.0, "cannot tell", "the machine was too busy to tell", "promote"),
        (250.0, 180.0, "alarm", "above 100 ms even in the calmest fifth", "keep"),
    ],
)
def test_only_a_slow_model_is_kept_out_for_its_latency(
    p99: float, least: float, answer: str, said: str, verdict: str
) -> None:
    found = latency_criterion(plan(), Latency(60, 5.0, p99, 400.0, least, 1000, 20.0), 100)
    assert (found.answer, found.margin, found.failing) == (answer, 100, "veto")
    assert said in found.text
    assert (found.lower, found.value) == (least, p99)
    assert conclude([BETTER, found])[0] == verdict


def test_a_person_may_be_asked_instead() -> None:
    slow = Latency(60, 150.0, 250.0, 400.0, 180.0, 1000, 20.0)
    found = latency_criterion(plan(ask_on=("latency",)), slow, 100)
    assert conclude([BETTER, found])[0] == "ask"


def test_a_size_without_a_limit_decides_nothing() -> None:
    found = size_criterion(plan(), 12_345_678, None)
    assert (found.answer, found.failing, found.margin) == ("fine", "report", None)
    assert found.text == "the files of the model have 12.3 MB"
    assert conclude([BETTER, found])[0] == "promote"


@pytest.mark.parametrize(("limit", "verdict"), [(12.5, "promote"), (12.3, "keep")])
def test_a_limit_of_the_size_is_kept(limit: float, verdict: str) -> None:
    found = size_criterion(plan(max_model_mb=limit), 12_345_678, limit)
    assert conclude([BETTER, found])[0] == verdict
    assert f"{'within' if verdict == 'promote' else 'above'} {limit:g} MB" in found.text


@pytest.mark.parametrize("fields", [{"max_latency_ms": 0}, {"max_model_mb": -1}])
def test_limits_are_above_zero(fields: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        GateSpec(**fields)
