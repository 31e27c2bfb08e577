"""The choice among past champions: what is offered, and what an answer means by then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_tasks.exceptions import NoChampionError, VersionNotAllowedError
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.rollback_choice import (
    RollbackAnswer,
    RollbackQuestion,
    rollback_answer,
    rollback_question,
)
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json

QUESTION = RollbackQuestion("3", 5, {"Version 2: champion since then": "2"})


def champions(*numbers: str) -> Ledger:
    """Return a ledger in which each of these was the champion, one after the other."""
    made = Ledger("sqlite://")
    for number in dict.fromkeys(numbers):
        version = RegisteredVersion("m", number, f"run {number}", "models:/x", f"digest {number}")
        made.register(replace(version, metrics={"roc_auc": 0.5 + int(number) / 100}))
    for generation, number in enumerate(numbers):
        move = {"version": number, "generation": generation, "key": f"k{generation}"}
        made.promote("m", **move, evidence={})
    return made


def asked(ledger: Ledger, metric: str = "roc_auc") -> RollbackQuestion:
    return rollback_question("m", metric=metric, ledger=ledger)


def test_each_past_champion_is_offered_with_what_is_known_of_it_the_latest_first() -> None:
    ledger = champions("1", "2", "3")
    found = asked(ledger)
    assert (found.version, found.generation, found.n_older) == ("3", 3, 0)
    assert list(found.options.values()) == ["2", "1"]
    moves = ledger.entries(model="m", kind="promotion", history=True)
    since = {str(move.evidence["version"]): move.recorded_at for move in moves}
    assert list(found.options) == [
        f"Version 2: champion since {since['2']:%Y-%m-%d %H:%M} UTC, roc_auc 0.5200",
        f"Version 1: champion since {since['1']:%Y-%m-%d %H:%M} UTC, roc_auc 0.5100",
    ]
    assert found.keep == "Keep version 3"
    (newest, _) = asked(ledger, "log_loss").options
    assert newest.endswith("UTC"), "what no gate has measured is not made up"


def test_what_was_left_by_a_rollback_says_so_and_what_was_retired_is_not_offered() -> None:
    ledger = champions("1", "2", "3")
    about = {"key": "rollback of 3", "evidence": {}, "kind": "rollback"}
    ledger.promote("m", version="2", generation=3, **about)
    found = asked(ledger)
    assert list(found.options.values()) == ["3", "1"]
    left, usual = found.options
    assert left.endswith(", was rolled back")
    assert "rolled back" not in usual
    ledger.record(model="m", kind="retirement", key="3", evidence={"reason": "wrong labels"})
    assert list(asked(ledger).options.values()) == ["1"]
    ledger.record(model="m", kind="retirement", key="1", evidence={"reason": "wrong labels"})
    with pytest.raises(VersionNotAllowedError, match="no earlier champion to roll back to"):
        asked(ledger)


def test_there_is_nothing_to_choose_from_without_a_champion_or_an_earlier_one() -> None:
    with pytest.raises(NoChampionError, match="'m' has no champion"):
        asked(Ledger("sqlite://"))
    with pytest.raises(VersionNotAllowedError, match=r"no earlier .* before this one: none"):
        asked(champions("1"))


@pytest.mark.parametrize(("n_past", "offered", "older"), [(20, 20, 0), (21, 20, 1)])
def test_twenty_at_most_are_offered(n_past: int, offered: int, older: int) -> None:
    found = asked(champions(*map(str, range(1, n_past + 2))))
    assert (len(found.options), found.n_older) == (offered, older)
    assert next(iter(found.options.values())) == str(n_past)


@pytest.mark.parametrize(
    ("chosen", "by", "generation", "version", "reason"),
    [
        ("Version 2: champion since then", "bob", 5, "2", "chosen by bob"),
        ("Keep version 3", "bob", 5, None, "bob keeps it"),
        ("Keep version 3", "", 5, None, "nobody has chosen in time"),
        ("Version 2: champion since then", "", 5, None, "nobody has chosen in time"),
        ("Version 2: champion since then", "bob", 4, None, "the champion was moved meanwhile"),
        ("Keep version 3", "", 6, None, "the champion was moved meanwhile, and nobody has"),
        ("Version 1: champion since long", "bob", 5, None, "which cannot be the champion any mo"),
        ("", "bob", 5, None, "bob has chosen ''"),
    ],
)
def test_an_answer_moves_only_what_it_was_asked_about(
    chosen: str, by: str, generation: int, version: str | None, reason: str
) -> None:
    answer = QUESTION.answered(chosen, by=by, generation=generation)
    assert (answer.version, answer.by, answer.generation) == (version, by, generation)
    assert reason in answer.reason


def test_an_answer_is_that_of_one_run() -> None:
    ledger, said = champions("1", "2"), RollbackAnswer("1", "chosen by bob", 2, "bob")
    about = {"model": "m", "kind": "rollback_answer", "evidence": to_json(said)}
    ledger.record(**about, key="m.rollback/one", by="bob")
    assert rollback_answer("m", "m.rollback/one", ledger=ledger) == said
    assert rollback_answer("m", "m.rollback/two", ledger=ledger) is None
    assert rollback_answer("other", "m.rollback/one", ledger=ledger) is None
