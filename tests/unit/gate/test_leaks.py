"""Leak suspects keep a champion, whatever the predictions say, until the spec allows them."""

from __future__ import annotations

import json

import pytest

from mlops_tasks.gate import Verdict, hold_back, split_suspects
from mlops_tasks.registry.versions import LeakSuspect
from mlops_tasks.serialization import from_json, to_json

PROMOTE = Verdict("promote", "better by 0.2", 400, {"roc_auc": 0.9998}, None, None, {})


def suspect(*columns: str, kind: str = "alone") -> LeakSuspect:
    return LeakSuspect(columns, kind, 0.99, 0.98, 1.0, 400, f"{' + '.join(columns)} gives it")


PAID, SUM = suspect("paid"), suspect("dep_delay", "taxi", kind="sum")


@pytest.mark.parametrize("verdict", ["promote", "keep", "cannot_tell"])
def test_a_suspect_keeps_the_champion_and_says_what_to_do(verdict: str) -> None:
    given = Verdict(verdict, "so it is", 400, {"roc_auc": 0.9}, None, None, {})
    found = hold_back(given, [PAID, SUM], ())
    assert found.verdict == "keep"
    assert found.suspects == (PAID, SUM)
    assert found.reason == (
        "looks like a leak of the label: paid gives it; dep_delay + taxi gives it. Take ['paid', "
        "'dep_delay', 'taxi'] out of the features; what really is known at the row's moment, name "
        f"in ModelSpec(allow_leak_suspects=...). Else the verdict were {verdict}: so it is"
    )
    assert found.challenger == given.challenger


def test_without_suspects_the_verdict_is_as_it_was() -> None:
    assert hold_back(PROMOTE, [], ("paid",)) == PROMOTE


def test_what_the_spec_allows_is_written_down_and_holds_nothing_back() -> None:
    found = hold_back(PROMOTE, [PAID, SUM], ("taxi", "paid", "dep_delay"))
    assert (found.verdict, found.reason) == ("promote", "better by 0.2")
    assert found.suspects == (PAID, SUM)


def test_a_sum_is_allowed_with_all_of_its_columns() -> None:
    found = hold_back(PROMOTE, [PAID, SUM], ("paid", "taxi"))
    assert found.verdict == "keep"
    assert "paid gives it" not in found.reason
    assert "Take ['dep_delay', 'taxi'] out" in found.reason
    assert split_suspects([PAID, SUM], ("paid", "taxi")) == ([SUM], [PAID])
    assert split_suspects([PAID, SUM], ("paid",)) == ([SUM], [PAID])


def test_many_suspects_are_counted_and_each_column_named_once() -> None:
    many = [suspect("a"), suspect("b"), suspect("a", "c"), suspect("d"), suspect("e")]
    found = hold_back(PROMOTE, many, ())
    assert "a gives it; b gives it; a + c gives it; and 2 more. Take" in found.reason
    assert "['a', 'b', 'c', 'd', 'e']" in found.reason
    assert "more" not in hold_back(PROMOTE, many[:3], ()).reason


def test_suspects_survive_xcom_and_the_ledger() -> None:
    found = hold_back(PROMOTE, [PAID, SUM], ())
    assert from_json(Verdict, json.loads(json.dumps(to_json(found)))) == found
    old = to_json(PROMOTE)
    del old["suspects"]  # as a ledger of before has it
    assert from_json(Verdict, old) == PROMOTE
