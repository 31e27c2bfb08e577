"""Performance before labels: it moves with the inputs, keeps its interval, and knows its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.monitoring import Check, MonitorResult
from mlops_tasks.monitoring.estimation import with_say
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.expected_metric import expected_metric, unexpected_by_day
from mlops_tasks.problem_types.metrics import find_metric
from tests.unit.monitoring.estimated import HARDER, EstimatedWorld, drawn, outcomes_of
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.problem_types.metrics import Interval

KINDS = ("binary", "multiclass", "regression")
METRICS = [
    ("binary", "roc_auc"),
    ("binary", "log_loss"),
    ("binary", "f1"),
    ("multiclass", "log_loss"),
    ("multiclass", "accuracy"),
    ("regression", "mae"),
    ("regression", "rmse"),
]


def expected(kind: str, name: str, window: dict[str, Any], known_n: int = 3000) -> Interval:
    """Estimate a metric of a window, on rows of usual days."""
    known = drawn(kind, 1, known_n)
    frames = [None, None]
    if kind == "regression":
        frames = [pd.DataFrame({"x": one["x"], "word": "a"}) for one in (known, window)]
    rows, problem = outcomes_of(kind, known), problem_type(kind)
    return expected_metric(
        find_metric(name, kind),
        problem.expected_targets(rows, frames[0]),
        rows,
        outcomes_of(kind, window),
        frames[1],
        of_days=0.0,
    )


@pytest.mark.parametrize(("kind", "name"), METRICS)
def test_it_moves_as_the_realised_value_will_where_inputs_move(kind: str, name: str) -> None:
    usual, hard = drawn(kind, 2, 2000), drawn(kind, 3, 2000, **HARDER[kind])
    metric = find_metric(name, kind)
    before, after = (metric.value(outcomes_of(kind, one)) for one in (usual, hard))
    found, moved = (expected(kind, name, one) for one in (usual, hard))
    # One interval of twenty may just miss its value: a fifth of its length is chance.
    for said, value in ((found, before), (moved, after)):
        spare = (said.upper - said.lower) / 5
        assert said.lower - spare < value < said.upper + spare
    assert np.sign(moved.value - found.value) == np.sign(after - before)
    assert abs(moved.value - found.value) > abs(after - before) / 2


@pytest.mark.parametrize(("kind", "name"), METRICS)
def test_it_is_blind_to_what_features_mean_now(kind: str, name: str) -> None:
    usual, other = (drawn(kind, 2, 2000, other=one) for one in (False, True))
    metric = find_metric(name, kind)
    found, blind = (expected(kind, name, one) for one in (usual, other))
    assert blind.value == pytest.approx(found.value, rel=0.1)
    assert not blind.lower < metric.value(outcomes_of(kind, other)) < blind.upper


def test_the_interval_is_wider_with_fewer_rows_and_by_what_days_do() -> None:
    few, many = (expected("binary", "roc_auc", drawn("binary", 2, n)) for n in (300, 3000))
    assert few.upper - few.lower > 1.5 * (many.upper - many.lower)
    rows = outcomes_of("binary", drawn("binary", 1, 3000))
    metric, targets = find_metric("roc_auc", "binary"), problem_type("binary").expected_targets
    plain, wide = (
        expected_metric(metric, targets(rows, None), rows, rows, None, of_days=of_days)
        for of_days in (0.0, 0.05)
    )
    assert wide.value == plain.value
    assert wide.upper - wide.value == pytest.approx(
        np.hypot(plain.upper - plain.value, 0.098), 1e-3
    )


def test_a_metric_that_is_not_defined_is_not_estimated() -> None:
    sure = drawn("binary", 1, 3000)
    rows = replace(outcomes_of("binary", sure), y_true=np.zeros(3000, np.int64))
    targets = problem_type("binary").expected_targets(rows, None)
    nobody = replace(rows, y_pred=np.zeros(3000))
    found = expected_metric(find_metric("roc_auc", "binary"), targets, rows, nobody, None)
    assert np.isnan([found.value, found.lower, found.upper]).all()


# --- its say


def outcomes(held: int, missed: int) -> list[MonitorResult]:
    """Return windows that came true: first those that were missed."""
    marks = [True] * missed + [False] * held
    checks = (Check("roc_auc", 0.7, 0.6, missed, "", None, 0.6, 0.8) for missed in marks)
    return [MonitorResult("1", "2", 9, "1", (check,)) for check in checks]


SAID = Check("roc_auc", 0.7, 0.6, True, "ROC AUC estimated", None, 0.6, 0.8)


@pytest.mark.parametrize(
    ("held", "missed", "has_say", "words"),
    [
        (0, 9, True, "in 0 of 9 windows"),
        (8, 2, True, "in 8 of 10 windows"),
        (7, 3, False, "in 7 of 10 windows"),
        (16, 4, True, "in 16 of 20 windows"),
        (15, 5, False, "in 15 of 20 windows"),
        (16, 30, True, "in 16 of 20 windows"),  # older ones are forgiven
    ],
)
def test_it_loses_its_say_where_its_intervals_have_not_held(
    held: int, missed: int, has_say: bool, words: str
) -> None:
    found = with_say(SAID, outcomes(held, missed))
    assert (found.value, found.alarm) == ((0.7, True) if has_say else (None, False))
    assert (found.lower, found.upper) == (0.6, 0.8)  # what comes of it is still looked at
    assert f"95% intervals held the realised value {words}" in found.text
    assert ("lost its say" in found.text) is not has_say


def test_before_any_window_has_come_true_it_says_nothing_of_its_past() -> None:
    assert with_say(SAID, []) == SAID


# --- in a lake


@pytest.mark.parametrize("kind", KINDS)
def test_days_are_estimated_before_their_labels_and_judged_with_them(
    kind: str, tmp_path: Path
) -> None:
    world = EstimatedWorld(tmp_path, kind)
    for number in range(5, 18):
        world.score(number)
    for number in range(5, 15):
        world.label(number)
    (check,) = world.estimate(17).checks
    assert (check.name, check.answer) == (world.metric, "fine")
    assert check.lower is not None
    assert check.upper is not None
    assert check.lower < check.value < check.upper
    assert "600 rows scored" in check.text
    assert f"calibrated on 2000 of {day(5)} to {day(14)}" in check.text
    assert "blind to concept change" in check.text
    world.score(18, **HARDER[kind])
    world.label(15)
    (worse,) = world.estimate(18).checks
    greater = find_metric(world.metric, kind).greater_is_better
    assert (worse.lower < check.lower) if greater else (worse.upper > check.upper)
    for number in (16, 17):
        world.label(number)
    found = world.judge(17)
    assert found is not None
    assert found.answer == "fine"
    assert "has held it" in found.checks[0].text
    assert (found.n_rows, found.checks[0].lower) == (600, check.lower)


def test_with_too_few_matured_rows_nobody_can_tell(tmp_path: Path) -> None:
    world = EstimatedWorld(tmp_path)
    for number in range(4, 14):  # the version has learnt from day 4
        world.score(number)
    world.label(4)
    text = world.estimate(8).checks[0].text
    assert "too few matured predictions to calibrate on, 0 rows of version 1" in text
    for number in range(7, 10):
        world.label(number)
    two, three = (world.estimate(number) for number in (10, 11))
    assert two.answer == "cannot_tell"
    text = two.checks[0].text
    assert "400 rows of 2 days of version 1; at least 500 rows of 3 days are needed, with " in text
    assert two.checks[0].lower is None
    assert three.answer == "fine"
    assert "calibrated on 600 of" in three.checks[0].text


def test_labels_that_came_later_are_not_looked_at(tmp_path: Path) -> None:
    world = EstimatedWorld(tmp_path)
    for number in range(7, 14):
        world.score(number)
    for number in range(7, 11):
        world.label(number, share=0.79 if number == 8 else 1.0)
    first = world.estimate(13)
    assert "calibrated on 600 of" in first.checks[0].text  # day 8 is not mature
    world.label(8, known=20)  # late
    world.label(11, known=20)
    world.label(10, other=True, known=20)
    assert world.estimate(13) == first
    entries = world.ledger.entries(kind="estimate", history=True)
    assert [entry.key for entry in entries] == [day(13)]


def test_only_rows_of_the_version_count(tmp_path: Path) -> None:
    world = EstimatedWorld(tmp_path)
    for number in range(7, 15):
        world.score(number, version="2" if number == 13 else "1")
    for number in range(7, 12):
        world.label(number)
    found = world.estimate(14)
    assert (found.first, found.last, found.n_rows) == (day(12), day(14), 400)
    with pytest.raises(NeverScoredError, match="version 1 has not scored"):
        world.estimate(13)


def test_a_window_with_labels_missing_is_not_judged_until_they_come(tmp_path: Path) -> None:
    world = EstimatedWorld(tmp_path)
    for number in range(7, 14):
        world.score(number)
    for number in range(7, 11):
        world.label(number)
    world.estimate(13)
    world.label(11, share=0.5)
    world.label(12)
    world.label(13)
    assert world.judge(13) is None
    world.label(11, share=0.9)
    first = world.judge(13)
    world.label(11)
    late = world.judge(13)
    assert first is not None
    assert late is not None
    assert (first.n_rows, late.n_rows) == (580, 600)
    keys = [entry.key for entry in world.ledger.entries(kind="estimate_outcome", history=True)]
    assert keys == [day(13)] * 2  # the late labels correct it, and it counts once
    counted = world.ledger.newest_of_keys(world.spec.name, "estimate_outcome", 20)
    assert [entry.evidence["n_rows"] for entry in counted] == [600]


def test_a_change_of_concept_is_not_seen_and_ends_its_say_after_ten_windows(
    tmp_path: Path,
) -> None:
    world = EstimatedWorld(tmp_path, limits={"window": "1d", "max_window": "1d"})
    usual, changed = range(5, 16), range(16, 27)
    answers = {}
    for number in (*usual, *changed):
        # Labels come when all is scored: until then nobody could have learnt the new concept.
        world.score(number)
        world.label(number, other=number in changed, known=number + 1 if number in usual else 60)
    for number in changed[:10]:
        answers[number] = world.estimate(number)
    # Scores that now rank the wrong way round still look as good as at the gate.
    for (check,) in (found.checks for found in answers.values()):
        assert not check.alarm
        assert check.lower is not None
        assert check.lower > 0.6
    for number in changed[:10]:
        world.label(number, other=True, known=26)
        found = world.judge(number)
        assert found is not None
        assert found.answer == "alarm"
    again = world.estimate(26)
    assert again.answer == "cannot_tell"
    assert "lost its say, its 95% intervals held the realised value in 0 of 10" in (
        again.checks[0].text
    )


def test_days_that_differ_as_expected_do_not_widen_an_interval() -> None:
    """Days of easy and of hard rows: their metric differs, and what is expected of them, too."""
    parts = [drawn("binary", n, 600, spread=0.3 if n % 2 else 2.0) for n in range(12)]
    found = {name: np.concatenate([one[name] for one in parts]) for name in ("y_pred", "minutes")}
    days = np.repeat(np.arange(12), 600)
    rows = replace(outcomes_of("binary", found), days=days)
    metric = find_metric("roc_auc", "binary")
    targets = problem_type("binary").expected_targets(rows, None)
    usual = unexpected_by_day(metric, targets, rows, None)
    by_day = [metric.value(rows.part(days == day)) for day in range(12)]
    assert usual is not None
    assert usual < np.std(by_day) / 4
    odd = np.where(days % 3 == 0, 1 - rows.y_true, rows.y_true)
    moved = replace(rows, y_true=odd)
    targets = problem_type("binary").expected_targets(moved, None)
    more = unexpected_by_day(metric, targets, moved, None)
    assert more is not None
    assert more > 0.1
    few = moved.part(days < 4)
    targets = problem_type("binary").expected_targets(few, None)
    assert unexpected_by_day(metric, targets, few, None) is None
    assert unexpected_by_day(metric, targets, replace(few, days=None), None) is None
