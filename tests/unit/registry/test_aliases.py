"""MLflow's aliases follow the ledger; what others move is found, written down, and settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import UnknownVersionError
from mlops_tasks.registry.alias_moves import adopt_move, undo_moves
from mlops_tasks.registry.aliases import moved_aliases, project_aliases
from mlops_tasks.registry.champions import champion_of, move_champion
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.versions import RegisteredVersion
from tests.unit.registrations import Registry, stores

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def ledger() -> Ledger:
    return Ledger("sqlite://")


@pytest.fixture
def registry() -> Registry:
    return Registry("1", "2", "3")


def enter(ledger: Ledger, registry: Registry, *numbers: str) -> None:
    """Enter versions as a training does."""
    for number in numbers:
        version = RegisteredVersion("m", number, f"run {number}", "models:/x", f"digest {number}")
        assert ledger.register(version)
        project_aliases("m", **stores(registry, ledger), force=("challenger",))


def move(ledger: Ledger, registry: Registry, version: str, **more: Any) -> None:
    known, now = ledger.registration("m", version), ledger.champion("m")
    assert known is not None
    about = {"key": "2024-03-01", "evidence": {}, "generation": now.generation if now else 0}
    move_champion(known, **about, **stores(registry, ledger), **more)


def written(ledger: Ledger) -> list[tuple[str, ...]]:
    found = ledger.entries(kind="alias_move", history=True)
    fields = ("alias", "found", "wanted", "state")
    return [tuple(entry.evidence[name] for name in fields) for entry in found]


def promoted(ledger: Ledger, registry: Registry, numbers: Sequence[str] = ("1", "2")) -> None:
    for number in numbers:
        enter(ledger, registry, number)
        move(ledger, registry, number)
    assert written(ledger) == []


def test_each_version_carries_what_it_is(ledger: Ledger, registry: Registry) -> None:
    enter(ledger, registry, "1")
    assert registry.pointed == {"challenger": "1"}
    move(ledger, registry, "1")
    assert registry.pointed == {"champion": "1"}, "a champion does not stay challenger"
    enter(ledger, registry, "2")
    assert registry.pointed == {"champion": "1", "challenger": "2"}
    move(ledger, registry, "2")
    assert registry.pointed == {"champion": "2", "previous": "1"}
    enter(ledger, registry, "3")
    move(ledger, registry, "1", kind="rollback")
    assert registry.pointed == {"champion": "1", "previous": "2", "challenger": "3"}
    assert written(ledger) == []


def test_a_retired_or_adopted_version_is_no_challenger(ledger: Ledger, registry: Registry) -> None:
    promoted(ledger, registry)
    enter(ledger, registry, "3")
    for version in ("1", "3"):
        ledger.record(model="m", kind="retirement", key=version, evidence={})
    taken = RegisteredVersion("m", "4", "r", "u", "d")
    assert ledger.adopt(taken, evidence={"reason": "mine"}, recorded_by="x")
    assert project_aliases("m", **stores(registry, ledger)) == []
    assert registry.pointed == {"champion": "2"}


def test_what_an_interrupted_move_left_behind_follows_without_a_word(
    ledger: Ledger, registry: Registry
) -> None:
    promoted(ledger, registry, ["1"])
    enter(ledger, registry, "2")
    ledger.promote("m", version="2", generation=1, key="k", evidence={})
    assert moved_aliases("m", **stores(registry, ledger)) == []
    assert project_aliases("m", **stores(registry, ledger)) == []
    assert registry.pointed == {"champion": "2", "previous": "1"}
    assert written(ledger) == []


@pytest.mark.parametrize("to", ["1", None])
@pytest.mark.parametrize("alias", ["champion", "previous"])
def test_a_move_by_others_is_written_down_once_and_left_alone(
    ledger: Ledger, registry: Registry, alias: str, to: str | None
) -> None:
    promoted(ledger, registry)
    right = registry.pointed[alias]
    to = to and ("1" if alias == "champion" else "2")
    registry.pointed = (
        {**registry.pointed, alias: to}
        if to
        else {name: version for name, version in registry.pointed.items() if name != alias}
    )
    before = dict(registry.pointed)
    for run in ("a", "b"):
        (move,) = project_aliases("m", **stores(registry, ledger), dag_run=run, by="schedule")
        assert (move.alias, move.found, move.wanted, move.state) == (alias, to, right, "open")
    assert registry.pointed == before
    assert written(ledger) == [(alias, to, right, "open")]
    assert moved_aliases("m", **stores(registry, ledger)) == [move]
    registry.pointed[alias] = right
    assert project_aliases("m", **stores(registry, ledger)) == []
    assert written(ledger)[-1] == (alias, to, right, "returned")
    assert len(written(ledger)) == 2


def test_a_scoring_goes_by_the_ledger_and_says_what_it_has_seen(
    ledger: Ledger, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    promoted(ledger, registry)
    registry.pointed["champion"] = "1"
    assert champion_of("m", **stores(registry, ledger)).version == "2"
    assert registry.pointed["champion"] == "1"
    assert "alias champion points at version 1 in MLflow; by the ledger it is version 2" in (
        caplog.text
    )
    assert written(ledger) == [("champion", "1", "2", "open")]


def test_the_next_promotion_replaces_a_move_after_it_was_written_down(
    ledger: Ledger, registry: Registry
) -> None:
    promoted(ledger, registry)
    enter(ledger, registry, "3")
    registry.pointed["champion"] = "1"
    move(ledger, registry, "3")
    assert registry.pointed == {"champion": "3", "previous": "2"}
    assert written(ledger) == [("champion", "1", "3", "replaced")]


def test_a_registration_overwrites_no_champion(ledger: Ledger, registry: Registry) -> None:
    promoted(ledger, registry)
    registry.pointed |= {"champion": "1", "challenger": "1"}
    enter(ledger, registry, "3")
    assert registry.pointed == {"champion": "1", "challenger": "3", "previous": "1"}
    assert written(ledger) == [("challenger", "1", "3", "replaced"), ("champion", "1", "2", "open")]


def test_a_person_undoes_it(ledger: Ledger, registry: Registry) -> None:
    promoted(ledger, registry)
    registry.pointed["champion"] = "1"
    project_aliases("m", **stores(registry, ledger))
    word = {"reason": "nobody said so", "person": "ada"}
    (done,) = undo_moves("m", **stores(registry, ledger), **word)
    assert done.state == "undone"
    assert registry.pointed == {"champion": "2", "previous": "1"}
    assert [one[-1] for one in written(ledger)] == ["open", "undone"]
    newest = ledger.entries(kind="alias_move")[0]
    assert (newest.by, newest.evidence["reason"]) == ("ada", "nobody said so")
    assert undo_moves("m", **stores(registry, ledger), **word) == []
    assert len(written(ledger)) == 2


def test_a_person_adopts_it_and_that_is_a_promotion(ledger: Ledger, registry: Registry) -> None:
    promoted(ledger, registry)
    word = {"reason": "the old one was right", "person": "ada"}
    with pytest.raises(UnknownVersionError, match="there is nothing to adopt"):
        adopt_move("m", **stores(registry, ledger), **word)
    registry.pointed["champion"] = "1"
    adopt_move("m", **stores(registry, ledger), **word)
    assert ledger.champion("m") == Champion("1", 3)
    assert registry.pointed == {"champion": "1", "previous": "2"}
    assert [one[-1] for one in written(ledger)] == ["adopted"]
    newest = ledger.lifecycle("m")[-1]
    assert (newest.kind, newest.by, newest.evidence["reason"]) == (
        "promotion",
        "ada",
        word["reason"],
    )
    assert moved_aliases("m", **stores(registry, ledger)) == []


def test_a_version_that_the_ledger_does_not_know_is_not_adopted(
    ledger: Ledger, registry: Registry
) -> None:
    promoted(ledger, registry)
    registry.pointed["champion"] = "9"
    with pytest.raises(UnknownVersionError, match="mlops ledger adopt m 9"):
        adopt_move("m", **stores(registry, ledger), reason="x", person="ada")
    assert written(ledger) == []
    assert ledger.champion("m") == Champion("2", 2)
