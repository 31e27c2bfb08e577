"""What tasks say through Airflow's metrics: every answer is counted, and no number is made up."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_airflow import metrics
from mlops_tasks.monitoring import Check, MonitorResult
from mlops_tasks.policy import Absence
from mlops_tasks.steps.decide import Grounds, RetrainDecision


class Heard:
    """Stands for Airflow's metrics and keeps what they were told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float, dict[str, str]]] = []

    def incr(self, name: str, *, tags: dict[str, str]) -> None:
        self.said.append((name, 1, tags))

    def gauge(self, name: str, value: float, *, tags: dict[str, str]) -> None:
        self.said.append((name, value, tags))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    found = Heard()
    monkeypatch.setattr(metrics, "stats", found)
    return found


def test_airflow_takes_them_as_they_are_said() -> None:
    """The real functions, which go nowhere here: names and arguments are theirs."""
    decision = RetrainDecision(False, "none", "all quiet")
    metrics.count_decision("m", decision)
    metrics.gauge_measurement("m", "drift", MonitorResult("1", "1", 9, "1", ()))


def test_a_decision_is_counted_by_its_answer_with_what_is_absent(heard: Heard) -> None:
    absence = Absence("scored", "m", ("1", "2"), "1", True, 9, "2 days are not scored", "look")
    decision = RetrainDecision(False, "cannot_tell", "gone", Grounds(absences=(absence,)))
    metrics.count_decision("m", decision)
    tags = {"model": "m", "answer": "cannot_tell", "cause": "cannot_tell"}
    assert heard.said[0] == ("mlops.decisions", 1, tags)
    gauges = {tags["what"]: value for name, value, tags in heard.said[1:]}
    assert gauges == {"ingested": 0, "published": 0, "labelled": 0, "scored": 2, "monitored": 0}


@pytest.mark.parametrize(
    ("value", "alarm", "answer"),
    [(0.7, False, "fine"), (0.5, True, "alarm"), (None, False, "cannot_tell")],
)
def test_what_nobody_can_tell_has_no_value(
    heard: Heard, value: float | None, alarm: bool, answer: str
) -> None:
    checks = (Check("roc_auc", value, 0.6, alarm, "ROC AUC"),)
    for kind in ("performance", "drift", "labels"):
        metrics.gauge_measurement("m", kind, MonitorResult("1", "1", 9, "1", checks))
    counted = [tags for name, _, tags in heard.said if name == "mlops.measurements"]
    kinds = ("performance", "drift", "labels")
    assert counted == [{"model": "m", "kind": kind, "answer": answer} for kind in kinds]
    values: dict[str, Any] = {name: one for name, one, _ in heard.said}
    told = {"mlops.performance": value, "mlops.drift": int(alarm)}
    expected = told if value is not None else {}
    assert {name: values[name] for name in told if name in values} == expected
