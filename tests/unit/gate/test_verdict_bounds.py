"""The gate at its bounds: what is just reached, and what is just passed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_tasks.gate import comparisons
from mlops_tasks.gate.scores import judge_scores
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics import Interval, compare, find_metric, measure
from mlops_tasks.problem_types.metrics.estimate import UNKNOWN, Estimate
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec

GATE = GateSpec(n_bootstrap=60, min_value=0.6, non_inferiority={"log_loss": 0.05})
CHAMPION = RegisteredVersion("m", "4", "run", "models:/m-1", "digest")
TINY = 1e-9
SURE, UNSURE = (0.2, TINY, 0.3), (0.2, 0.0, 0.3)


class Known(Estimate):
    """An interval that is the same at every confidence; its lower bound is what is sure."""

    def __init__(self, *bounds: float) -> None:
        self.found, self.value = Interval(*bounds), bounds[0]

    def interval(self, confidence: float) -> Interval:
        self.confidence = confidence
        return self.found

    def level(self, floor: float) -> float:
        return 0.001 if self.found.lower > floor else 0.4

    def flipped(self) -> Estimate:
        raise NotImplementedError


def weighed(
    monkeypatch: pytest.MonkeyPatch,
    value: Estimate | None = None,
    *,
    gains: dict[str, Estimate] | None = None,
    gate: GateSpec = GATE,
) -> tuple[str, str]:
    """Judge rows of which these intervals are known; with gains there is a champion."""

    def known(metric: Any, *_: Any, **__: Any) -> Any:
        return value if gains is None else gains[metric.name]

    monkeypatch.setattr(comparisons, "estimate", known)
    target = np.repeat([0, 1], 10)
    verdict = judge_scores(gate, target, target * 0.5, None if gains is None else target * 0.4)
    return verdict.verdict, verdict.reason


@pytest.mark.parametrize(
    ("gain", "loss", "verdict", "told"),
    [
        (SURE, (-0.05, 0.2), "promote", "not worse by more than 0.05"),
        (SURE, (-0.05 - TINY, 0.2), "cannot_tell", "too few rows to tell whether"),
        (SURE, (-0.2, -0.05), "cannot_tell", "too few rows to tell whether"),
        (SURE, (-0.2, -0.05 - TINY), "keep", "log loss worse by more than 0.05"),
        (UNSURE, (-0.05, 0.0), "keep", "not better"),
        (UNSURE, (-0.2, 0.0), "keep", "not better"),
        (UNSURE, (-0.2, -0.05 - TINY), "keep", "log loss worse by more than 0.05"),
    ],
)
def test_a_bound_that_is_just_reached_and_one_that_is_just_passed(
    monkeypatch: pytest.MonkeyPatch,
    gain: tuple[float, float, float],
    loss: tuple[float, float],
    verdict: str,
    told: str,
) -> None:
    gains: dict[str, Estimate] = {"roc_auc": Known(*gain), "log_loss": Known(-0.04, *loss)}
    given, reason = weighed(monkeypatch, gains=gains)
    assert given == verdict
    where = "above 0" if gain is SURE else "not wholly above 0"
    expected = (
        f"ROC AUC better than the champion's by +0.2000, 97.5% interval +0.0000 to +0.3000, {where}"
    )
    assert reason.startswith(expected)
    if verdict != "promote" and told != "not better":
        assert told in reason
        assert f"-0.0400, 95% interval {loss[0]:+.4f} to {loss[1]:+.4f}" in reason
    if verdict == "promote":
        assert reason == f"{expected}; within all limits: 1 of non-inferiority"


@pytest.mark.parametrize(
    ("lower", "verdict", "above"),
    [(0.6, "keep", "not wholly above"), (0.6 + TINY, "promote", "above")],
)
def test_a_first_champion_that_just_reaches_its_floor_is_none(
    monkeypatch: pytest.MonkeyPatch, lower: float, verdict: str, above: str
) -> None:
    assert weighed(monkeypatch, Known(0.7, lower, 0.8)) == (
        verdict,
        f"ROC AUC +0.7000, 95% interval +0.6000 to +0.8000, {above} 0.6",
    )


@pytest.mark.parametrize(
    ("upper", "verdict", "below"),
    [(0.6, "keep", "not wholly below"), (0.6 - TINY, "promote", "below")],
)
def test_a_floor_of_a_loss_is_a_ceiling(
    monkeypatch: pytest.MonkeyPatch, upper: float, verdict: str, below: str
) -> None:
    gate = GATE.model_copy(update={"metric": "log_loss"})
    assert weighed(monkeypatch, Known(0.5, 0.4, upper), gate=gate) == (
        verdict,
        f"log loss +0.5000, 95% interval +0.4000 to +0.6000, {below} 0.6",
    )


def test_a_metric_that_is_the_guard_itself_is_not_weighed_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = GateSpec(n_bootstrap=60, metric="log_loss")
    for gain, verdict in ((SURE, "promote"), (UNSURE, "keep")):
        gains: dict[str, Estimate] = {"log_loss": Known(*gain)}
        given, reason = weighed(monkeypatch, gains=gains, gate=gate)
        assert given == verdict
        assert reason.startswith("log loss better than the champion's by +0.2000, 95% interval")


def test_a_metric_that_is_not_defined_on_the_rows_cannot_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict, reason = weighed(monkeypatch, UNKNOWN)
    assert verdict == "cannot_tell"
    assert reason.startswith("ROC AUC is not defined on these 20 rows, it needs ")
    assert reason.endswith("; take a larger evaluation window")
    undefined: dict[str, Estimate] = {"roc_auc": Known(*SURE), "log_loss": UNKNOWN}
    verdict, reason = weighed(monkeypatch, gains=undefined)
    assert verdict == "cannot_tell"
    assert "log loss is not defined on these 20 rows" in reason


def test_each_metric_of_the_set_has_the_level_of_holm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two has the whole level once the first one is shown."""
    gains = {"roc_auc": Known(*SURE), "log_loss": Known(*SURE)}
    assert weighed(monkeypatch, gains=dict(gains))[0] == "promote"
    assert [one.confidence for one in gains.values()] == pytest.approx([0.975, 0.95])
    gains = {"roc_auc": Known(*UNSURE), "log_loss": Known(*UNSURE)}
    gate = GATE.model_copy(update={"superiority": ("log_loss",)})
    weighed(monkeypatch, gains=dict(gains), gate=gate)
    assert [one.confidence for one in gains.values()] == pytest.approx([0.95, 0.95])


def test_what_the_gate_says_is_what_the_comparison_found() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [200, 100]), random.random(300)
    rival = random.random(300)
    gate = GateSpec(n_bootstrap=90, confidence=0.9, superiority=(), non_inferiority={"log_loss": 9})
    settings: dict[str, Any] = {"confidence": 0.9, "n_bootstrap": 90}
    auc, loss = (find_metric(name, "binary") for name in ("roc_auc", "log_loss"))
    ours, theirs = Outcomes(target, scores), Outcomes(target, rival)
    verdict = judge_scores(gate, target, scores, rival, CHAMPION, seed=3)
    assert verdict.metric == "roc_auc"
    assert verdict.difference == to_json(compare(auc, ours, theirs, **settings, seed=3))
    better = compare(loss, ours, theirs, **settings, seed=3)
    auc_gain, loss_gain = verdict.criteria[0], verdict.criteria[-1]
    assert (auc_gain.kind, loss_gain.kind) == ("superiority", "non_inferiority")
    assert Interval(*(getattr(loss_gain, one) for one in ("value", "lower", "upper"))) == better
    assert (loss_gain.margin, loss_gain.confidence, loss_gain.n_rows) == (-9, 0.9, 300)
    found = measure(auc, ours, **settings, seed=3)
    bounds = {"roc_auc_lower": found.lower, "roc_auc_upper": found.upper}
    names = ("roc_auc", "average_precision", "log_loss", "brier")
    for given, outcomes, more in (
        (verdict.challenger, ours, bounds),
        (verdict.champion, theirs, {}),
    ):
        means = {"mean_score": outcomes.y_pred.mean(), "y_share": 1 / 3}
        values = {name: find_metric(name, "binary").value(outcomes) for name in names}
        assert given == pytest.approx(values | means | more)
    assert (verdict.n_rows, verdict.champion_version) == (300, "4")
    first = judge_scores(gate, target, scores, None)
    share = Outcomes(target, np.full(300, 1 / 3))
    assert first.difference == to_json(compare(auc, ours, share, **settings))
    assert [one.kind for one in first.criteria] == ["floor"]


def test_the_seed_is_that_which_is_given_and_none_by_default() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [50, 50]), random.random(100)
    default = judge_scores(GATE, target, scores, None)
    assert default == judge_scores(GATE, target, scores, None, seed=0)
    assert default != judge_scores(GATE, target, scores, None, seed=1)


@pytest.mark.parametrize(("n_positive", "n_negative"), [(9, 40), (40, 9)])
def test_one_row_too_few_of_a_class(n_positive: int, n_negative: int) -> None:
    target = np.repeat([1, 0], [n_positive, n_negative])
    assert judge_scores(GATE, target, target * 1.0, None).reason == (
        f"{n_positive} positive and {n_negative} negative rows are too few to tell; the gate "
        "needs at least 10 of each (min_class_rows), take a larger evaluation window"
    )
