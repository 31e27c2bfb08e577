"""An evaluation on the pinned window, with real stores."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.metrics import roc_auc_score

from mlops_tasks.exceptions import LeakageError, UnsafeModelError
from mlops_tasks.features import feature_frame, labelled_rows
from mlops_tasks.gate.explanation import Explanation
from mlops_tasks.gate.latency import Latency
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.artifacts import IMPORTANCE, SCORE_PROFILES
from mlops_tasks.serialization import from_json
from mlops_tasks.specs import LabelSpec
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.train import train
from tests.unit.orders import build_blind, day, project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


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
    never = LabelSpec(dataset=label, target="minutes_late > 1e9")
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


def test_what_a_model_uses_is_important_and_the_rest_is_not(world: World) -> None:
    found = world.tracking.read_json(world.trained.run_id, IMPORTANCE)
    assert list(found) == list(world.spec.features)
    assert found["items"] < min(found["distance"], found["shop"]) / 4
    assert min(found.values()) >= 0


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


def test_the_page_and_the_reasons_are_kept_with_their_digests(own_world: World) -> None:
    world = own_world
    pin = pin_training_data(world.spec, day(17), lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    how: Any = {"lake": world.lake, "tracking": world.tracking}
    verdict = evaluate(world.spec, pin, trained, world.champion, **how)
    for name in ("gate.html", "explanation.json", "gate.json"):
        content = world.tracking.read_bytes(trained.run_id, name)
        assert hashlib.sha256(content).hexdigest() == verdict.artifacts[name]
    page = (world.lake.root / verdict.report).read_text()
    assert page.encode() == world.tracking.read_bytes(trained.run_id, "gate.html")
    assert re.fullmatch(rf"_reports/late_orders__gate/{day(17)}/\d{{1,12}}\.html", verdict.report)
    found = from_json(Explanation, world.tracking.read_json(trained.run_id, "explanation.json"))
    assert {one.feature for one in found.importance} == set(world.spec.features)
    assert found.predictions[0].n_rows == verdict.n_rows
    kinds = {one.kind: one for one in verdict.criteria}
    assert kinds["latency"].answer in {"fine", "cannot tell"}
    assert kinds["size"].failing == "report"


def test_an_attempt_that_overlaps_replaces_nothing_that_was_decided_on(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It measures other milliseconds, and so writes another report."""
    world = own_world
    pin = pin_training_data(world.spec, day(17), lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    how: Any = {"lake": world.lake, "tracking": world.tracking}
    verdict = evaluate(world.spec, pin, trained, world.champion, **how)
    version = replace(world.champion, run_id=trained.run_id, artifacts=verdict.artifacts)
    files = sorted(verdict.artifacts)
    assert {"gate.json", "explanation.json", "gate.html", IMPORTANCE, SCORE_PROFILES} <= {*files}
    before = {name: world.tracking.read_artifact(version, name) for name in files}
    page = world.lake.root / verdict.report
    assert page.read_bytes() == before["gate.html"]

    slow = Latency(100, 31.0, 47.0, 47.0, 41.0, 1000, 20.0)
    monkeypatch.setattr("mlops_tasks.steps.evaluate.measure_latency", lambda *_, **__: slow)
    again = evaluate(world.spec, pin, trained, world.champion, **how)
    assert again.artifacts["gate.json"] != verdict.artifacts["gate.json"]
    assert page.read_bytes() == before["gate.html"]
    for name in files:
        assert world.tracking.read_artifact(version, name) == before[name], name
    last = world.tracking.read_bytes(trained.run_id, "gate.json")
    assert hashlib.sha256(last).hexdigest() == again.artifacts["gate.json"]
    other = replace(version, artifacts={"gate.json": "e" * 64})
    with pytest.raises(UnsafeModelError, match="it was changed in MLflow"):
        world.tracking.read_artifact(other, "gate.json")
