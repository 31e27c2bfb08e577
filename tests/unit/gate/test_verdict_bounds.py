"""The gate at its bounds: what just passes and what just does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.gate import judge
from mlops_tasks.gate import verdict as gate_verdict
from mlops_tasks.problem_types.binary.intervals import Comparison, Interval, compare_scores
from mlops_tasks.problem_types.binary.metrics import classification_metrics
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


def weighed(monkeypatch: pytest.MonkeyPatch, found: Comparison) -> tuple[str, str]:
    monkeypatch.setattr(gate_verdict, "compare_scores", lambda *_, **__: found)
    target = np.repeat([0, 1], 10)
    verdict = judge(GATE, target, target * 0.5, None)
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
        (SURE, None, "promote", ""),
        (UNSURE, None, "keep", ""),
    ],
)
def test_a_bound_that_is_just_reached_and_one_that_is_just_passed(
    monkeypatch: pytest.MonkeyPatch,
    gain: Interval,
    loss: tuple[float, float] | None,
    verdict: str,
    told: str,
) -> None:
    gap = None if loss is None else Interval(0.04, *loss)
    found = Comparison(Interval(0.9, 0.8, 1.0), auc_gain=gain, log_loss_gap=gap)
    given, reason = weighed(monkeypatch, found)
    assert given == verdict
    above = "above" if gain is SURE else "not wholly above"
    expected = (
        f"difference in ROC AUC to the champion +0.2000, 95% interval +0.0000 to +0.3000, {above} 0"
    )
    if loss is not None and told:
        between = f"interval {loss[0]:+.4f} to {loss[1]:+.4f}, allowed 0.05"
        expected += {
            "worse by": f"; log loss worse by 0.0400, {between}",
            "differs": f"; log loss differs by +0.0400, {between}: too few rows to tell whether "
            "it is worse by more, take a larger evaluation_days",
        }[told]
    assert reason == expected


@pytest.mark.parametrize(
    ("lower", "verdict", "above"),
    [(0.6, "keep", "not wholly above"), (0.6 + TINY, "promote", "above")],
)
def test_a_first_champion_that_just_reaches_its_floor_is_none(
    monkeypatch: pytest.MonkeyPatch, lower: float, verdict: str, above: str
) -> None:
    found = Comparison(Interval(0.7, lower, 0.8))
    assert weighed(monkeypatch, found) == (
        verdict,
        f"ROC AUC +0.7000, 95% interval +0.6000 to +0.8000, {above} 0.6",
    )


def test_what_the_gate_says_is_what_the_comparison_found() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [200, 100]), random.random(300)
    rival = random.random(300)
    gate = GateSpec(n_bootstrap=90, confidence=0.9)
    settings: dict[str, Any] = {"confidence": 0.9, "n_bootstrap": 90}
    found = compare_scores(target, scores, rival, **settings, seed=3)
    assert found.auc_gain is not None
    assert found.log_loss_gap is not None
    verdict = judge(gate, target, scores, rival, CHAMPION, seed=3)
    assert verdict.difference == to_json(found.auc_gain)
    assert verdict.log_loss_gap == to_json(found.log_loss_gap)
    bounds = {"roc_auc_lower": found.roc_auc.lower, "roc_auc_upper": found.roc_auc.upper}
    assert verdict.challenger == classification_metrics(target, scores) | bounds
    assert verdict.champion == classification_metrics(target, rival)
    assert (verdict.n_rows, verdict.champion_version) == (300, "4")
    first = judge(gate, target, scores, None)
    assert first.difference == to_json(compare_scores(target, scores, **settings).roc_auc)
    assert first.log_loss_gap == {}


def test_the_seed_is_that_which_is_given_and_none_by_default() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [50, 50]), random.random(100)
    default = judge(GATE, target, scores, None)
    assert default == judge(GATE, target, scores, None, seed=0)
    assert default != judge(GATE, target, scores, None, seed=1)


@pytest.mark.parametrize(("n_positive", "n_negative"), [(9, 40), (40, 9)])
def test_one_row_too_few_of_a_class(n_positive: int, n_negative: int) -> None:
    target = np.repeat([1, 0], [n_positive, n_negative])
    assert judge(GATE, target, target * 1.0, None).reason == (
        f"{n_positive} positive and {n_negative} negative rows are too few to tell; the gate "
        "needs at least 10 of each (min_class_rows), take a larger evaluation_days"
    )
