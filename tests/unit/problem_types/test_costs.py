"""Costs of decisions, and the threshold at which decisions cost least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.problem_types.costs import (
    Costs,
    best_threshold,
    cheapest_classes,
    costs_of_rows,
)
from mlops_tasks.problem_types.metrics import compare, find_metric, measure
from mlops_tasks.problem_types.outcomes import Outcomes

MISS = Costs.of({"false_alarm": 1, "miss": 20}, "binary")
TRIAGE = {
    "billing": {"login": 1, "fraud": 2},
    "login": {"billing": 3, "fraud": 4},
    "fraud": {"billing": 50, "login": 60},
}
CLASSES = ("billing", "login", "fraud")


def test_two_mistakes_are_a_matrix() -> None:
    assert MISS.matrix(("false", "true")).tolist() == [[0, 1], [20, 0], [20, 1]]
    assert (MISS.low, MISS.high) == (0, 20)


def test_what_is_right_may_cost_or_earn() -> None:
    raw = {"true": {"false": 20, "true": 2}, "false": {"true": 3, "false": -1}}
    costs = Costs.of(raw, "binary")
    assert costs.matrix(("false", "true")).tolist() == [[-1, 3], [20, 2], [20, 3]]
    assert (costs.low, costs.high) == (-1, 20)


def test_a_class_that_the_version_does_not_know_costs_the_most() -> None:
    costs = Costs.of(TRIAGE, "multiclass")
    assert costs.matrix(CLASSES).tolist() == [[0, 1, 2], [3, 0, 4], [50, 60, 0], [50, 60, 4]]
    assert costs.matrix(("fraud", "login")).tolist() == [[0, 60], [4, 0], [4, 60]]


@pytest.mark.parametrize(
    ("raw", "kind", "said"),
    [
        ({"false_alarm": 1}, "binary", "are false_alarm and miss, both, and are false_alarm;"),
        ({"miss": 1, "hit": 0}, "binary", "are false_alarm and miss, both, and are miss, hit;"),
        ({"mis": 1, "false_alarms": 1}, "binary", r"costs\['mis'\] is 1 and must name the cost"),
        ({"true": {"false": 1}}, "binary", "costs name no class 'false'; there are: true"),
        (
            {"true": {"flase": 1}, "false": {"true": 1}},
            "binary",
            "does not say what it costs to decide 'false'; did you mean 'flase'",
        ),
        ({"false_alarm": 0, "miss": 1}, "binary", "to decide 'true' where 'false' is true costs 0"),
        ({"false_alarm": 1, "miss": -2}, "binary", "where 'true' is true costs -2, no more than"),
        ({"false_alarm": "1", "miss": 2}, "binary", r"\['true'\] is '1' and must be a finite num"),
        ({"false_alarm": True, "miss": 2}, "binary", "is True and must be a finite number"),
        ({"false_alarm": float("inf"), "miss": 2}, "binary", "is inf and must be a finite"),
        ({"a": {"b": 1}, "b": {"a": 1}, "c": {"a": 1}}, "multiclass", r"costs\['a'\] does not say"),
        ({"false_alarm": 1, "miss": 2}, "regression", "a regression has none"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:40],
)
def test_costs_that_cannot_be_are_refused(raw: dict[str, Any], kind: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Costs.of(raw, kind)


def test_a_class_without_costs_is_named_when_a_version_knows_it() -> None:
    costs = Costs.of(TRIAGE, "multiclass")
    with pytest.raises(SpecError, match="costs name no class 'spam'"):
        costs.matrix(("spam", *CLASSES))


def test_two_classes_are_decided_by_the_threshold() -> None:
    rows = Outcomes(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.3, 0.1]), threshold=0.2)
    assert costs_of_rows(rows, MISS).tolist() == [0, 1, 0, 20]


def test_more_classes_are_decided_for_the_cheapest() -> None:
    costs = Costs.of(TRIAGE, "multiclass")
    p = np.array([[0.9, 0.06, 0.04], [0.6, 0.38, 0.02], [0.97, 0.02, 0.01], [0.1, 0.9, 0.0]])
    # Fraud is decided at 4 %: deciding billing costs 0.04 · 50 + 0.06 · 3 = 2.18, fraud 2.04.
    assert cheapest_classes(p, costs.matrix(CLASSES)[:-1]).tolist() == [2, 1, 0, 1]
    rows = Outcomes(np.array([0, 0, 0, -1]), p, classes=CLASSES)
    assert costs_of_rows(rows, costs).tolist() == [2, 1, 0, 60]


def test_the_expected_cost_is_a_metric() -> None:
    metric = find_metric("expected_cost", "binary", MISS)
    assert (metric.low, metric.high, metric.greater_is_better) == (0, 20, False)
    assert metric.of_decisions
    rows = Outcomes(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.3, 0.1]), threshold=0.2)
    assert metric.value(rows) == 5.25
    found = measure(metric, rows)
    assert 0 < found.lower < 5.25 < found.upper < 20
    assert compare(metric, rows, Outcomes(rows.y_true, rows.y_pred, threshold=0.05)).value == -4.75
    assert not find_metric("expected_cost", "multiclass", MISS).of_decisions


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_expected_cost_needs_costs(kind: str) -> None:
    with pytest.raises(SpecError, match="needs costs, and the spec has none: add them, as costs="):
        find_metric("expected_cost", kind)


def test_a_regression_has_no_expected_cost() -> None:
    with pytest.raises(SpecError, match="'expected_cost' is no metric of regression"):
        find_metric("expected_cost", "regression", MISS)


def draw(n: int, seed: int, power: float = 1.0) -> Outcomes:
    """Draw scores; with a power of 1 they are calibrated."""
    random = np.random.default_rng(seed)
    chance = random.beta(0.5, 9.5, n)
    return Outcomes((random.random(n) < chance) * 1, chance**power)


def cost_at(threshold: float, power: float = 1.0) -> float:
    """Calculate the expected cost of a threshold on a million rows of that kind."""
    rows = draw(300_000, 99, power)
    decided = Outcomes(rows.y_true, rows.y_pred, threshold=threshold)
    return find_metric("expected_cost", "binary", MISS).value(decided)


def empirical(rows: Outcomes) -> float:
    """Try every score as a threshold and take the first that costs least."""
    tried = np.append(0.0, np.unique(rows.y_pred))
    paid = [
        costs_of_rows(Outcomes(rows.y_true, rows.y_pred, threshold=one), MISS).sum()
        for one in tried
    ]
    return float(tried[int(np.argmin(paid))])


def test_of_few_rows_the_known_threshold_is_taken_and_costs_less_than_the_empirical_one() -> None:
    ours, theirs = [], []
    for seed in range(20):
        rows = draw(300, seed)
        ours.append(cost_at(best_threshold(rows, MISS)))
        theirs.append(cost_at(empirical(rows)))
    best = cost_at(1 / 21)
    assert np.mean(ours) - best < 0.5 * (np.mean(theirs) - best)


def test_scores_that_are_no_probabilities_get_their_own_threshold() -> None:
    """Squared, a chance of 1/21 is 1/441: the known threshold would miss four of five."""
    for seed in range(3):
        found = best_threshold(draw(20_000, seed, 2.0), MISS)
        assert cost_at(found, 2.0) < 1.05 * cost_at(1 / 441, 2.0)
        assert cost_at(1 / 21, 2.0) > 1.3 * cost_at(1 / 441, 2.0)


@pytest.mark.parametrize(
    ("y", "p", "threshold"),
    [
        ([0, 0, 1, 1], [0.2, 0.3, 0.6, 0.8], 0.45),  # between 0.3 and 0.6 nothing is wrong
        ([0, 0, 1, 1], [0.01, 0.02, 0.3, 0.8], 1 / 21),  # the known one does as well as any
        ([1, 1, 1, 1], [0.2, 0.3, 0.6, 0.8], 1 / 21),
        ([0, 0, 0, 0], [0.2, 0.3, 0.6, 1.0], 1.0),
        ([0, 0, 0, 0], [0.2, 0.3, 0.6, 0.8], 0.9),
        ([1, 1, 1, 1], [0.02, 0.3, 0.6, 0.8], 0.01),
    ],
)
def test_of_equally_cheap_thresholds_it_is_the_known_one_or_the_middle_of_the_nearest(
    y: list[int], p: list[float], threshold: float
) -> None:
    assert best_threshold(Outcomes(np.array(y), np.array(p)), MISS) == pytest.approx(threshold)


def test_weights_count() -> None:
    y, p = np.array([0, 1, 0, 1] * 50), np.array([0.3, 0.3, 0.6, 0.6] * 50)
    even = Costs.of({"false_alarm": 1, "miss": 1.5}, "binary")
    often = np.where(y == 0, 9.0, 1.0)
    assert best_threshold(Outcomes(y, p), even) < 0.3
    assert best_threshold(Outcomes(y, p, weights=often), even) > 0.6


def test_what_is_right_may_cost_most_and_counts_in_the_threshold() -> None:
    """Between 0.02 and 0.3 nothing is wrong, so the known one is taken: 10 / (10 + 18)."""
    raw = {"false": {"false": 30, "true": 40}, "true": {"false": 20, "true": 2}}
    rows = Outcomes(np.array([0, 0, 1, 1]), np.array([0.01, 0.02, 0.6, 0.8]))
    assert best_threshold(rows, Costs.of(raw, "binary")) == pytest.approx(10 / 28)


@pytest.mark.parametrize(
    ("y", "p", "threshold"),
    [
        ([0, 1], [0.25, 0.8], 0.25),  # a row at the threshold is not decided to be true
        ([1, 1, 1, 1], [0.25, 0.3, 0.6, 0.8], 0.125),  # at 0.25 the first one would be missed
        ([1, 1, 1, 1], [0.0, 0.3, 0.6, 0.8], 0.25),  # no threshold catches a score of 0
        ([1, 0, 0, 0], [0.3, 0.6, 0.7, 0.8], 0.25),  # one standard error more than 0.9 costs
    ],
)
def test_a_score_may_be_the_known_threshold(y: list[int], p: list[float], threshold: float) -> None:
    costs = Costs.of({"false_alarm": 1, "miss": 3}, "binary")
    assert best_threshold(Outcomes(np.array(y), np.array(p)), costs) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("weights", "threshold"),
    [
        # Not to decide at all saves 3, with a standard error of sqrt(10.8 - 3² / 4) = 2.92.
        ([1.0, 0.952, 0.952, 2.596], 0.9),
        # It saves 1.5, with a standard error of sqrt(2.95 - 1.5² / 4) = 1.55.
        ([0.2, 0.0553, 0.0553, 1.6894], 0.4),
    ],
)
def test_one_standard_error_decides_whether_rows_speak_against_the_known_threshold(
    weights: list[float], threshold: float
) -> None:
    costs = Costs.of({"false_alarm": 1, "miss": 1.5}, "binary")
    y, p = np.array([1, 0, 0, 0]), np.array([0.5, 0.6, 0.7, 0.8])
    found = best_threshold(Outcomes(y, p, weights=np.array(weights)), costs)
    assert found == pytest.approx(threshold)


def test_what_is_right_may_earn_and_bounds_the_intervals() -> None:
    raw = {"true": {"false": 20, "true": -1}, "false": {"true": 20, "false": -1}}
    metric = find_metric("expected_cost", "binary", Costs.of(raw, "binary"))
    wrong = Outcomes(np.array([0, 0, 1, 1]), np.array([0.9, 0.9, 0.1, 0.1]), threshold=0.5)
    right = Outcomes(wrong.y_true, 1 - wrong.y_pred, threshold=0.5)
    assert measure(metric, right).lower == -1.0
    assert measure(metric, wrong).lower < 20.0
    found = compare(metric, wrong, right)
    assert (found.lower, found.value) == (-21.0, -21.0)
    sure = compare(metric, right, wrong, confidence=1 - 1e-9)  # more than resamples can say
    assert (sure.lower, sure.upper) == (-21.0, 21.0)
