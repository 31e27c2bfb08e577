from __future__ import annotations

import re

import pytest

from mlops_tasks.drift import Answer, ColumnDrift, DriftPolicy, Evidence, SchemaChange
from mlops_tasks.drift.decision import Picture
from mlops_tasks.exceptions import SpecError


@pytest.mark.parametrize(
    "kept", [{"level": 0.5}, {"min_effect": 0.0}, {"min_effect": 10.0}, {"min_rows": 30}]
)
def test_the_ends_of_what_a_policy_allows_are_allowed(kept: dict[str, float]) -> None:
    DriftPolicy(**kept)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"level": 0.0}, "level, a chance, must be in (0, 0.5]"),
        ({"level": 0.51}, "level, a chance, must be in (0, 0.5]"),
        ({"min_effect": -0.01}, "min_effect, an effect size, must be in [0, 10]"),
        ({"min_effect": 10.01}, "min_effect, an effect size, must be in [0, 10]"),
        ({"min_rows": 29}, "min_rows must be at least 30, and finite"),
        ({"min_rows": float("inf")}, "min_rows must be at least 30, and finite"),
    ],
)
def test_a_policy_names_the_rule_that_it_breaks(wrong: dict[str, float], rule: str) -> None:
    with pytest.raises(SpecError, match=rf"^drift policy DriftPolicy\(.*\): {re.escape(rule)}$"):
        DriftPolicy(**wrong)


def test_a_policy_names_all_rules_that_it_breaks() -> None:
    with pytest.raises(SpecError, match=r"\(0, 0\.5\]; min_rows must be"):
        DriftPolicy(level=2.0, min_rows=1)


def evidence(effect: float | None, threshold: float | None, *, alarm: bool = False) -> Evidence:
    return Evidence("level", effect, threshold, alarm, "mean 1 → 2")


def test_severity_is_a_multiple_of_the_threshold() -> None:
    assert evidence(0.3, 0.2).severity == pytest.approx(1.5)
    assert evidence(500.0, 0.2).severity == 1000.0
    assert evidence(None, 0.2, alarm=True).severity == 1000.0
    assert evidence(None, None).severity == 0.0
    assert evidence(0.3, 0.0, alarm=True).severity == 1000.0


def test_evidence_is_a_sentence() -> None:
    assert evidence(0.345, 0.2).sentence == "mean 1 → 2 [level effect 0.34, alarm above 0.20]"
    unbounded = "mean 1 → 2 [level effect unbounded, alarm above 0.20]"
    assert evidence(None, 0.2).sentence == unbounded


@pytest.mark.parametrize(
    ("importance", "rank"), [(None, 3.0), (0.5, 1.5), (1.0, 3.0), (4.0, 3.0), (0.0, 0.0)]
)
def test_a_column_ranks_by_severity_and_importance(importance: float | None, rank: float) -> None:
    seen = (evidence(0.2, 0.2), evidence(0.6, 0.2))
    picture = Picture((), (), (), is_ordered=True)
    column = ColumnDrift("x", "numeric", Answer.DRIFT, importance, seen, {}, picture)
    assert column.rank == pytest.approx(rank)
    assert column.alarm
    bare = ColumnDrift("x", "numeric", Answer.STABLE, importance, (), {}, picture)
    assert (bare.severity, bare.alarm) == (0.0, False)


def test_a_new_column_breaks_no_schema() -> None:
    assert (SchemaChange(added=("a",)).alarm, SchemaChange().text) == (False, "")
    assert SchemaChange(removed=("b",)).alarm
    assert SchemaChange(changed=("c: numeric -> category",)).alarm
    every = SchemaChange(("a", "aa"), ("b",), ("c: numeric -> category",))
    assert every.text == "gone: b; changed: c: numeric -> category; new: a, aa"
