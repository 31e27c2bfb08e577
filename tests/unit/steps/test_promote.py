"""The gate's word makes a version the champion, whoever else moves it, wherever it is killed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mlflow.exceptions import MlflowException

from mlops_tasks.exceptions import ChampionChangedError, UnknownVersionError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps.promote import promote
from tests.unit.registrations import (
    NAME,
    NIGHT,
    Registry,
    alias,
    error_of,
    new_version,
    offer,
    stores,
    two_versions,
    verdict,
)

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking

VERDICT = verdict(champion="1", generation=1)


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


def test_a_first_champion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking, ledger)
    assert offer(version, verdict(), tracking, ledger, dag_run="late_orders.train/x")
    assert alias(tracking) == "1"
    assert ledger.champion(NAME) == Champion("1", 1)
    (entry,) = ledger.entries(model=NAME, kind="promotion")
    assert (entry.key, entry.dag_run) == (NIGHT, "late_orders.train/x")
    assert entry.evidence == {
        "version": "1",
        "previous": None,
        "generation": 1,
        "reason": "it is better",
        "digest": "d" * 64,
        "run_id": version.run_id,
    }


def test_keep_changes_nothing(tracking: Tracking, ledger: Ledger) -> None:
    assert not offer(new_version(tracking, ledger), verdict("keep"), tracking, ledger)
    assert ledger.champion(NAME) is None
    assert ledger.entries(kind="promotion") == []
    with pytest.raises(MlflowException):
        alias(tracking)


def test_promoting_again_is_the_same_promotion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking, ledger)
    for _ in range(2):
        assert offer(version, verdict(), tracking, ledger)
    assert ledger.champion(NAME) == Champion("1", 1)
    assert len(ledger.entries(kind="promotion", history=True)) == 1


def test_the_loser_of_two_promotions_changes_nothing(tracking: Tracking, ledger: Ledger) -> None:
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    winner, loser = new_version(tracking, ledger), new_version(tracking, ledger)
    assert offer(winner, verdict(champion="1", generation=1), tracking, ledger)
    history = ledger.entries(history=True)
    with pytest.raises(ChampionChangedError, match=r"version 3 was compared .* is version 2, gen"):
        offer(loser, verdict(champion="1", generation=1), tracking, ledger)
    assert alias(tracking) == winner.version == "2"
    assert ledger.champion(NAME) == Champion("2", 2)
    assert ledger.entries(history=True) == history


# --- killed, or overtaken


@pytest.mark.parametrize("place", ["before_ledger", "after_ledger", "after_alias"])
@pytest.mark.parametrize("heals", ["the next attempt", "the next look"])
def test_a_promotion_killed_anywhere_is_completed(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, place: str, heals: str
) -> None:
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    second, said = new_version(tracking, ledger), verdict(champion="1", generation=1)
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"promote:{place}:raise")
        with pytest.raises(InjectedFaultError):
            offer(second, said, tracking, ledger)
    moved = place != "before_ledger"
    assert ledger.champion(NAME) == (Champion("2", 2) if moved else Champion("1", 1))
    assert len(ledger.entries(kind="promotion", history=True)) == 1 + moved, "both or neither"
    assert alias(tracking) == ("2" if place == "after_alias" else "1")
    if heals == "the next attempt":
        assert offer(second, said, tracking, ledger)
        moved = True
    found = champion_of(NAME, tracking=tracking, ledger=ledger)
    assert (found.version, found.generation) == (("2", 2) if moved else ("1", 1))
    assert alias(tracking) == found.version
    assert len(ledger.entries(kind="promotion", history=True)) == 1 + moved


def test_what_was_compared_with_a_champion_that_left_and_returned_is_stale(
    tracking: Tracking, ledger: Ledger
) -> None:
    """Version 1, then 2, then 1 again by a rollback; version 3 was compared with the first 1."""
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    second, third = new_version(tracking, ledger), new_version(tracking, ledger)
    assert offer(second, verdict(champion="1", generation=1), tracking, ledger)
    ledger.promote(NAME, version="1", generation=2, key=NIGHT, evidence={"reason": "rolled back"})
    history = ledger.entries(history=True)
    with pytest.raises(ChampionChangedError, match="is version 1, generation 3, by now"):
        offer(third, verdict(champion="1", generation=1), tracking, ledger)
    assert ledger.champion(NAME) == Champion("1", 3)
    assert ledger.entries(history=True) == history
    found = champion_of(NAME, tracking=tracking, ledger=ledger)
    assert offer(third, verdict(champion="1", generation=found.generation), tracking, ledger)
    assert alias(tracking) == "3"


def test_a_verdict_of_0_1_about_a_champion_is_stale(tracking: Tracking, ledger: Ledger) -> None:
    """It has no generation: what was compared before the upgrade is compared again."""
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    with pytest.raises(ChampionChangedError, match="compared with no champion, but"):
        offer(new_version(tracking, ledger), verdict(champion="1"), tracking, ledger)


# --- each step, in order


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry that also keeps the places where a task may be killed."""
    registry = Registry()
    monkeypatch.setattr("mlops_tasks.registry.champions.fault_point", registry.said.append)
    monkeypatch.setattr("mlops_tasks.registry.aliases.fault_point", registry.said.append)
    return registry


@pytest.fixture
def known(ledger: Ledger) -> RegisteredVersion:
    """Return version 2 of a model whose champion is version 1."""
    return two_versions(ledger)


def test_a_promotion_is_written_down_before_the_alias_moves(
    registry: Registry, ledger: Ledger, known: RegisteredVersion
) -> None:
    named = {"as_of": "2024-03-16", "dag_run": "m.train/r", "by": "ada"} | stores(registry, ledger)
    claimed = RegisteredVersion("m", "2", "run 2", "models:/x", "claimed by somebody")
    assert promote(claimed, VERDICT, **named) is True
    assert registry.said == [
        "promote:before_ledger",
        "promote:after_ledger",
        ("alias", "m", "champion", "2"),
        "promote:after_alias",
    ]
    assert ledger.champion("m") == Champion("2", 2)
    (_, entry) = ledger.entries(kind="promotion")
    assert (entry.model, entry.kind, entry.key) == ("m", "promotion", "2024-03-16")
    assert (entry.dag_run, entry.by) == ("m.train/r", "ada")
    assert entry.evidence == {
        "version": "2",
        "previous": "1",
        "generation": 2,
        "reason": "it is better",
        "digest": known.digest,
        "run_id": "run 2",
    }


def test_a_promotion_outside_a_run_names_none(
    registry: Registry, ledger: Ledger, known: RegisteredVersion
) -> None:
    assert promote(known, VERDICT, as_of="n", **stores(registry, ledger))
    assert ledger.entries(kind="promotion")[-1].dag_run == ""


@pytest.mark.parametrize("said", ["keep", "cannot_tell", "Promote", ""])
def test_any_other_word_than_promote_changes_nothing(
    registry: Registry, ledger: Ledger, known: RegisteredVersion, said: str
) -> None:
    unsure = replace(VERDICT, verdict=said)
    assert promote(known, unsure, as_of="n", **stores(registry, ledger)) is False
    assert registry.said == []
    assert ledger.champion("m") == Champion("1", 1)
    assert len(ledger.entries(kind="promotion")) == 1


def test_whoever_is_late_changes_nothing(
    registry: Registry, ledger: Ledger, known: RegisteredVersion
) -> None:
    ledger.promote("m", version="3", generation=1, key="k", evidence={})
    before = ledger.entries()
    named = {"as_of": "n"} | stores(registry, ledger)
    assert error_of(ChampionChangedError, promote, known, VERDICT, **named) == (
        "model 'm': version 2 was compared with the champion of generation 1, but the champion is "
        "version 3, generation 2, by now; nothing was changed. Train again to compare with the new "
        "champion"
    )
    assert registry.said == ["promote:before_ledger"]
    assert ledger.entries() == before


def test_a_version_that_nobody_knows(registry: Registry, ledger: Ledger) -> None:
    stranger = RegisteredVersion("m", "7", "run", "models:/x", "d")
    told = (
        "version 7 of 'm' is not in the ledger, so nobody knows which files it should have, and it "
        "is not loaded. Look at it in MLflow; if it is yours, take it over: mlops ledger adopt m 7"
    )
    named = {"as_of": "n"} | stores(registry, ledger)
    assert error_of(UnknownVersionError, promote, stranger, VERDICT, **named) == told
