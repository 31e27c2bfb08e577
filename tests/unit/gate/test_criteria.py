"""Criteria and the verdict that follows from them; several questions at one level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_tasks.gate import Criterion, conclude, error_rate
from mlops_tasks.gate.holm import holm_levels
from mlops_tasks.serialization import from_json, to_json


def one(answer: str, kind: str = "non_inferiority", **more: Any) -> Criterion:
    return Criterion("m", kind, answer, f"{kind} is {answer}", **more)


BETTER, EQUAL = one("fine", "superiority"), one("alarm", "superiority")


@pytest.mark.parametrize(
    ("criteria", "verdict"),
    [
        ([BETTER], "promote"),
        ([EQUAL], "keep"),
        ([EQUAL, BETTER], "promote"),
        ([one("fine", "floor")], "promote"),
        ([one("cannot tell", "superiority")], "cannot_tell"),
        ([one("cannot tell", "superiority"), EQUAL], "keep"),
        ([EQUAL, one("alarm")], "keep"),
        ([EQUAL, one("cannot tell")], "keep"),
        ([BETTER, one("fine")], "promote"),
        ([BETTER, one("alarm")], "keep"),
        ([BETTER, one("cannot tell")], "cannot_tell"),
        ([BETTER, one("cannot tell"), one("alarm")], "keep"),
        ([BETTER, one("alarm", failing="ask")], "ask"),
        ([BETTER, one("cannot tell", failing="ask")], "ask"),
        ([EQUAL, one("alarm", failing="ask")], "keep"),
        ([BETTER, one("alarm", failing="ask"), one("alarm")], "keep"),
        ([BETTER, one("alarm", failing="ask"), one("cannot tell")], "cannot_tell"),
        ([BETTER, one("alarm", failing="report")], "promote"),
        ([BETTER, one("cannot tell", "slice")], "promote"),
        ([BETTER, one("alarm", "slice")], "keep"),
        ([BETTER, one("cannot tell", "slice", failing="ask")], "promote"),
        ([BETTER, one("alarm", "slice", failing="ask")], "ask"),
        ([BETTER, one("cannot tell", "fairness")], "cannot_tell"),
        ([BETTER, one("alarm", "latency")], "keep"),
    ],
)
def test_the_verdict_that_follows(criteria: list[Criterion], verdict: str) -> None:
    assert conclude(criteria)[0] == verdict
    with_person = "ask" if verdict == "promote" else verdict
    assert conclude(criteria, approval=True)[0] == with_person


def test_the_reason_says_what_decided() -> None:
    assert conclude([BETTER])[1] == "superiority is fine"
    limits = [one("fine"), one("fine"), one("fine", "slice")]
    assert conclude([BETTER, *limits])[1] == (
        "superiority is fine; within all limits: 2 of non-inferiority, 1 of slice"
    )
    assert conclude([BETTER, one("fine"), one("alarm", "fairness")])[1] == (
        "superiority is fine; fairness is alarm"
    )
    assert conclude([EQUAL, one("fine"), one("alarm", "slice")])[1] == (
        "superiority is alarm; slice is alarm"
    )
    assert conclude([BETTER, one("cannot tell")])[1] == (
        "superiority is fine; non_inferiority is cannot tell; take a larger evaluation window"
    )
    asked = conclude([BETTER, one("alarm", "overfit", failing="ask")])[1]
    assert asked == "a person must decide: superiority is fine; overfit is alarm"
    approved = conclude([BETTER], approval=True)[1]
    assert approved == "a person decides about each promotion: superiority is fine"


def test_a_long_reason_names_the_first_and_counts_the_rest() -> None:
    slices = [one("alarm", "slice") for _ in range(9)]
    told = conclude([BETTER, *slices])[1]
    assert told.count("slice is alarm") == 2
    assert told.endswith("; and 7 more")
    assert "more" not in conclude([BETTER, *slices[:3]])[1], "one more is shown as well"


def test_a_criterion_comes_back_from_json() -> None:
    found = Criterion("m", "slice", "fine", "t", 0.1, -0.2, 0.3, -0.01, 0.999, "ask", 40)
    assert from_json(Criterion, to_json(found)) == found


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([0.01], [0.03]),
        ([0.5], [0.03]),
        ([0.02, 0.001], [0.03, 0.015]),
        ([0.02, 0.02], [0.015, 0.015]),
        ([0.015, 0.5], [0.015, 0.015]),  # a level that is just reached is missed
        ([0.0149, 0.029], [0.015, 0.03]),
        ([0.04, 0.001, 0.5], [0.015, 0.01, 0.015]),
        ([], []),
    ],
)
def test_the_levels_of_holm(levels: list[float], expected: list[float]) -> None:
    assert holm_levels(levels, 0.03) == pytest.approx(expected)


def test_any_wrong_yes_among_independent_questions_is_as_rare_as_stated() -> None:
    random, wrong = np.random.default_rng(1), 0
    for _ in range(2000):
        levels = random.random(8).tolist()
        wrong += any(p < own for p, own in zip(levels, holm_levels(levels, 0.1), strict=True))
    assert 140 <= wrong <= 245, "10 % of 2000, within four standard errors"


def test_the_rate_of_a_year() -> None:
    assert error_rate(0.025, 10) == {"level": 0.025, "gates": 10, "expected": 0.2, "any": 0.2237}
