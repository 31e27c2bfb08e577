"""The gate at its bounds: what just passes and what just does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.gate import verdict as gate_verdict
from mlops_tasks.gate.scores import judge_scores
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics import Interval, compare, find_metric, measure
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec

if TYPE_CHECKING:
    pass


GATE = GateSpec(n_bootstrap=60, min_value=0.6, max_worse_log_loss=0.05)
CHAMPION = RegisteredVersion("m", "4", "r4", "models:/m-4", "digest of 4")
TINY = 1e-9
SURE = Interval(0.2, TINY, 0.3)
UNSURE = Interval(0.2, 0.0, 0.3)
FINE = Interval(0.9, 0.8, 1.0)


def weighed(
    monkeypatch: pytest.MonkeyPatch,
    value: Interval = FINE,
    gains: dict[str, Interval] | None = None,
    *,
    gate: GateSpec = GATE,
) -> tuple[str, str]:
    """Judge rows of which these intervals are known; with gains there is a champion."""
    monkeypatch.setattr(gate_verdict, "measure", lambda *_, **__: value)
    monkeypatch.setattr(gate_verdict, "compare", lambda metric, *_, **__: gains[metric.name])
    target = np.repeat([0, 1], 10)
    verdict = judge_scores(gate, target, target * 0.5, None if gains is None else target * 0.4)
    return verdict.verdict, verdict.reason


@pytest.mark.parametrize(
    ("gain", "loss", "verdict", "told"),
    [
        (SURE, (-0.2, 0.05), "promote", ""),
        (SURE, (-0.2, 0.05 + TINY), "cannot_tell", "differs"),
        (SURE, (0.05, 0.2), "cannot_tell", "differs"),
        (SURE, (0.05 + TINY, 0.2), "keep", "worse by"),
        (UNSURE, (-0.2, 0.05), "keep", ""),
        (UNSURE, (-0.2, 0.2), "keep", ""),
        (UNSURE, (0.05, 0.2), "keep", ""),
        (UNSURE, (0.05 + TINY, 0.2), "keep", "worse by"),
    ],
)
def test_a_bound_that_is_just_reached_and_one_that_is_just_passed(
    monkeypatch: pytest.MonkeyPatch,
    gain: Interval,
    loss: tuple[float, float],
    verdict: str,
    told: str,
) -> None:
    better = Interval(-0.04, -loss[1], -loss[0])
    given, reason = weighed(monkeypatch, gains={"roc_auc": gain, "log_loss": better})
    assert given == verdict
    above = "above" if gain is SURE else "not wholly above"
    expected = (
        f"ROC AUC better than the champion's by +0.2000, 95% interval +0.0000 to +0.3000, {above} 0"
    )
    if told:
        between = f"interval {loss[0]:+.4f} to {loss[1]:+.4f}, allowed 0.05"
        expected += {
            "worse by": f"; log loss worse by 0.0400, {between}",
            "differs": f"; log loss differs by +0.0400, {between}: too few rows to tell whether "
            "it is worse by more, take a larger evaluation window",
        }[told]
    assert reason == expected


@pytest.mark.parametrize(
    ("lower", "verdict", "above"),
    [(0.6, "keep", "not wholly above"), (0.6 + TINY, "promote", "above")],
)
def test_a_first_champion_that_just_reaches_its_floor_is_none(
    monkeypatch: pytest.MonkeyPatch, lower: float, verdict: str, above: str
) -> None:
    assert weighed(monkeypatch, Interval(0.7, lower, 0.8)) == (
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
    assert weighed(monkeypatch, Interval(0.5, 0.4, upper), gate=gate) == (
        verdict,
        f"log loss +0.5000, 95% interval +0.4000 to +0.6000, {below} 0.6",
    )


def test_a_metric_that_is_the_guard_itself_is_not_weighed_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = GATE.model_copy(update={"metric": "log_loss"})
    assert weighed(monkeypatch, gains={"log_loss": SURE}, gate=gate)[0] == "promote"
    assert weighed(monkeypatch, gains={"log_loss": UNSURE}, gate=gate)[0] == "keep"


def test_a_metric_that_is_not_defined_on_the_rows_cannot_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = Interval(np.nan, np.nan, np.nan)
    verdict, reason = weighed(monkeypatch, nothing)
    assert verdict == "cannot_tell"
    assert reason.startswith("ROC AUC is not defined on these 20 rows, it needs ")


def test_what_the_gate_says_is_what_the_comparison_found() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [200, 100]), random.random(300)
    rival = random.random(300)
    gate = GateSpec(n_bootstrap=90, confidence=0.9)
    settings: dict[str, Any] = {"confidence": 0.9, "n_bootstrap": 90}
    auc, loss = (find_metric(name, "binary") for name in ("roc_auc", "log_loss"))
    ours, theirs = Outcomes(target, scores), Outcomes(target, rival)
    verdict = judge_scores(gate, target, scores, rival, CHAMPION, seed=3)
    assert verdict.metric == "roc_auc"
    assert verdict.difference == to_json(compare(auc, ours, theirs, **settings, seed=3))
    better = compare(loss, ours, theirs, **settings, seed=3)
    assert verdict.log_loss_gap == {
        "value": -better.value,
        "lower": -better.upper,
        "upper": -better.lower,
    }
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
    assert first.log_loss_gap == {}


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
