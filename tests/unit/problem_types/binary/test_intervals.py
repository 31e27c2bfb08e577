"""Intervals hold with few rows: useless models pass at the stated rate at most, good ones do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm
from sklearn.metrics import log_loss, roc_auc_score

from mlops_tasks.problem_types.binary.intervals import (
    auc_standard_error,
    compare_scores,
    share_interval,
)


def outcomes(n_positive: int, n_negative: int) -> Any:
    return np.repeat([1, 0], [n_positive, n_negative])


def draw(seed: int, target: Any, *, skill: float, noise: float = 1.0) -> Any:
    """Draw scores; their ROC AUC is `norm.cdf(skill / sqrt(2) / noise)`."""
    hidden = np.random.default_rng(seed).normal(skill * target, noise)
    return norm.cdf(hidden - skill / 2)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_roc_auc_is_that_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    target = np.array([int(label) for label, _ in rows])
    scores = np.array([value for _, value in rows])
    found = compare_scores(target, scores, n_bootstrap=50).roc_auc
    assert found.value == pytest.approx(roc_auc_score(target, scores))
    assert found.lower <= found.value <= found.upper


def test_differences_to_a_rival_are_paired() -> None:
    target = outcomes(60, 140)
    ours, theirs = draw(1, target, skill=1.5), draw(2, target, skill=0.5)
    found = compare_scores(target, ours, theirs)
    assert found.auc_gain is not None
    assert found.log_loss_gap is not None
    assert found.auc_gain.value == pytest.approx(
        roc_auc_score(target, ours) - roc_auc_score(target, theirs)
    )
    assert found.log_loss_gap.value == pytest.approx(
        log_loss(target, ours) - log_loss(target, theirs)
    )
    for one in (found.roc_auc, found.auc_gain, found.log_loss_gap):
        assert one.lower < one.value < one.upper
    assert found.auc_gain.value - found.auc_gain.lower == pytest.approx(0.1, abs=0.05)
    assert found.auc_gain.upper - found.auc_gain.value == pytest.approx(0.1, abs=0.05)
    alone = compare_scores(target, ours)
    assert (alone.auc_gain, alone.log_loss_gap) == (None, None)


def test_an_interval_follows_its_seed_and_its_confidence() -> None:
    target = outcomes(50, 150)
    scores = draw(3, target, skill=1.0)
    first = compare_scores(target, scores, n_bootstrap=60, seed=3)
    assert first == compare_scores(target, scores, n_bootstrap=60, seed=3)
    assert first != compare_scores(target, scores, n_bootstrap=60, seed=4)
    wide = compare_scores(target, scores, n_bootstrap=60, confidence=0.999, seed=3).roc_auc
    assert wide.lower < first.roc_auc.lower
    assert wide.upper > first.roc_auc.upper


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n_hits", [0, 3, 7, 10])
def test_with_many_negative_rows_of_one_score_it_is_the_exact_interval_of_a_share(
    confidence: float, n_hits: int
) -> None:
    """Each positive row scores above all negative ones, or below: the ROC AUC is a share."""
    target = outcomes(10, 5000)
    scores = np.where(target == 0, 0.5, 0.0)
    scores[:n_hits] = 1.0
    found = compare_scores(target, scores, confidence=confidence, n_bootstrap=4000).roc_auc
    exact = share_interval(n_hits, 10, confidence=confidence)
    assert found.value == n_hits / 10
    assert found.lower == pytest.approx(exact.lower, abs=0.02)
    assert found.upper == pytest.approx(exact.upper, abs=0.02)


def test_with_many_rows_it_is_the_usual_interval() -> None:
    target = outcomes(600, 1800)
    found = compare_scores(target, draw(5, target, skill=1.0), n_bootstrap=2000).roc_auc
    error = auc_standard_error(found.value, 600, 1800)
    assert (found.value - found.lower) / error == pytest.approx(1.96, rel=0.1)
    assert (found.upper - found.value) / error == pytest.approx(1.96, rel=0.1)


def test_more_resamples_are_drawn_where_the_confidence_needs_them() -> None:
    target = outcomes(200, 200)
    scores = draw(6, target, skill=0.0)
    few = compare_scores(target, scores, confidence=0.999, n_bootstrap=50).roc_auc
    assert few == compare_scores(target, scores, confidence=0.999, n_bootstrap=2000).roc_auc
    assert few != compare_scores(target, scores, confidence=0.999, n_bootstrap=2001).roc_auc


CLASSES = [(1, 199), (2, 198), (3, 197), (5, 195), (10, 190), (190, 10), (10, 10), (50, 50)]


def useless(kind: str, seed: int, target: Any) -> tuple[Any, Any | None]:
    """Draw scores that know nothing of the target, and a rival's that do not either."""
    random = np.random.default_rng([seed, len(target), int(target.sum())])
    uniform, other = random.random((2, len(target)))
    return {
        "noise": (uniform, None),
        "few values": ((uniform < 0.9) * 1.0, None),
        "rarely high": ((uniform < 0.03) * 1.0, None),
        "noise against noise": (uniform, other),
        "noise against a constant": (uniform, np.full(len(target), 0.1)),
        "few values against few": ((uniform < 0.9) * 1.0, (other < 0.1) * 1.0),
    }[kind]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
@pytest.mark.parametrize(
    "kind",
    [
        "noise",
        "few values",
        "rarely high",
        "noise against noise",
        "noise against a constant",
        "few values against few",
    ],
)
def test_useless_models_pass_at_the_stated_rate_at_most(
    kind: str, classes: tuple[int, int]
) -> None:
    """At 80 % one in ten may: more shows in fewer draws than at 95 %."""
    target, passed, times = outcomes(*classes), 0, 60
    for seed in range(times):
        scores, rival = useless(kind, seed, target)
        found = compare_scores(target, scores, rival, confidence=0.8, n_bootstrap=50, seed=seed)
        gain = found.auc_gain
        passed += found.roc_auc.lower > 0.5 if gain is None else gain.lower > 0
    assert passed <= 12, "with one in ten, 13 or more of 60 happen once in 100 trials"


@pytest.mark.parametrize(
    ("classes", "skill"), [((10, 490), 2.5), ((20, 480), 2.0), ((50, 450), 1.2), ((300, 700), 0.8)]
)
def test_a_clearly_better_model_is_found(classes: tuple[int, int], skill: float) -> None:
    target = outcomes(*classes)
    found = [
        compare_scores(
            target, draw(seed, target, skill=skill), draw(-seed % 97 + 50, target, skill=0)
        )
        for seed in range(10)
    ]
    assert sum(one.roc_auc.lower > 0.5 for one in found) >= 9
    assert sum(one.auc_gain is not None and one.auc_gain.lower > 0 for one in found) >= 8


@pytest.mark.parametrize("classes", [(10, 190), (50, 450)], ids=str)
def test_the_gap_in_log_loss_is_covered(classes: tuple[int, int]) -> None:
    """Scores that are right against scores that are too sure of themselves: heavy tails."""
    random, times, missed = np.random.default_rng(8), 80, 0
    logits = math.log(classes[0] / classes[1]) + random.normal(0, 1, (times, sum(classes)))
    truth, sure = (1 / (1 + np.exp(-factor * logits)) for factor in (1.0, 1.5))
    losses = [-(truth * np.log(p) + (1 - truth) * np.log(1 - p)) for p in (sure, truth)]
    gap = float((losses[0] - losses[1]).mean())
    for ours, theirs in zip(sure, truth, strict=True):
        target = (random.random(len(theirs)) < theirs).astype(int)
        found = compare_scores(target, ours, theirs, confidence=0.8, n_bootstrap=50).log_loss_gap
        assert found is not None
        missed += found.upper < gap
    assert missed <= 16, "with one in ten, 17 or more of 80 happen once in 1000 trials"


@pytest.mark.parametrize(("hits", "rows"), [(0, 100), (1, 100), (37, 100), (99, 100), (100, 100)])
def test_a_share_has_the_exact_interval(hits: int, rows: int) -> None:
    found = share_interval(hits, rows, confidence=0.9)
    assert found.value == hits / rows
    assert found.lower == pytest.approx(beta.ppf(0.05, hits, rows - hits + 1) if hits else 0)
    assert found.upper == pytest.approx(beta.ppf(0.95, hits + 1, rows - hits) if hits < rows else 1)


def test_confidence_is_95_percent_unless_said_otherwise() -> None:
    assert share_interval(3, 10) == share_interval(3, 10, confidence=0.95)
    target = outcomes(20, 30)
    scores = draw(1, target, skill=1.0)
    said = compare_scores(target, scores, confidence=0.95, n_bootstrap=500, seed=0)
    assert compare_scores(target, scores) == said


def test_the_error_of_an_auc_is_what_resampling_finds() -> None:
    random = np.random.default_rng(2)
    positive, negative = 150, 450
    target = outcomes(positive, negative)
    draws = [roc_auc_score(target, random.normal(0.8 * target, 1)) for _ in range(300)]
    formula = auc_standard_error(float(np.mean(draws)), positive, negative)
    assert formula == pytest.approx(np.std(draws), rel=0.15)


@pytest.mark.parametrize("auc", [0.3, 0.5, 0.9])
def test_the_error_of_one_pair_is_that_of_a_coin(auc: float) -> None:
    """Two pairs that share a row depend on each other: more so in one class than in the other."""
    alone = auc * (1 - auc)
    same_positive, same_negative = 2 * auc**2 / (1 + auc) - auc**2, auc / (2 - auc) - auc**2
    assert auc_standard_error(auc, 1, 1) == pytest.approx(math.sqrt(alone))
    assert auc_standard_error(auc, 1, 2) == pytest.approx(math.sqrt((alone + same_positive) / 2))
    assert auc_standard_error(auc, 2, 1) == pytest.approx(math.sqrt((alone + same_negative) / 2))


def test_more_rows_make_a_smaller_error() -> None:
    assert auc_standard_error(0.7, 800, 3200) < auc_standard_error(0.7, 200, 800)
    assert auc_standard_error(1.0, 10, 10) == 0.0
