"""The extra rows, one by one: each is of the worst kind for its bound, calculated by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from sklearn import metrics as sk

from mlops_tasks.problem_types.metrics import compare, find_metric, measure
from mlops_tasks.problem_types.metrics.decisions import Confusion, mean_f_beta, mean_precision
from mlops_tasks.problem_types.metrics.ranking import MeanRocAuc, RocAuc
from mlops_tasks.problem_types.metrics.resampling import _MAX_DRAWS, _Units
from mlops_tasks.problem_types.metrics.statistic import Statistic
from mlops_tasks.problem_types.outcomes import Outcomes

CLASSES = ("a", "b", "c")


def ready(kind: str, name: str, y: Any, p: Any, threshold: float = 0.5) -> Statistic:
    rows = Outcomes(np.array(y), np.array(p), classes=CLASSES, threshold=threshold)
    found = find_metric(name, kind).prepare(rows)
    assert found is not None
    return found


def ends(statistic: Statistic, *extra: float) -> Any:
    assert statistic.n_extra == len(extra)
    return pytest.approx(statistic.ends(np.ones(len(statistic.strata)), np.array(extra)))


Y, P = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8, 0.8])


@pytest.mark.parametrize(
    ("name", "known"),
    [("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)],
)
@pytest.mark.parametrize("flip", [False, True], ids=["few are false", "few are true"])
def test_of_a_ranking_they_stand_at_both_ends(name: str, known: Any, flip: bool) -> None:
    """With weights of 2 of the negative and 3 of the positive one."""
    y, p = (1 - Y, 1 - P) if flip else (Y, P)
    weights = [*np.ones(5), 2.0, 3.0]
    bounds = [
        known([*y, 0, 1], [*p, *ends], sample_weight=weights) for ends in ((9.0, -9.0), (-9.0, 9.0))
    ]
    assert tuple(bounds) == ends(ready("binary", name, y, p), 2.0, 3.0)


def test_of_a_recall_at_a_precision_too() -> None:
    statistic = ready("binary", "recall_at_precision_0.6", Y, P)
    # From above: 2 of 2, 2 of 3, 3 of 4. With one wrong row on top: 2 of 3, 2 of 4, 3 of 5.
    assert statistic.seen(np.ones(5)) == 1.0
    assert ends(statistic, 1.0, 1.0) == (3 / 4, 1.0)
    assert ends(statistic, 3.0, 1.0) == (0.0, 1.0)


def test_of_a_bounded_mean_they_have_the_bounds() -> None:
    assert ends(ready("binary", "accuracy", Y, P), 2.0) == (3 / 7, 5 / 7)
    losses = ((P - Y) ** 2).sum()
    assert (losses / 7, (losses + 2) / 7) == ends(ready("binary", "brier", Y, P), 2.0)
    three = ready("multiclass", "brier", [0], [[0.8, 0.1, 0.1]])
    assert ends(three, 2.0) == (0.06 / 3, (0.06 + 4) / 3)


def test_of_decisions_each_class_has_one_decided_wrongly_and_one_rightly() -> None:
    """Decided are false, false, true, true, true: one hit of two, two of three."""
    assert ends(ready("binary", "recall", Y, P), 2.0, 3.0) == (2 / 6, 5 / 6)
    assert ends(ready("binary", "precision", Y, P), 2.0, 3.0) == (2 / 5, 5 / 6)
    assert ends(ready("binary", "f1", Y, P), 2.0, 3.0) == (4 / (6 + 5), 10 / (6 + 6))
    balanced = ready("binary", "balanced_accuracy", Y, P)
    assert ends(balanced, 2.0, 3.0) == ((1 / 4 + 2 / 6) / 2, (3 / 4 + 5 / 6) / 2)


def test_of_many_classes_they_weigh_less_each() -> None:
    """Of k classes 1/sqrt(k); a class that is not there is not decided by an extra row."""
    two = ready("multiclass", "recall_macro", [0, 0, 1], np.eye(3)[[0, 0, 1]])
    part = 1 / np.sqrt(2)
    assert ((2 / (2 + part) + 1 / (1 + 2 * part)) / 2, 1.0) == ends(two, 1.0, 2.0)
    f1 = ready("multiclass", "f1_macro", [0, 0, 1], np.eye(3)[[0, 0, 1]])
    low = (4 / (4 + part + 2 * part) + 2 / (2 + 2 * part + part)) / 2
    assert (low, 1.0) == ends(f1, 1.0, 2.0)


def test_a_single_class_is_mistaken_for_the_next_one() -> None:
    one = ready("multiclass", "recall_macro", [2, 2], np.eye(3)[[2, 2]])
    assert ends(one, 1.0) == (2 / 3, 1.0)


def test_those_of_a_class_that_the_version_does_not_know_are_wrong() -> None:
    rows = ready("multiclass", "recall_macro", [0, 1, -1], np.eye(3)[[0, 1, 0]])
    part = 1 / np.sqrt(3)
    assert rows.strata.tolist() == [0, 1, 2]
    assert (2 / (1 + part) / 3, 2 / 3) == ends(rows, 1.0, 1.0, 1.0)


def test_of_the_mean_of_rankings_each_class_has_its_own() -> None:
    """Three classes of one row each, all ranked rightly: a positive one of its own class, lost."""
    perfect = ready("multiclass", "roc_auc", [0, 1, 2], np.eye(3))
    own, other = np.array([1.0, 2.0, 3.0]) / np.sqrt(3), np.array([2.5, 2.0, 1.5]) / np.sqrt(3)
    low = (2 / ((1 + own) * (2 + other))).mean()
    assert (low, 1.0) == ends(perfect, 1.0, 2.0, 3.0)


def test_of_losses_each_class_has_the_worst_one_seen() -> None:
    y, p = [0, 0, 1, 1], [0.2, 0.5, 0.4, 0.9]
    losses = -np.log([0.8, 0.5, 0.4, 0.9])
    low = (losses.sum() + 2 * losses[0] + 3 * losses[3]) / 9
    high = (losses.sum() + 2 * losses[1] + 3 * losses[2]) / 9
    assert (low, high) == ends(ready("binary", "log_loss", y, p), 2.0, 3.0)


def test_of_one_class_alone_the_loss_has_its_worst_one() -> None:
    losses = -np.log([0.4, 0.9])
    low, high = ((losses.sum() + 3 * one) / 5 for one in (losses.min(), losses.max()))
    statistic = ready("binary", "log_loss", [1, 1], [0.4, 0.9])
    assert statistic.ends(np.ones(2), np.array([7.0, 3.0])) == pytest.approx((low, high))


ERRORS = [1.0, 3.0, 2.0]


def test_of_errors_it_is_the_worst_one_seen() -> None:
    assert ends(ready("regression", "mae", [0.0] * 3, ERRORS), 2.0) == (8 / 5, 12 / 5)
    rmse = ready("regression", "rmse", [0.0] * 3, ERRORS)
    assert (np.sqrt(16 / 5), np.sqrt(32 / 5)) == ends(rmse, 2.0)


def test_of_a_gap_it_is_the_row_with_the_worst_gap() -> None:
    """Gaps of 1, -1 and 0 to a rival that is off by 0, 4 and 2."""
    ours = ready("regression", "mae", [0.0] * 3, ERRORS)
    gap = ours.against(ready("regression", "mae", [0.0] * 3, [0.0, 4.0, 2.0]))
    assert gap.seen(np.ones(3)) == 0
    assert ends(gap, 2.0) == (-2 / 5, 2 / 5)
    rmse = ready("regression", "rmse", [0.0] * 3, ERRORS)
    gap = rmse.against(ready("regression", "rmse", [0.0] * 3, [0.0, 4.0, 2.0]))
    low = np.sqrt(32 / 5) - np.sqrt(52 / 5)
    assert (low, np.sqrt(16 / 5) - 2) == ends(gap, 2.0)


def test_of_a_bounded_gap_the_rival_is_taken_as_seen() -> None:
    gap = ready("binary", "accuracy", Y, P).against(ready("binary", "accuracy", Y, 1 - P))
    assert ends(gap, 2.0) == (3 / 7 - 2 / 5, 5 / 7 - 2 / 5)


def test_of_a_ratio_it_is_the_row_that_moves_it_most() -> None:
    """Errors of 1, 3, 2 of targets of 4, 5, 11: a ratio of 0.3."""
    wape = ready("regression", "wape", [4.0, 5.0, 11.0], [5.0, 8.0, 13.0])
    assert ends(wape, 2.0) == (10 / 42, 12 / 30)
    y, p = np.array([1.0, 2.0, 9.0]), np.array([1.0, 5.0, 9.0])
    both = [sk.r2_score(y, p, sample_weight=w) for w in ([1, 3, 1], [1, 1, 3])]
    assert tuple(both) == ends(ready("regression", "r2", y, p), 2.0)


def test_where_no_worst_row_is_known_there_is_none() -> None:
    for name in ("median_absolute_error",):
        statistic = ready("regression", name, [0.0] * 3, ERRORS)
        assert statistic.expanded
        assert ends(statistic) == (2.0, 2.0)
    bias = ready("regression", "bias", [0.0] * 3, ERRORS)
    assert ends(bias.against(bias)) == (0, 0)


def test_only_errors_of_numbers_and_what_has_no_worst_row_have_expanded_bounds() -> None:
    assert all(
        ready("regression", name, [1.0, 2.0], [2.0, 2.0]).expanded
        for name in ("mae", "rmse", "mape", "wape", "r2", "bias", "poisson_deviance", "pinball_0.9")
    )
    assert not any(
        ready("binary", name, Y, P).expanded
        for name in ("roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1")
    )


def test_of_two_classes_each_has_the_other_ones_row_against_it() -> None:
    """Of 2 and 2 rows all 4 pairs are won; extra rows of 2 count 2 / sqrt(2) each."""
    y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    classes = [(0, RocAuc(y == 0, -scores)), (1, RocAuc(y == 1, scores))]
    known = 4 / (2 + np.sqrt(2)) ** 2
    assert ends(MeanRocAuc(y, classes), 2.0, 2.0) == (pytest.approx(known), pytest.approx(1.0))


def test_a_class_that_half_a_row_decides_has_its_precision() -> None:
    matrix = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert mean_precision(matrix) == 1.0
    assert mean_f_beta(matrix / 4, 1.0) == 1.0


@pytest.mark.parametrize("name", ["mae", "r2"])
def test_of_no_rows_nothing_is_known(name: str) -> None:
    none = Outcomes(np.zeros(0), np.zeros(0))
    assert np.isnan(compare(find_metric(name, "regression"), none, none).value)


def test_of_decisions_each_class_is_decided_once_more_wrongly_or_rightly() -> None:
    """A row of a class that the version does not know is decided for the first one, always."""
    y, decided = np.array([0, 1, 2, 3, 0]), np.array([0, 1, 2, 0, 1])
    statistic = Confusion(y, decided, 3, mean_precision)
    # Half a row of each of four classes: of the rows decided for 0, 1, 2 these are right.
    low, high = (1 / 3 + 1 / 2.5 + 1 / 1.5 + 0) / 4, (1.5 / 3 + 1.5 / 2.5 + 1 + 0) / 4
    assert ends(statistic, 1.0, 1.0, 1.0, 1.0) == (low, high)


def test_of_two_classes_both_have_an_extra_row_also_where_one_has_no_row() -> None:
    statistic = Confusion(np.array([1, 1]), np.array([1, 1]), 2, mean_precision, both=True)
    assert statistic.n_extra == 2


@pytest.mark.parametrize("n_days", [10, 12])
def test_of_few_days_bounds_lie_as_far_out_as_those_of_student(n_days: int) -> None:
    """A bootstrap of n days has the variance of n / (n + 1) of theirs, and a normal's tails."""
    days = np.repeat(np.arange(n_days), 3)
    rows = Outcomes(np.zeros(len(days), np.int64), np.arange(len(days)) / 90, days)
    statistic = find_metric("brier", "binary").prepare(rows)
    assert statistic is not None
    units = _Units(statistic, rows.sample_weights, days, n_days)
    known = norm.cdf(student.ppf(0.025, n_days - 1) * np.sqrt((n_days + 1) / (n_days - 1)))
    assert units.tail(0.95) == pytest.approx(known)
    weights, extra = units.draw(np.random.default_rng(0))
    assert len(np.unique(weights)) == n_days
    assert len(extra) == statistic.n_extra
    assert not np.isin(extra, weights).any()


def test_two_rows_have_an_interval_and_one_has_none() -> None:
    for n, known in ((2, norm.cdf(student.ppf(0.025, 1) * np.sqrt(3))), (1, 0.0)):
        rows = Outcomes(np.zeros(n), np.arange(n) + 1.0)
        statistic = find_metric("rmse", "regression").prepare(rows)
        assert statistic is not None
        assert statistic.expanded
        units = _Units(statistic, rows.sample_weights, np.zeros(n, np.int64), 1)
        assert units.tail(0.95) == pytest.approx(known)


def test_as_many_resamples_are_drawn_as_a_confidence_needs() -> None:
    rows = Outcomes(np.zeros(40, np.int64), np.full(40, 0.5))
    metric = find_metric("brier", "binary")
    assert 0.25 < measure(metric, rows, confidence=1 - 2 * 1.5 / _MAX_DRAWS).upper < 1.0


def test_beyond_the_resamples_a_bound_goes_on_and_of_very_few_rows_is_the_range() -> None:
    metric = find_metric("brier", "binary")
    for n_rows, whole in ((40, False), (9, True)):
        rows = Outcomes(np.zeros(n_rows, np.int64), np.full(n_rows, 0.5))
        last, beyond = (
            measure(metric, rows, confidence=1 - 2 * tail / _MAX_DRAWS).upper for tail in (1.5, 0.5)
        )
        assert last < beyond
        assert (beyond == 1.0) is whole
