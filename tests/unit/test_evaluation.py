from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from mlops_tasks.evaluation import (
    bootstrap_auc,
    classification_metrics,
    evaluate,
    feature_importance,
    judge,
)
from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import feature_frame
from mlops_tasks.profile_store import unpack_days
from mlops_tasks.profiles import Profile
from mlops_tasks.registration import register
from mlops_tasks.spec import GateSpec
from mlops_tasks.tracking import IMPORTANCE, SCORE_PROFILES
from mlops_tasks.training import train
from mlops_tasks.windows import labelled_rows, pin_training_data
from tests.unit.orders import build_blind, day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.types import RegisteredVersion, Verdict
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


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_roc_auc_is_that_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    target = np.array([int(label) for label, _ in rows])
    scores = np.array([value for _, value in rows])
    found = bootstrap_auc(target, scores, gate=GateSpec(n_bootstrap=50))
    assert found.value == pytest.approx(roc_auc_score(target, scores))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_resample_is_judged_as_if_its_rows_were_copied(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target, scores = np.tile([0, 1], 20), generator.integers(0, 9, 40) / 9
    rows = np.random.default_rng(3).integers(0, 40, 40)
    copied = bootstrap_auc(target[rows], scores[rows], gate=GateSpec(n_bootstrap=50)).value
    assert copied == pytest.approx(roc_auc_score(target[rows], scores[rows]))


def test_metrics_of_probabilities() -> None:
    target, scores = np.array([0, 1, 1, 0]), np.array([0.2, 0.6, 0.9, 0.7])
    found = classification_metrics(target, scores)
    assert found["roc_auc"] == 0.75
    assert found["log_loss"] == pytest.approx(log_loss(target, scores))
    assert found["brier"] == pytest.approx(np.mean((target - scores) ** 2))
    assert (found["mean_score"], found["y_share"]) == (pytest.approx(0.6), 0.5)


def test_an_interval_surrounds_its_value_and_follows_its_seed() -> None:
    target, scores, rival = sample(1)
    first = bootstrap_auc(target, scores, rival, gate=GATE, seed=3)
    assert first.lower < first.value < first.upper
    assert first == bootstrap_auc(target, scores, rival, gate=GATE, seed=3)
    assert first != bootstrap_auc(target, scores, rival, gate=GATE, seed=4)
    wide = bootstrap_auc(
        target, scores, rival, gate=GATE.model_copy(update={"confidence": 0.999}), seed=3
    )
    assert wide.upper - wide.lower > first.upper - first.lower


def test_resamples_without_both_classes_are_left_out() -> None:
    target = np.array([1, *[0] * 7])
    interval = bootstrap_auc(target, np.linspace(1, 0, 8), gate=GATE)
    assert (interval.value, interval.lower, interval.upper) == (1.0, 1.0, 1.0)


# --- the gate


def test_a_tie_keeps_the_champion() -> None:
    target, scores, _ = sample(2)
    same = judge(GATE, target, scores, scores.copy(), CHAMPION)
    assert same.verdict == "keep"
    assert same.difference == {"value": 0.0, "lower": 0.0, "upper": 0.0}
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


def test_a_better_order_with_worse_probabilities_is_kept_back() -> None:
    target, scores, rival = sample(5, skill=2.0, rival_skill=0.5)
    shouted = np.where(scores > np.median(scores), 1 - 1e-9, 1e-9) * 0.999 + scores * 0.001
    verdict = judge(GATE, target, shouted, rival, CHAMPION)
    assert verdict.difference["lower"] > 0
    assert verdict.verdict == "keep"
    assert "log loss worse by" in verdict.reason
    assert "allowed 0.05" in verdict.reason


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
    verdict = asdict(verdict_of(1))
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


# --- what the model makes of its features


def test_what_a_model_uses_is_important_and_the_rest_is_not(world: World) -> None:
    found = world.tracking.read_json(world.trained.run_id, IMPORTANCE)
    assert list(found) == list(world.spec.features)
    assert found["items"] < min(found["distance"], found["shop"]) / 4
    assert min(found.values()) >= 0


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
