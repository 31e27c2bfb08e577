"""The ledger says who is champion; MLflow's alias follows, and nothing else it says is believed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import skops.io
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

from mlops_tasks.exceptions import NoChampionError, UnknownVersionError, UnsafeModelError
from mlops_tasks.registry.aliases import moved_aliases
from mlops_tasks.registry.champions import (
    champion_of,
    load_version,
    reconcile_alias,
    registered_version,
)
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.modelfiles import files_digest
from mlops_tasks.registry.tracking import DIGEST_TAG
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.score import score
from tests.unit.registrations import (
    NAME,
    Registry,
    alias,
    error_of,
    failure,
    new_version,
    offer,
    stores,
    two_versions,
    verdict,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.tracking import Tracking
    from tests.unit.conftest import World


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


def champion(tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    return champion_of(NAME, tracking=tracking, ledger=ledger)


def test_before_the_first_promotion_the_answer_names_the_dag(
    tracking: Tracking, ledger: Ledger
) -> None:
    new_version(tracking, ledger)
    with pytest.raises(NoChampionError, match=r"trigger the Dag late_orders\.train"):
        champion(tracking, ledger)


def test_the_champion_comes_with_what_is_needed_to_load_it(
    tracking: Tracking, ledger: Ledger
) -> None:
    version = new_version(tracking, ledger)
    offer(version, verdict(), tracking, ledger)
    assert champion(tracking, ledger) == replace(version, generation=1)
    assert list(tracking.by_version(NAME, "1").aliases) == ["champion"]


def test_an_alias_moved_by_hand_is_not_believed_and_put_back_after_a_word(
    tracking: Tracking, ledger: Ledger
) -> None:
    """Whoever wants another champion promotes it; the ledger would not know otherwise."""
    offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    other = new_version(tracking, ledger)
    tracking.client.set_registered_model_alias(NAME, "champion", other.version)
    assert champion(tracking, ledger).version == "1"
    assert alias(tracking) == "2", "somebody has done it, and will be asked"
    (entry,) = ledger.entries(kind="alias_move")
    assert (entry.evidence["found"], entry.evidence["state"]) == ("2", "open")
    reconcile_alias(NAME, tracking=tracking, ledger=ledger)
    assert alias(tracking) == "1"
    found = tracking.client.get_registered_model(NAME).aliases
    assert {name: str(version) for name, version in found.items()} == {
        "champion": "1",
        "challenger": "2",
    }


def test_a_model_that_is_not_there_has_no_aliases(tracking: Tracking, ledger: Ledger) -> None:
    assert moved_aliases("nobody", tracking=tracking, ledger=ledger) == []


def test_a_former_champion_that_was_deleted_carries_nothing(
    tracking: Tracking, ledger: Ledger
) -> None:
    first, second = new_version(tracking, ledger), new_version(tracking, ledger)
    offer(first, verdict(), tracking, ledger)
    tracking.client.delete_model_version(NAME, first.version)
    offer(second, verdict(champion="1", generation=1), tracking, ledger)
    assert list(tracking.client.get_registered_model(NAME).aliases) == ["champion"]
    assert moved_aliases(NAME, tracking=tracking, ledger=ledger) == []


# --- what MLflow says is not believed


def test_a_champion_is_what_the_ledger_knows_whatever_mlflow_says(
    tracking: Tracking, ledger: Ledger
) -> None:
    version = new_version(tracking, ledger)
    offer(version, verdict(), tracking, ledger)
    client = tracking.client
    client.set_model_version_tag(NAME, "1", DIGEST_TAG, "0" * 64)
    client.set_model_version_tag(NAME, "1", "mlops.roc_auc", "0.1")
    assert champion(tracking, ledger) == replace(version, generation=1)


def test_a_version_that_the_ledger_does_not_know_is_neither_resolved_nor_promoted(
    tracking: Tracking, ledger: Ledger
) -> None:
    known = new_version(tracking, ledger)
    foreign = tracking.client.create_model_version(NAME, known.model_uri, run_id=known.run_id)
    fix = r"version 2 of 'late_orders' is not in the ledger.*mlops ledger adopt late_orders 2"
    with pytest.raises(UnknownVersionError, match=fix):
        registered_version(NAME, str(foreign.version), ledger=ledger)
    with pytest.raises(UnknownVersionError, match=fix):
        offer(replace(known, version="2"), verdict(), tracking, ledger)
    assert ledger.champion(NAME) is None


def test_an_exchanged_champion_is_neither_scored_with_nor_compared(
    own_world: World, tracking_files: Path
) -> None:
    """Another valid model, and all that MLflow can be told to make it look right."""
    world, tracking = own_world, own_world.tracking
    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tracking_files / "model.skops")
    tracking.client.set_model_version_tag(NAME, "1", DIGEST_TAG, files_digest(tracking_files))
    found = champion(tracking, world.ledger)
    lake, day, token = world.lake, world.as_of, world.ledger.next_token()
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        score(world.spec, day, found, lake=lake, tracking=tracking, token=token)
    assert not lake.exists(world.spec.predictions_table), "nothing was published"
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        evaluate(world.spec, world.pin, world.trained, None, lake=lake, tracking=tracking)


# --- each step, in order


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry that also keeps the places where a task may be killed."""
    registry = Registry()
    for module in ("champions", "aliases"):
        monkeypatch.setattr(f"mlops_tasks.registry.{module}.fault_point", registry.said.append)
    return registry


PUT_RIGHT = [("alias", "m", "champion", "1"), ("alias", "m", "challenger", "2")]


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        (["champion"], []),
        (["champion", "x"], []),
        (["challenger"], PUT_RIGHT),
        ([], PUT_RIGHT),
    ],
)
def test_the_alias_follows_the_ledger(ledger: Ledger, aliases: list[str], said: list[Any]) -> None:
    two_versions(ledger)
    registry = Registry("1", "2")
    registry.versions["1"].aliases = aliases
    known = ledger.registration("m", "1")
    assert known is not None
    assert champion_of("m", **stores(registry, ledger)) == replace(known, generation=1)
    assert [one for one in registry.said if one[0] == "alias"] == said


def test_there_is_no_champion_yet(registry: Registry, ledger: Ledger) -> None:
    assert error_of(NoChampionError, champion_of, "m", **stores(registry, ledger)) == (
        "model 'm' has no champion yet; trigger the Dag m.train, its gate promotes the first one. "
        "If the ledger was lost: mlops ledger adopt m VERSION --champion"
    )


def test_a_champion_that_is_gone_is_told_from_a_server_that_is(
    registry: Registry, ledger: Ledger
) -> None:
    two_versions(ledger)
    registry.fails = failure("RESOURCE_DOES_NOT_EXIST")
    assert error_of(UnknownVersionError, champion_of, "m", **stores(registry, ledger)) == (
        "version 1 of 'm' is not in MLflow: it was deleted there, or MLflow was restored from an "
        "older backup. Restore it, or promote another version"
    )
    registry.fails = failure("TEMPORARILY_UNAVAILABLE")
    with pytest.raises(MlflowException, match="said by MLflow"):
        champion_of("m", **stores(registry, ledger))


def test_the_alias_follows_a_champion_that_moves_meanwhile(
    registry: Registry, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that has slept before it moves the alias must not leave it at its own version."""
    two_versions(ledger)
    registry.versions = Registry("1", "2").versions
    points = registry.set_registered_model_alias

    def slow(name: str, alias: str, version: str) -> None:
        if version == "1":
            ledger.promote(name, version="2", generation=1, key="k", evidence={})
        points(name, alias, version)

    monkeypatch.setattr(registry, "set_registered_model_alias", slow)
    reconcile_alias("m", **stores(registry, ledger))
    assert [one[3] for one in registry.said if one[:3] == ("alias", "m", "champion")] == ["1", "2"]
    assert registry.pointed == {"champion": "2", "previous": "1"}


def test_without_a_champion_no_alias_moves(registry: Registry, ledger: Ledger) -> None:
    reconcile_alias("m", **stores(registry, ledger))
    assert registry.said == []


def test_a_version_that_cannot_be_loaded_is_named() -> None:
    def fail(*_: str) -> None:
        raise UnsafeModelError("its code has changed")

    version = RegisteredVersion("trips", "3", "run", "models:/m-1", "digest")
    with pytest.raises(UnsafeModelError, match=r"^version 3 of 'trips': its code has changed$"):
        load_version(version, tracking=SimpleNamespace(load=fail))  # type: ignore[arg-type]
    loaded = SimpleNamespace(load=lambda *asked: asked)
    assert load_version(version, tracking=loaded) == ("models:/m-1", "digest")  # type: ignore[arg-type]
