from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.partitions import Duration
from mlops_tasks.policy import Decided, Memory, decision_rows, read_memory
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.specs import RetrainSpec
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

NAME = "late_orders"


def decided(ledger: Ledger, number: int, cause: str, *, retrain: bool = False, **more: Any) -> None:
    said = {"retrain": retrain, "cause": cause, "reason": f"because of {number}", **more}
    ledger.record_once(model=NAME, kind="decision", key=day(number), evidence=said)


def judged(ledger: Ledger, number: int, verdict: str) -> None:
    ledger.record(model=NAME, kind="verdict", key=day(number), evidence={"verdict": verdict})


def test_memory_is_what_the_ledger_has(tmp_path: Path) -> None:
    spec, url = project(tmp_path), f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    assert read_memory(spec, day(9), ledger=ledger) == Memory()
    for number, verdict in ((1, "keep"), (2, "promote"), (4, "cannot_tell"), (5, "keep")):
        decided(ledger, number, "drift", retrain=True)
        decided(ledger, number, "none")  # repeated: the first word counts
        judged(ledger, number, verdict)
    decided(ledger, 9, "none")
    found = read_memory(spec, day(9), ledger=Ledger(url))
    assert found.n_failed == 2
    assert found.decided == tuple(Decided(day(n), True, "drift") for n in (1, 2, 4, 5))
    judged(ledger, 6, "ask")
    assert read_memory(spec, day(9), ledger=ledger).n_failed == 0


@pytest.mark.parametrize(
    ("n_failed", "given", "expected"),
    [
        (0, {}, "7d"),
        (1, {}, "7d"),
        (2, {}, "14d"),
        (3, {}, "28d"),
        (9, {}, "56d"),
        (9, {"max_cooldown": "1d"}, "7d"),
        (3, {"backoff": 1}, "7d"),
        (2, {"backoff": 1.5, "cooldown": "4d"}, "6d"),
    ],
)
def test_failed_challengers_make_the_cooldown_longer(
    n_failed: int, given: dict[str, Any], expected: str
) -> None:
    assert Memory(n_failed=n_failed).cooldown(RetrainSpec(**given)) == Duration.of(expected)


def test_a_night_that_is_fine_ends_a_chain_and_no_other_does() -> None:
    nights = [
        ("performance", True),
        ("none", False),
        ("drift", True),
        ("cooldown", False),
        ("age", True),
        ("cannot_tell", False),
        ("performance", True),
    ]
    memory = Memory(tuple(Decided(day(n), yes, why) for n, (why, yes) in enumerate(nights)))
    assert memory.chain == 2
    assert memory.n_spent(day(7)) == 3
    assert memory.n_spent(day(20)) == 0


def test_decisions_are_a_table() -> None:
    ledger = Ledger("sqlite://")
    assert decision_rows(NAME, ledger=ledger) == []
    decided(ledger, 1, "none")
    absence = {"partitions": [day(1), day(2)]}
    looked_at = {"champion_version": "3", "absences": [absence], "untold_since": day(1)}
    decided(ledger, 2, "cannot_tell", evidence=looked_at, help=["look"])
    decided(ledger, 3, "drift", retrain=True)
    rows = decision_rows(NAME, ledger=ledger)
    assert [row.answer for row in rows] == ["not_retrained", "cannot_tell", "retrain"]
    assert (rows[1].champion, rows[1].n_absent, rows[1].help) == ("3", 2, ("look",))
    assert (rows[1].untold_since, rows[1].untold_lasts) == (day(1), False)
    assert [row.as_of for row in decision_rows(NAME, 2, ledger=ledger)] == [day(2), day(3)]
