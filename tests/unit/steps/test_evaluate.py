from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import log_loss, roc_auc_score

from mlops_tasks.exceptions import EstimatorError, LeakageError
from mlops_tasks.features.sql import feature_frame
from mlops_tasks.features.windows import labelled_rows
from mlops_tasks.intervals import auc_standard_error
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.tracking import IMPORTANCE, SCORE_PROFILES
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec, LabelSpec
from mlops_tasks.steps.evaluate import classification_metrics, evaluate, feature_importance, judge
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.train import train
from tests.unit.orders import build_blind, day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.versions import RegisteredVersion
    from tests.unit.conftest import World

GATE = GateSpec(n_bootstrap=60, max_worse_log_loss=0.05)
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


# --- the numbers


def test_metrics_of_probabilities() -> None:
    target, scores = np.array([0, 1, 1, 0]), np.array([0.2, 0.6, 0.9, 0.7])
    found = classification_metrics(target, scores)
    assert found["roc_auc"] == 0.75
    assert found["log_loss"] == pytest.approx(log_loss(target, scores))
    assert found["brier"] == pytest.approx(np.mean((target - scores) ** 2))
    assert (found["mean_score"], found["y_share"]) == (pytest.approx(0.6), 0.5)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_ranking_but_a_loss(label: int) -> None:
    found = classification_metrics(np.array([label] * 2), np.array([0.2, 0.4]))
    assert set(found) == {"log_loss", "brier", "mean_score", "y_share"}
    assert found["y_share"] == label


# --- the gate


def test_a_tie_keeps_the_champion() -> None:
    target, scores, _ = sample(2)
    same = judge(GATE, target, scores, scores.copy(), CHAMPION)
    assert same.verdict == "keep"
    assert same.difference["value"] == 0.0
    assert same.difference["lower"] < 0 < same.difference["upper"]
    assert same.log_loss_gap == {"value": 0.0, "lower": 0.0, "upper": 0.0}
    assert same.champion_version == "4"
    assert "not wholly above 0" in same.reason


def test_equal_models_keep_the_champion_nearly_always() -> None:
    """A plain `>` would promote half of them; the interval leaves one in forty."""
    promoted = [verdict_of(seed).verdict == "promote" for seed in range(40)]
    assert sum(promoted) <= 5


def test_a_better_model_is_promoted() -> None:
    gate = GATE.model_copy(update={"max_worse_log_loss": 1.0})
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
    gap = verdict.log_loss_gap
    assert gap["lower"] > GATE.max_worse_log_loss
    assert (
        f"log loss worse by {gap['value']:.4f}, interval {gap['lower']:+.4f} to {gap['upper']:+.4f}"
        ", allowed 0.05"
    ) in verdict.reason


def test_a_log_loss_that_may_be_worse_than_allowed_cannot_be_told() -> None:
    """A point comparison would promote one of these two, and keep the other, by luck."""
    target, scores, rival = sample(5, skill=2.0, rival_skill=0.5)
    gap = judge(GATE, target, louder(scores, 2.5), rival, CHAMPION).log_loss_gap
    for allowed in (gap["value"] - 0.001, gap["value"] + 0.001):
        gate = GATE.model_copy(update={"max_worse_log_loss": max(allowed, 0)})
        verdict = judge(gate, target, louder(scores, 2.5), rival, CHAMPION)
        assert verdict.verdict == "cannot_tell"
        assert "too few rows to tell whether it is worse by more" in verdict.reason
    certain = GATE.model_copy(update={"max_worse_log_loss": gap["upper"]})
    assert judge(certain, target, louder(scores, 2.5), rival, CHAMPION).verdict == "promote"


def test_a_worse_order_keeps_the_champion_whatever_the_log_loss() -> None:
    target, scores, rival = sample(5, skill=0.0, rival_skill=2.0)
    assert judge(GATE, target, scores, rival, CHAMPION).verdict == "keep"


# --- few rows


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
    assert verdict.difference["value"] == 1.0


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
    assert (verdict.difference, verdict.log_loss_gap) == ({}, {})
    assert "roc_auc" not in verdict.challenger
    assert json.loads(json.dumps(to_json(verdict), allow_nan=False)) == to_json(verdict)


@pytest.mark.parametrize("n_positive", [10, 50])
@pytest.mark.parametrize("champion", [False, True])
def test_useless_models_are_promoted_at_the_stated_rate_at_most(
    n_positive: int, champion: bool
) -> None:
    gate = GateSpec(n_bootstrap=100, max_worse_log_loss=10)
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
    gate = GateSpec(n_bootstrap=2000)
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


# --- a first champion


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


# --- on the pinned window


def test_the_first_verdict_is_about_the_later_window(world: World) -> None:
    rows = labelled_rows(world.spec, world.pin, world.pin.evaluation, lake=world.lake)
    model = world.tracking.load(world.trained.model_uri, world.trained.digest)
    scores = model.predict_proba(feature_frame(world.spec, rows))[:, 1]
    assert world.verdict.challenger["roc_auc"] == pytest.approx(
        roc_auc_score(rows.column("y").to_numpy(), scores)
    )
    assert world.verdict.n_rows == rows.num_rows
    assert world.pin.train[1] < world.pin.evaluation[0]


def test_run_and_profile_tell_the_verdict(world: World) -> None:
    run = world.tracking.client.get_run(world.trained.run_id)
    assert run.data.tags["mlops.verdict"] == "promote"
    assert run.data.tags["mlops.evaluation"] == "..".join(world.pin.evaluation)
    assert run.data.metrics["eval_roc_auc"] == world.verdict.challenger["roc_auc"]
    days = unpack_days(world.tracking.read_bytes(world.trained.run_id, SCORE_PROFILES))
    assert sum(profile.n_rows for profile in days.values()) == world.verdict.n_rows
    scores = Profile.merged(days.values()).columns["score"]
    assert scores.mean == pytest.approx(world.verdict.challenger["mean_score"])


def test_a_window_of_one_class_cannot_be_judged(own_world: World) -> None:
    """It is no error: the champion stays, in writing, and the next window is judged."""
    world, label = own_world, own_world.spec.label.dataset
    pin = pin_training_data(world.spec, day(17), lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    never = LabelSpec(dataset=label, positive="minutes_late > 1e9")
    spec = world.spec.model_copy(update={"label": never})
    verdict = evaluate(spec, pin, trained, None, lake=world.lake, tracking=world.tracking)
    assert verdict.verdict == "cannot_tell"
    assert verdict.reason.startswith("0 positive and ")
    run = world.tracking.client.get_run(trained.run_id)
    assert run.data.tags["mlops.verdict"] == "cannot_tell"
    assert run.data.tags["mlops.verdict_reason"] == verdict.reason
    assert set(world.tracking.read_json(trained.run_id, IMPORTANCE).values()) == {0.0}
    stores: Any = {"tracking": world.tracking, "ledger": world.ledger}
    version = register(spec.name, trained, verdict, **stores)
    assert not promote(version, verdict, as_of=day(17), **stores)


# --- what the model makes of its features


def test_what_a_model_uses_is_important_and_the_rest_is_not(world: World) -> None:
    found = world.tracking.read_json(world.trained.run_id, IMPORTANCE)
    assert list(found) == list(world.spec.features)
    assert found["items"] < min(found["distance"], found["shop"]) / 4
    assert min(found.values()) >= 0


def test_rare_rows_are_drawn_for_the_importance_of_features() -> None:
    """Of 2,000 rows drawn from all of these most likely none would be positive."""

    class Model(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, *_: Any) -> None:
            raise AssertionError

        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.column_stack([1 - frame["x"], frame["x"]])

    target = np.repeat([0, 1], [50_000, 20])
    frame = pd.DataFrame({"x": target * 0.9, "y": target * 0.5})
    found = feature_importance(Model(), frame, target)
    assert found["x"] > 0.3
    assert found["y"] == 0


def test_importance_needs_both_classes() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert feature_importance(None, frame, np.array([1, 1])) == {"x": 0.0}


# --- champion and challenger


def test_challenger_and_champion_are_judged_on_the_same_rows(
    own_world: World, tmp_path: Path
) -> None:
    """A blind challenger trained as of a later night loses against the champion."""
    world = own_world
    spec = project(tmp_path / "blind", estimator=f"tests.unit.orders:{build_blind.__name__}")
    pin = pin_training_data(spec, day(17), lake=world.lake)
    trained = train(spec, pin, lake=world.lake, tracking=world.tracking)
    verdict = evaluate(spec, pin, trained, world.champion, lake=world.lake, tracking=world.tracking)
    assert verdict.verdict == "keep"
    assert verdict.champion is not None
    assert verdict.champion_version == "1"
    assert verdict.challenger["roc_auc"] == 0.5 < verdict.champion["roc_auc"]
    run = world.tracking.client.get_run(trained.run_id)
    assert run.data.metrics["champion_roc_auc"] == verdict.champion["roc_auc"]
    version = register(spec.name, trained, verdict, tracking=world.tracking, ledger=world.ledger)
    shown = world.tracking.by_version(spec.name, version.version).tags
    assert shown["mlops.verdict"] == "keep"


def test_a_champion_that_has_seen_the_window_is_no_rival(world: World) -> None:
    earlier = replace(world.pin, train=(day(0), day(5)), evaluation=(day(6), day(9)))
    with pytest.raises(LeakageError, match=rf"champion version 1 was trained .* up to {day(9)}"):
        evaluate(
            world.spec,
            earlier,
            world.trained,
            world.champion,
            lake=world.lake,
            tracking=world.tracking,
        )


def test_a_challenger_that_has_seen_the_window_is_refused(world: World) -> None:
    overlapping = replace(world.pin, evaluation=(world.pin.train[1], world.pin.evaluation[1]))
    with pytest.raises(LeakageError, match="the challenger was trained on days up to"):
        evaluate(
            world.spec,
            overlapping,
            world.trained,
            None,
            lake=world.lake,
            tracking=world.tracking,
        )
