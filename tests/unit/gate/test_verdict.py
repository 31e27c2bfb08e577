"""The gate: what it promotes, what it keeps, and when it cannot tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlops_tasks.exceptions import EstimatorError
from mlops_tasks.gate.scores import judge_scores as judge
from mlops_tasks.problem_types.binary.intervals import auc_standard_error
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec

if TYPE_CHECKING:
    from mlops_tasks.gate import Criterion, Verdict
    from mlops_tasks.registry.versions import RegisteredVersion


GATE = GateSpec(n_bootstrap=60, non_inferiority={"log_loss": 0.05})
CHAMPION = RegisteredVersion("m", "4", "run", "models:/m-1", "digest")


def sample(seed: int, *, n: int = 400, skill: float = 1.0, rival_skill: float = 1.0) -> Any:
    """Draw outcomes and two scores that know that much of them, with errors of their own."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=n)
    target = (random.random(n) < 1 / (1 + np.exp(-2 * hidden))).astype(int)

    def scores(skill: float) -> Any:
        return 1 / (1 + np.exp(-(skill * hidden + random.normal(size=n))))

    return target, scores(skill), scores(rival_skill)


def verdict_of(seed: int, gate: GateSpec = GATE, **skills: float) -> Verdict:
    target, scores, rival = sample(seed, **skills)
    return judge(gate, target, scores, rival, CHAMPION, seed=seed)


def asked(verdict: Verdict, name: str, kind: str = "non_inferiority") -> Criterion:
    (found,) = (one for one in verdict.criteria if (one.name, one.kind) == (name, kind))
    return found


def test_a_tie_keeps_the_champion() -> None:
    target, scores, _ = sample(2)
    same = judge(GATE, target, scores, scores.copy(), CHAMPION)
    assert same.verdict == "keep"
    assert same.difference == {"value": 0.0, "lower": 0.0, "upper": 0.0}
    for name in ("roc_auc", "log_loss"):
        gap = asked(same, name)
        assert (gap.answer, gap.value, gap.lower, gap.upper) == ("fine", 0.0, 0.0, 0.0)
    assert same.champion_version == "4"
    assert "not wholly above 0" in same.reason


def test_equal_models_keep_the_champion_nearly_always() -> None:
    """A plain `>` would promote half of them; the interval leaves one in forty."""
    promoted = [verdict_of(seed).verdict == "promote" for seed in range(40)]
    assert sum(promoted) <= 5


def test_a_better_model_is_promoted() -> None:
    gate = GATE.model_copy(update={"non_inferiority": {"log_loss": 1.0}})
    verdicts = [verdict_of(seed, gate, skill=2.0, rival_skill=0.0) for seed in range(10)]
    assert {verdict.verdict for verdict in verdicts} == {"promote"}
    assert all(verdict.difference["lower"] > 0 for verdict in verdicts)
    assert "above 0" in verdicts[0].reason


def test_a_worse_model_is_never_promoted() -> None:
    slightly = [verdict_of(seed, skill=0.7, rival_skill=1.3, n=600) for seed in range(20)]
    assert {verdict.verdict for verdict in slightly} == {"keep"}


def louder(scores: Any, factor: float) -> Any:
    """Keep the order of scores, and be surer of them than is right."""
    return 1 / (1 + ((1 - scores) / scores) ** factor)


def test_a_better_order_with_worse_probabilities_keeps_the_champion() -> None:
    target, scores, rival = sample(5, skill=2.0, rival_skill=0.5)
    verdict = judge(GATE, target, louder(scores, 8), rival, CHAMPION)
    assert verdict.difference["lower"] > 0
    assert verdict.verdict == "keep"
    loss = asked(verdict, "log_loss")
    assert loss.answer == "alarm"
    assert loss.margin == -0.05
    assert loss.upper is not None
    assert loss.upper < -0.05
    assert loss.text in verdict.reason
    assert loss.text.startswith(f"log loss worse by more than 0.05: gain {loss.value:+.4f}, 95% ")


def test_a_log_loss_that_may_be_worse_than_allowed_cannot_be_told() -> None:
    """A point comparison would promote one of these two, and keep the other, by luck."""
    target, scores, rival = sample(5, skill=2.0, rival_skill=0.5)
    gap = asked(judge(GATE, target, louder(scores, 2.5), rival, CHAMPION), "log_loss")
    assert gap.value is not None
    assert gap.lower is not None
    for allowed in (-gap.value - 0.001, -gap.value + 0.001):
        gate = GATE.model_copy(update={"non_inferiority": {"log_loss": max(allowed, 0)}})
        verdict = judge(gate, target, louder(scores, 2.5), rival, CHAMPION)
        assert verdict.verdict == "cannot_tell"
        assert "too few rows to tell whether log loss is worse by more" in verdict.reason
        assert verdict.reason.endswith("; take a larger evaluation window")
    certain = GATE.model_copy(update={"non_inferiority": {"log_loss": -gap.lower}})
    assert judge(certain, target, louder(scores, 2.5), rival, CHAMPION).verdict == "promote"


def test_a_repaired_calibration_at_equal_ranking_is_promoted() -> None:
    """Log loss 1.16 to 0.55 at equal ROC AUC was kept out, and monitoring asked for it each night.

    The challenger ranks all rows as the champion does, so it cannot rank them worse.
    """
    target, scores, _ = sample(3, skill=1.2)
    verdict = judge(GATE, target, scores, louder(scores, 4.5), CHAMPION)
    assert verdict.champion is not None
    assert verdict.champion["log_loss"] > 1.1
    assert verdict.challenger["log_loss"] < 0.6
    assert verdict.challenger["roc_auc"] == verdict.champion["roc_auc"]
    assert verdict.verdict == "promote"
    assert verdict.reason.startswith("log loss better than the champion's by +")
    assert asked(verdict, "roc_auc", "superiority").answer == "alarm"
    assert asked(verdict, "roc_auc").answer == "fine"
    back = judge(GATE, target, louder(scores, 4.5), scores, CHAMPION)
    assert back.verdict == "keep"
    only_ranking = GATE.model_copy(update={"superiority": ()})
    assert judge(only_ranking, target, scores, louder(scores, 4.5), CHAMPION).verdict == "keep"


def test_a_worse_order_keeps_the_champion_whatever_the_log_loss() -> None:
    target, scores, rival = sample(5, skill=0.0, rival_skill=2.0)
    assert judge(GATE, target, scores, rival, CHAMPION).verdict == "keep"


@pytest.mark.parametrize("n_few", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("rival", [False, True])
def test_too_few_rows_of_a_class_are_not_judged(n_few: int, label: int, rival: bool) -> None:
    target = np.repeat([label, 1 - label], [n_few, 400])
    scores = np.where(target == 1, 0.9, 0.1)  # as good as can be
    verdict = judge(GATE, target, scores, 1 - scores if rival else None, CHAMPION)
    assert verdict.verdict == "cannot_tell"
    n_positive = n_few if label else 400
    assert verdict.reason.startswith(
        f"{n_positive} positive and {400 + n_few - n_positive} negative rows are too few to tell"
    )
    assert "at least 10 of each (min_class_rows)" in verdict.reason
    assert verdict.challenger["roc_auc"] == 1.0
    assert verdict.difference["value"] == (1.0 if rival else 0.5), "a constant ranks half of them"


def test_enough_rows_of_both_classes_are_judged() -> None:
    target = np.repeat([1, 0], [10, 400])
    scores = np.where(target == 1, 0.9, 0.1)
    assert judge(GATE, target, scores, None).verdict == "promote"
    wants_more = GATE.model_copy(update={"min_class_rows": 11})
    assert judge(wants_more, target, scores, None).verdict == "cannot_tell"


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_cannot_be_judged(label: int) -> None:
    target, scores = np.full(50, label), np.linspace(0, 1, 50)
    verdict = judge(GATE, target, scores, scores, CHAMPION)
    assert verdict.verdict == "cannot_tell"
    assert verdict.difference == {}
    assert asked(verdict, "roc_auc", "superiority").answer == "cannot tell"
    assert "roc_auc" not in verdict.challenger
    assert json.loads(json.dumps(to_json(verdict), allow_nan=False)) == to_json(verdict)


@pytest.mark.parametrize("n_positive", [10, 50])
@pytest.mark.parametrize("champion", [False, True])
def test_useless_models_are_promoted_at_the_stated_rate_at_most(
    n_positive: int, champion: bool
) -> None:
    gate = GateSpec(n_bootstrap=100, non_inferiority={"log_loss": 10, "roc_auc": 1})
    target = np.repeat([1, 0], [n_positive, 500 - n_positive])
    draws = np.random.default_rng(n_positive).random((60, 2, 500)) * 0.01
    promoted = sum(
        judge(gate, target, ours, theirs if champion else None).verdict == "promote"
        for ours, theirs in draws
    )
    assert promoted <= 5, "at 2.5 % more than 5 of 60 happen once in 200 trials"


def test_the_stated_confidence_is_two_sided() -> None:
    """One model whose lower bound lies between those of a two-sided and of a one-sided 95 %."""
    target, scores, _ = sample(3, n=2000, skill=1.0)
    gate = GateSpec(n_bootstrap=2000, min_value=0.5)
    found = judge(gate, target, scores, None)
    value, lower = found.difference["value"], found.difference["lower"]
    error = auc_standard_error(value, int(target.sum()), int(2000 - target.sum()))
    floor = value - 1.8 * error
    assert lower < floor
    assert judge(gate.model_copy(update={"min_value": floor}), target, scores, None).verdict == (
        "keep"
    )
    floor = value - 2.2 * error
    assert judge(gate.model_copy(update={"min_value": floor}), target, scores, None).verdict == (
        "promote"
    )


@pytest.mark.parametrize("whose", ["challenger", "champion"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_scores_that_are_no_probabilities_are_refused(whose: str, wrong: float) -> None:
    target, scores, rival = sample(1)
    (scores if whose == "challenger" else rival)[7] = wrong
    with pytest.raises(EstimatorError, match=f"the {whose}: 1 of 400 scores .* in row 7"):
        judge(GATE, target, scores, rival, CHAMPION)


@pytest.mark.parametrize(("skill", "verdict"), [(2.0, "promote"), (0.0, "keep")])
def test_a_first_champion_must_be_better_than_its_floor(skill: float, verdict: str) -> None:
    target, scores, _ = sample(6, skill=skill)
    found = judge(GATE, target, scores, None)
    assert found.verdict == verdict
    assert (found.champion, found.champion_version) == (None, None)
    high = judge(GATE.model_copy(update={"min_value": 0.99}), target, scores, None)
    assert high.verdict == "keep"
    assert "not wholly above 0.99" in high.reason


def test_a_verdict_is_plain_json() -> None:
    verdict = to_json(verdict_of(1))
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert verdict["n_rows"] == 400
