"""Intervals hold with few rows and with days that differ; paired differences know the direction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from mlops_tasks.problem_types.metrics import compare, find_metric, measure
from mlops_tasks.problem_types.outcomes import Outcomes
from tests.unit.problem_types.metrics.samples import CASES, CLASSES, draw


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n_hits", [0, 1, 5, 12])
def test_of_hits_it_is_the_exact_interval_of_a_share(n_hits: int, confidence: float) -> None:
    y, p = np.ones(12, int), np.repeat([0.9, 0.1], [n_hits, 12 - n_hits])
    for name in ("accuracy", "recall"):
        found = measure(
            find_metric(name, "binary"), Outcomes(y, p), confidence=confidence, n_bootstrap=4000
        )
        exact = binomtest(n_hits, 12).proportion_ci(confidence)
        assert found.value == pytest.approx(n_hits / 12)
        assert found.lower == pytest.approx(exact.low, abs=0.02)
        assert found.upper == pytest.approx(exact.high, abs=0.02)


def test_of_days_alike_in_size_it_is_that_of_student() -> None:
    random = np.random.default_rng(2)
    days = np.repeat([f"2024-03-{day:02d}" for day in range(1, 15)], 200)
    level = np.repeat(random.normal(0, 1, 14), 200)
    found = measure(
        find_metric("bias", "regression"),
        Outcomes(np.zeros(2800), level, days),
        n_bootstrap=4000,
    )
    known = ttest_1samp(level[::200], 0).confidence_interval(0.95)
    assert found.lower == pytest.approx(known.low, abs=0.06)
    assert found.upper == pytest.approx(known.high, abs=0.06)


def test_nine_days_are_too_few_to_be_resampled() -> None:
    rows = draw("regression", 180, 3, np.repeat(np.arange(9), 20))
    mae = find_metric("mae", "regression")
    assert measure(mae, rows) == measure(mae, Outcomes(rows.y_true, rows.y_pred))
    ten = np.arange(180) % 10
    assert measure(mae, Outcomes(rows.y_true, rows.y_pred, ten)) != measure(mae, rows)


def test_the_name_of_a_day_does_not_matter() -> None:
    codes = np.repeat(np.arange(12), 10)
    rows = draw("binary", 120, 3, codes)
    named = np.array([f"2024-01-{day + 1:02d}" for day in codes])
    auc = find_metric("roc_auc", "binary")
    assert measure(auc, rows) == measure(auc, Outcomes(rows.y_true, rows.y_pred, named))


def test_figures_of_ranking_and_loss_are_those_of_0_1() -> None:
    random = np.random.default_rng(0)
    y = (random.random(300) < 0.1).astype(int)
    ours, theirs = (1 / (1 + np.exp(-(random.normal(y * skill, 1) - 2))) for skill in (1.0, 0.8))
    rows, rival = Outcomes(y, ours), Outcomes(y, theirs)
    auc, loss = (find_metric(name, "binary") for name in ("roc_auc", "log_loss"))
    found = [measure(auc, rows), compare(auc, rows, rival), compare(loss, rows, rival)]
    assert [(one.value, one.lower, one.upper) for one in found] == [
        pytest.approx((0.7953591417910447, 0.668202281964, 0.870557364299), abs=1e-9),
        pytest.approx((0.06180037313432829, -0.095999969706, 0.185871101965), abs=1e-9),
        pytest.approx((0.023812066405380306, -0.028119101547, 0.075915475806), abs=1e-9),
    ]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_difference_is_above_0_where_we_are_better(kind: str, name: str) -> None:
    metric, good = find_metric(name, kind), draw(kind, 400, 5)
    random = np.random.default_rng(6)
    shift = 3 if kind == "regression" else 0
    bad = Outcomes(good.y_true, random.permutation(good.y_pred) + shift, classes=CLASSES)
    found, back = compare(metric, good, bad), compare(metric, bad, good)
    assert 0 < found.lower < found.value < found.upper
    assert back.lower < back.value < back.upper < 0
    assert found.value == pytest.approx(-back.value)
    values = metric.value(good), metric.value(bad)
    gain = values[0] - values[1] if metric.greater_is_better else abs(values[1]) - abs(values[0])
    assert found.value == pytest.approx(gain)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_one_model_against_itself_is_no_better(kind: str, name: str) -> None:
    rows = draw(kind, 60, 7)
    found = compare(find_metric(name, kind), rows, rows)
    assert found.lower <= 0 == found.value <= found.upper


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_difference_is_paired(kind: str, name: str) -> None:
    """Two models that err alike differ by less than either is uncertain."""
    rows = draw(kind, 300, 8)
    noise = np.random.default_rng(9).normal(0, 0.01, rows.y_pred.shape)
    close = Outcomes(rows.y_true, (rows.y_pred + noise).clip(1e-6), classes=CLASSES)
    if kind == "binary":
        close = Outcomes(rows.y_true, close.y_pred.clip(0, 1))
    metric = find_metric(name, kind)
    alone, found = measure(metric, rows), compare(metric, rows, close)
    assert found.upper - found.lower < 0.6 * (alone.upper - alone.lower)


def test_of_two_biases_the_nearer_to_0_is_better() -> None:
    y = np.zeros(200)
    noise = np.random.default_rng(1).normal(0, 0.1, 200)
    low, high = Outcomes(y, noise - 1), Outcomes(y, noise + 2)
    bias = find_metric("bias", "regression")
    assert measure(bias, low).value == pytest.approx(-1, abs=0.05)
    found = compare(bias, low, high)
    assert found.value == pytest.approx(1, abs=0.1)
    assert found.lower > 0.9


def test_useless_models_are_no_better_than_each_other() -> None:
    """At 80 %, one in ten may be above 0: 13 or more of 60 happen once in 100 trials."""
    for name, n in (("f1", 30), ("average_precision", 60), ("accuracy", 20)):
        metric, passed = find_metric(name, "binary"), 0
        for seed in range(60):
            random = np.random.default_rng([seed, n])
            y, (ours, theirs) = (random.random(n) < 0.3) * 1, random.random((2, n))
            if y.any():
                found = compare(
                    metric, Outcomes(y, ours), Outcomes(y, theirs), confidence=0.8, n_bootstrap=50
                )
                passed += found.lower > 0
        assert passed <= 12, name


def test_where_a_metric_is_not_defined_all_three_are_nan() -> None:
    rows = Outcomes(np.ones(20, int), np.full(20, 0.3))
    good = Outcomes(np.repeat([0, 1], 10), np.full(20, 0.6))
    for name in ("roc_auc", "precision"):
        metric = find_metric(name, "binary")
        for found in (
            measure(metric, rows),
            compare(metric, rows, good),
            compare(metric, good, rows),
            measure(metric, Outcomes(np.array([]), np.array([]))),
        ):
            assert [math.isnan(x) for x in (found.value, found.lower, found.upper)] == [True] * 3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_of_fewer_rows_than_can_tell_it_is_the_whole_range(n: int) -> None:
    rows = draw("regression", n, 1)
    found = measure(find_metric("mae", "regression"), rows)
    assert (found.lower, found.upper) == (0.0, math.inf)
    assert found.value == pytest.approx(np.abs(rows.y_true - rows.y_pred).mean())
    gap = compare(find_metric("mae", "regression"), rows, rows)
    assert (gap.lower, gap.value, gap.upper) == (-math.inf, 0.0, math.inf)


def test_an_interval_follows_its_seed_its_confidence_and_the_number_of_resamples() -> None:
    rows, f1 = draw("binary", 80, 4), find_metric("f1", "binary")
    first = measure(f1, rows, n_bootstrap=60, seed=3)
    assert first == measure(f1, rows, n_bootstrap=60, seed=3)
    assert first != measure(f1, rows, n_bootstrap=60, seed=4)
    assert first != measure(f1, rows, n_bootstrap=61, seed=3)
    assert measure(f1, rows) == measure(f1, rows, confidence=0.95, n_bootstrap=500, seed=0)
    wide = measure(f1, rows, confidence=0.999, n_bootstrap=50)
    assert wide == measure(f1, rows, confidence=0.999, n_bootstrap=2000)
    assert wide != measure(f1, rows, confidence=0.999, n_bootstrap=2001)
    assert wide.lower < first.lower < first.upper < wide.upper


def test_a_bound_lies_between_the_resamples_that_its_level_is_exact_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 resamples the 5.05th from below: a new one falls below it once in 20."""
    drawn = iter(np.random.default_rng(1).permutation(100).tolist())
    auc = find_metric("roc_auc", "binary")
    statistic = auc.prepare(draw("binary", 40, 1))
    monkeypatch.setattr(type(statistic), "ends", lambda *_: [next(drawn)] * 2)
    found = measure(auc, draw("binary", 40, 1), confidence=0.9, n_bootstrap=100)
    assert (found.lower, found.upper) == (pytest.approx(4.05), pytest.approx(94.95))


def test_sample_weights_scale_rows_and_the_extra_rows_alike() -> None:
    rows = draw("binary", 60, 2)
    for name in ("accuracy", "roc_auc", "f1", "log_loss", "average_precision"):
        metric = find_metric(name, "binary")
        even = Outcomes(rows.y_true, rows.y_pred, weights=np.full(60, 7.0))
        found, known = measure(metric, even), measure(metric, rows)
        assert (found.lower, found.upper) == pytest.approx((known.lower, known.upper))
    heavy = Outcomes(rows.y_true, rows.y_pred, weights=np.where(rows.y_true == rows.decided, 9, 1))
    assert measure(find_metric("accuracy", "binary"), heavy).value > 0.9


def test_a_rival_of_other_classes_is_compared_on_the_same_rows() -> None:
    """The champion has never seen class c: its rows are wrong for it."""
    p = np.eye(3)[[0, 1, 2, 2]] * 0.7 + 0.1
    ours = Outcomes(np.array([0, 1, 2, 2]), p, classes=CLASSES)
    rival = Outcomes(
        np.array([0, 1, -1, -1]), p[:, :2] / p[:, :2].sum(1)[:, None], classes=("a", "b")
    )
    for name, gain in (("accuracy", 0.5), ("balanced_accuracy", 1 / 3), ("top_1_accuracy", 0.5)):
        found = compare(find_metric(name, "multiclass"), ours, rival)
        assert found.value == pytest.approx(gain)
        assert found.lower < gain < found.upper + 1e-9


def test_extra_rows_are_of_the_class_that_they_are_for() -> None:
    """A hundred rows of a, one of b: what b's single row says is worth little."""
    y = np.repeat([0, 1], [100, 1])
    rows = Outcomes(y, np.eye(3)[y], classes=CLASSES)
    recall = [measure(find_metric(f"recall[{one}]", "multiclass"), rows) for one in "ab"]
    assert recall[0].lower > 0.94
    assert recall[1].lower < 0.1
    assert measure(find_metric("balanced_accuracy", "multiclass"), rows).lower < 0.75


def test_what_is_a_mean_of_the_worst_row_is_worse_for_the_upper_bound() -> None:
    """The extra row of errors is the worst one seen; of a gap the one with the worst gap."""
    y = np.zeros(200)
    errors = np.append(np.ones(199), 41.0)
    mae = find_metric("mae", "regression")
    found = measure(mae, Outcomes(y, errors), n_bootstrap=2000)
    assert found.upper > 1.2 + 3 * 0.2  # without it: the row alone has at most its weight of 3.7
    gap = compare(mae, Outcomes(y, errors), Outcomes(y, np.ones(200)), n_bootstrap=2000)
    assert gap.value == pytest.approx(-0.2)
    assert gap.lower == pytest.approx(1.0 - found.upper, abs=1e-9)
