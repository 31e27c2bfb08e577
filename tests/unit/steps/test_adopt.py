"""A version is taken over on the word of a person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from mlops_tasks.exceptions import (
    ChampionChangedError,
    NoChampionError,
    UnknownVersionError,
    UnsafeModelError,
)
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps.adopt import adopt
from tests.unit.registrations import NAME, Registry, error_of, stores, two_versions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


def take_over(world: World, ledger: Ledger, version: str = "1", **options: Any) -> Any:
    return adopt(
        NAME,
        version,
        tracking=world.tracking,
        ledger=ledger,
        reason="the ledger was lost",
        person="ada",
        **options,
    )


def test_a_lost_ledger_gets_its_champion_back(own_world: World, tmp_path: Path) -> None:
    new = Ledger(f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(NoChampionError, match="mlops ledger adopt late_orders VERSION --champion"):
        champion_of(NAME, tracking=own_world.tracking, ledger=new)
    adopted = take_over(own_world, new, champion=True)
    known = own_world.champion
    assert (adopted.digest, adopted.artifacts) == (known.digest, known.artifacts)
    assert adopted.run_id == known.run_id
    assert adopted.metrics["roc_auc"] == known.metrics["roc_auc"]
    assert champion_of(NAME, tracking=own_world.tracking, ledger=new) == replace(
        adopted, generation=1
    )
    _, adoption, promotion = sorted(new.entries(model=NAME), key=lambda one: one.seq)
    assert (adoption.kind, adoption.key) == ("adoption", "1")
    assert adoption.evidence["person"] == promotion.evidence["person"] == "ada"
    assert adoption.evidence["reason"] == "the ledger was lost"
    assert take_over(own_world, new, champion=True) == adopted, "again is the same"
    assert len(new.entries(history=True)) == 3


def test_only_a_first_champion_is_made_by_hand(own_world: World) -> None:
    second = own_world.tracking.client.create_model_version(
        NAME, own_world.champion.model_uri, run_id=own_world.champion.run_id
    )
    with pytest.raises(ChampionChangedError, match="only a promotion or a rollback"):
        take_over(own_world, own_world.ledger, str(second.version), champion=True)
    assert own_world.ledger.champion(NAME) == Champion("1", 1)


def test_what_an_older_version_of_the_project_did_not_keep_is_completed(own_world: World) -> None:
    ledger, known = own_world.ledger, own_world.champion
    registrations = table("registration")
    bare = {"artifacts": {}, "metrics": {"roc_auc": 0.6}, "model_uri": f"models:/{NAME}/1"}
    ledger._database.write(lambda c: c.execute(registrations.update().values(bare)))
    own_world.tracking.load(
        champion_of(NAME, tracking=own_world.tracking, ledger=ledger).model_uri, known.digest
    )
    adopted = take_over(own_world, ledger)
    assert adopted.artifacts == known.artifacts
    assert adopted.metrics == {"roc_auc": 0.6}, "what was known stays"


def test_other_files_than_the_ledger_knows_are_never_taken_over(
    own_world: World, tracking_files: Path
) -> None:
    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tracking_files / "model.skops")
    with pytest.raises(UnsafeModelError, match=r"changed after registration.*Nothing was taken"):
        take_over(own_world, own_world.ledger)
    assert own_world.ledger.entries(kind="adoption") == []


def test_what_a_version_may_import_is_said_by_the_person(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "mlops_tasks.registry.tracking.examine_model", lambda _, names: asked.append(names)
    )
    named = stores_of(own_world) | {"reason": "lost", "person": "ada"}
    adopt(NAME, "1", **named)
    adopt(NAME, "1", **named, code=["trips.model.Clipper"])
    assert asked == [frozenset(), frozenset({"trips.model.Clipper"})]


def stores_of(world: World) -> dict[str, Any]:
    return {"tracking": world.tracking, "ledger": world.ledger}


def test_a_version_that_mlflow_does_not_have_cannot_be_taken_over(own_world: World) -> None:
    with pytest.raises(UnknownVersionError, match="version 9 of 'late_orders' is not in MLflow"):
        take_over(own_world, own_world.ledger, "9")


# --- each step, in order


def adopted_by(registry: Registry, ledger: Ledger, **options: Any) -> RegisteredVersion:
    named = stores(registry, ledger) | {"reason": "lost", "person": "p"}
    return adopt("m", "3", **named | options)


@pytest.mark.parametrize("run_id", ["run", None])
def test_a_version_is_taken_over_as_it_is(ledger: Ledger, run_id: str | None) -> None:
    registry = Registry("3", run_id=run_id)
    adopted = adopted_by(registry, ledger)
    assert adopted == RegisteredVersion(
        *("m", "3", run_id or "", "models:/files", "digest of models:/files"),
        artifacts={"pin.json": f"of {run_id or ''}"},
        metrics={"roc_auc": float(len(run_id or ""))},
    )
    assert ledger.registrations() == [adopted]
    assert ledger.champion("m") is None
    assert registry.said == []
    (entry,) = ledger.entries(kind="adoption")
    assert (entry.kind, entry.key, entry.dag_run) == ("adoption", "3", "mlops ledger adopt")
    assert entry.evidence == {
        "reason": "lost",
        "person": "p",
        "digest": "digest of models:/files",
        "run_id": run_id or "",
    }


def test_the_run_that_the_ledger_knows_counts(ledger: Ledger) -> None:
    digest = "digest of models:/files"
    assert ledger.register(RegisteredVersion("m", "3", "known", "models:/k", digest))
    adopted = adopted_by(Registry("3", run_id="another"), ledger)
    assert (adopted.run_id, adopted.artifacts) == ("known", {"pin.json": "of known"})
    assert adopted.metrics == {"roc_auc": 5.0}


def test_a_version_without_files_has_no_address(ledger: Ledger) -> None:
    registry = Registry("3")
    registry.versions["3"].source = None
    adopted = adopted_by(registry, ledger)
    assert (adopted.model_uri, adopted.digest) == ("", "digest of ")


def test_other_files_are_not_taken_over(ledger: Ledger) -> None:
    assert ledger.register(RegisteredVersion("m", "3", "run", "models:/k", "x" * 64))
    assert error_of(UnsafeModelError, adopted_by, Registry("3"), ledger, champion=True) == (
        "the files of version 3 of 'm' in MLflow have digest digest of mo, the ledger knows "
        "others: they were changed after registration. Nothing was taken over; roll back or train "
        "again"
    )
    assert ledger.champion("m") is None


def test_a_first_champion_by_hand_is_written_down_and_pointed_at(ledger: Ledger) -> None:
    registry = Registry("3")
    adopted = adopted_by(registry, ledger, champion=True)
    assert ledger.champion("m") == Champion("3", 1)
    assert registry.said == [("alias", "m", "champion", "3")]
    (promotion,) = ledger.entries(kind="promotion")
    assert (promotion.key, promotion.dag_run) == ("adoption of 3", "")
    assert promotion.evidence == {
        "reason": "lost",
        "person": "p",
        "digest": adopted.digest,
        "run_id": "run",
        "version": "3",
        "previous": None,
        "generation": 1,
    }


def test_a_champion_is_not_replaced_by_hand(ledger: Ledger) -> None:
    two_versions(ledger)
    registry = Registry("3")
    assert error_of(ChampionChangedError, adopted_by, registry, ledger, champion=True) == (
        "model 'm': version 3 was taken over, but version 1 is the champion, which only a "
        "promotion or a rollback replaces"
    )
    assert registry.said == []
    assert ledger.registration("m", "3") is not None
    assert len(ledger.entries(kind="promotion")) == 1


def test_a_champion_taken_over_again_gets_its_alias_back(ledger: Ledger) -> None:
    registry = Registry("3")
    for _ in range(2):
        registry.pointed.clear()
        adopted_by(registry, ledger, champion=True)
    assert registry.said == [("alias", "m", "champion", "3")] * 2
    assert ledger.champion("m") == Champion("3", 1)
    assert len(ledger.entries(kind="promotion", history=True)) == 1
