"""Every metric is what another library or a calculation by hand says, with and without weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlops_tasks.problem_types.metrics import find_metric, metric_names
from mlops_tasks.problem_types.outcomes import Outcomes

CLASSES = ("billing", "login", "other")


def recall_at(floor: float) -> Any:
    def found(y: Any, p: Any, sample_weight: Any) -> float:
        precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=sample_weight)
        return float(recall[precision >= floor].max())

    return found


def decided(function: Any, threshold: float = 0.4, **options: Any) -> Any:
    return lambda y, p, sample_weight: function(
        y, p > threshold, sample_weight=sample_weight, **options
    )


BINARY = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
    "accuracy": decided(sk.accuracy_score),
    "balanced_accuracy": decided(sk.balanced_accuracy_score),
    "precision": decided(sk.precision_score),
    "recall": decided(sk.recall_score),
    "f1": decided(sk.f1_score),
    "f0.5": decided(sk.fbeta_score, beta=0.5),
    "f2": decided(sk.fbeta_score, beta=2),
    "recall_at_precision_0.6": recall_at(0.6),
    "recall_at_precision_1": recall_at(1.0),
}


def chosen(function: Any, **options: Any) -> Any:
    return lambda y, p, sample_weight: function(
        y, p.argmax(axis=1), sample_weight=sample_weight, **options
    )


def of(code: int, function: Any, *, of_scores: bool = False) -> Any:
    def found(y: Any, p: Any, sample_weight: Any) -> float:
        pred = p[:, code] if of_scores else p.argmax(axis=1) == code
        return float(function(y == code, pred, sample_weight=sample_weight))

    return found


MULTICLASS = {
    "accuracy": chosen(sk.accuracy_score),
    "balanced_accuracy": chosen(sk.balanced_accuracy_score),
    "log_loss": lambda y, p, sample_weight: sk.log_loss(
        y, p, sample_weight=sample_weight, labels=[0, 1, 2]
    ),
    "brier": lambda y, p, sample_weight: sk.brier_score_loss(
        y, p, sample_weight=sample_weight, labels=[0, 1, 2]
    ),
    "roc_auc": lambda y, p, sample_weight: np.mean(
        [sk.roc_auc_score(y == code, p[:, code], sample_weight=sample_weight) for code in range(3)]
    ),
    "precision_macro": chosen(sk.precision_score, average="macro", zero_division=0),
    "recall_macro": chosen(sk.recall_score, average="macro"),
    "f1_weighted": chosen(sk.f1_score, average="weighted"),
    "f1_macro": chosen(sk.f1_score, average="macro"),
    "f2_macro": chosen(sk.fbeta_score, average="macro", beta=2),
    "top_1_accuracy": chosen(sk.accuracy_score),
    "top_2_accuracy": lambda y, p, sample_weight: sk.top_k_accuracy_score(
        y, p, k=2, sample_weight=sample_weight, labels=[0, 1, 2]
    ),
    "recall[login]": of(1, sk.recall_score),
    "precision[billing]": of(0, sk.precision_score),
    "f0.5[other]": of(2, lambda *rows, **weights: sk.fbeta_score(*rows, beta=0.5, **weights)),
    "roc_auc[login]": of(1, sk.roc_auc_score, of_scores=True),
    "average_precision[billing]": of(0, sk.average_precision_score, of_scores=True),
    "brier[other]": of(2, sk.brier_score_loss, of_scores=True),
}

REGRESSION = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "wape": lambda y, p, sample_weight: (
        sk.mean_absolute_error(y, p, sample_weight=sample_weight)
        / np.average(np.abs(y), weights=sample_weight)
    ),
    "median_absolute_error": sk.median_absolute_error,
    "r2": sk.r2_score,
    "bias": lambda y, p, sample_weight: np.average(p - y, weights=sample_weight),
    "poisson_deviance": sk.mean_poisson_deviance,
    "pinball_0.9": lambda y, p, sample_weight: sk.mean_pinball_loss(
        y, p, alpha=0.9, sample_weight=sample_weight
    ),
}

ALL = [
    (kind, name, known)
    for kind, table in (
        ("binary", BINARY),
        ("multiclass", MULTICLASS),
        ("regression", REGRESSION),
    )
    for name, known in table.items()
]


def draw(kind: str, seed: int, n: int = 80) -> Outcomes:
    """Draw rows with ties, in which each class occurs and is decided."""
    random = np.random.default_rng(seed)
    if kind == "binary":
        scores = random.integers(0, 11, n) / 10
        return Outcomes((random.random(n) < scores / 2 + 0.2) * 1, scores, threshold=0.4)
    if kind == "multiclass":
        p = random.dirichlet([1, 1, 1], n)
        y = np.array([random.choice(3, p=one / 2 + 1 / 6) for one in p])
        return Outcomes(y, p, classes=CLASSES)
    counts = random.poisson(6, n) + 1.0
    return Outcomes(counts, counts + random.normal(0.3, 0.8, n).clip(-0.9))


@pytest.mark.parametrize("weighted", [False, True], ids=["each row once", "weighted"])
@pytest.mark.parametrize(
    ("kind", "name", "known"), ALL, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_metric_is_what_scikit_learn_says(
    kind: str, name: str, known: Any, weighted: bool
) -> None:
    for seed in range(5):
        rows = draw(kind, seed)
        weights = np.random.default_rng(seed).exponential(size=len(rows)) if weighted else None
        found = find_metric(name, kind).value(rows, weights)
        assert found == pytest.approx(known(rows.y_true, rows.y_pred, sample_weight=weights))
        metric = find_metric(name, kind)
        assert metric.low <= found <= metric.high
        assert metric.name == name
        assert metric.problem_type == kind


def test_every_name_is_tested() -> None:
    for kind, tested in (
        ("binary", BINARY),
        ("multiclass", MULTICLASS),
        ("regression", REGRESSION),
    ):
        plain = {name for name in metric_names(kind) if "<" not in name}
        assert plain - {"expected_cost"} <= set(tested), "that one is tested with the costs"


BEST = {  # all targets met; nothing is better
    "binary": Outcomes(np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 0.0, 1.0])),
    "multiclass": Outcomes(np.array([0, 1, 2]), np.eye(3), classes=CLASSES),
    "regression": Outcomes(np.array([1.0, 3.0]), np.array([1.0, 3.0])),
}


@pytest.mark.parametrize(
    ("kind", "name", "known"), ALL, ids=lambda value: value if isinstance(value, str) else ""
)
def test_predictions_that_are_right_have_the_best_value(kind: str, name: str, known: Any) -> None:
    metric = find_metric(name, kind)
    best = metric.high if metric.greater_is_better else 0.0
    assert metric.value(BEST[kind]) == pytest.approx(best, abs=1e-9)
    assert metric.value(BEST[kind]) >= metric.value(draw(kind, 1)) or not metric.greater_is_better


@pytest.mark.parametrize(
    ("kind", "name", "known"), ALL, ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_rows_have_no_value(kind: str, name: str, known: Any) -> None:
    none = Outcomes(np.array([]), np.empty((0, 3) if kind == "multiclass" else 0), classes=CLASSES)
    assert math.isnan(find_metric(name, kind).value(none))


def binary(y: list[int], p: list[float]) -> Outcomes:
    return Outcomes(np.array(y), np.array(p))


def numbers(y: list[float], p: list[float]) -> Outcomes:
    return Outcomes(np.array(y), np.array(p))


@pytest.mark.parametrize(
    ("kind", "name", "rows", "needs"),
    [
        ("binary", "roc_auc", binary([1, 1], [0.2, 0.9]), "rows that are true and rows that are"),
        ("binary", "roc_auc", binary([0, 0], [0.2, 0.9]), "rows that are true and rows that are"),
        ("binary", "average_precision", binary([0, 0], [0.2, 0.9]), "rows that are true"),
        ("binary", "balanced_accuracy", binary([1, 1], [0.2, 0.9]), "and rows that are not"),
        ("binary", "balanced_accuracy", binary([0, 0], [0.2, 0.9]), "and rows that are not"),
        ("binary", "precision", binary([0, 1], [0.2, 0.4]), "decided to be true"),
        ("binary", "recall", binary([0, 0], [0.2, 0.9]), "rows that are true"),
        ("binary", "f1", binary([0, 0], [0.2, 0.4]), "true or decided to be true"),
        ("binary", "recall_at_precision_0.9", binary([0, 0], [0.2, 0.4]), "rows that are true"),
        ("regression", "mape", numbers([0, 2], [1, 2]), "targets that are not 0"),
        ("regression", "wape", numbers([0, 0], [1, 2]), "a target that is not 0"),
        ("regression", "r2", numbers([2, 2], [1, 2]), "two different targets"),
        ("regression", "poisson_deviance", numbers([-1, 2], [1, 2]), "at least 0"),
        ("regression", "poisson_deviance", numbers([1, 2], [0, 2]), "predictions above 0"),
        (
            "multiclass",
            "roc_auc",
            Outcomes(np.array([1, 1]), np.eye(3)[:2], classes=CLASSES),
            "rows of two classes",
        ),
        (
            "multiclass",
            "recall[fraud]",
            Outcomes(np.array([1, 1]), np.eye(3)[:2], classes=CLASSES),
            "a version that knows 'fraud', rows that are 'fraud'",
        ),
        (
            "multiclass",
            "roc_auc[billing]",
            Outcomes(np.array([1, 1]), np.eye(3)[:2], classes=CLASSES),
            "rows that are 'billing' and rows that are not",
        ),
    ],
)
def test_where_it_is_not_defined_it_is_nan_and_says_what_it_needs(
    kind: str, name: str, rows: Outcomes, needs: str
) -> None:
    metric = find_metric(name, kind)
    assert math.isnan(metric.value(rows))
    assert needs in metric.needs


def test_rows_of_a_class_that_the_version_has_never_seen_are_wrong() -> None:
    rows = Outcomes(
        np.array([0, 1, -1, 2]),
        np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.2, 0.3, 0.5]]),
        classes=CLASSES,
    )

    def value(name: str) -> float:
        return find_metric(name, "multiclass").value(rows)

    assert value("accuracy") == 0.75
    assert value("top_3_accuracy") == 0.75
    assert value("balanced_accuracy") == 0.75  # recall 1, 1, 1 and of the unseen class 0
    assert value("recall_macro") == value("balanced_accuracy")
    assert value("precision_macro") == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert value("f1_macro") == pytest.approx((1 + 1 + 2 / 3 + 0) / 4)
    assert value("recall[other]") == 1.0
    assert value("precision[other]") == 0.5
    right = -math.log(0.8) - math.log(0.7) - math.log(0.5)
    assert value("log_loss") == pytest.approx((right + 52 * math.log(2)) / 4)
    squares = (0.04 + 0.01 + 0.01) + (0.04 + 0.09 + 0.01) + (0.01 + 0.09 + 0.36 + 1)
    assert value("brier") == pytest.approx((squares + 0.04 + 0.09 + 0.25) / 4)
    aucs = [1.0, 1.0, 2 / 3]  # the unseen row scores highest of all for "other"
    assert value("roc_auc") == pytest.approx(np.mean(aucs))


def test_a_class_without_rows_counts_only_where_it_is_decided() -> None:
    sure = Outcomes(np.array([0, 1]), np.eye(3)[[0, 1]], classes=CLASSES)
    wrong = Outcomes(np.array([0, 1]), np.eye(3)[[0, 2]], classes=CLASSES)
    for name in ("f1_macro", "precision_macro", "recall_macro", "f1_weighted", "roc_auc"):
        assert find_metric(name, "multiclass").value(sure) == 1.0
    assert find_metric("f1_macro", "multiclass").value(wrong) == pytest.approx(1 / 3)
    assert find_metric("precision_macro", "multiclass").value(wrong) == pytest.approx(1 / 3)
    assert find_metric("recall_macro", "multiclass").value(wrong) == pytest.approx(1 / 2)


def test_what_was_held_for_impossible_costs_36_nats() -> None:
    rows = binary([1, 0], [0.0, 1.0])
    assert find_metric("log_loss", "binary").value(rows) == pytest.approx(52 * math.log(2))


def test_equal_probabilities_put_the_later_class_first() -> None:
    rows = Outcomes(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), classes=CLASSES)
    assert find_metric("top_1_accuracy", "multiclass").value(rows) == pytest.approx(1 / 3)
    assert find_metric("top_2_accuracy", "multiclass").value(rows) == pytest.approx(2 / 3)


def test_a_row_on_the_threshold_is_decided_to_be_false() -> None:
    rows = Outcomes(np.array([1, 1]), np.array([0.3, 0.31]), threshold=0.3)
    assert find_metric("recall", "binary").value(rows) == 0.5


def test_sample_weights_of_the_rows_count_unless_others_are_given() -> None:
    rows = Outcomes(np.array([1, 1]), np.array([0.9, 0.1]), weights=np.array([3, 1]))
    recall = find_metric("recall", "binary")
    assert recall.value(rows) == 0.75
    assert recall.value(rows, np.array([1.0, 1.0])) == 0.5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_rankings_are_those_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    y = np.array([int(label) for label, _ in rows])
    p = np.array([value for _, value in rows])
    for name in ("roc_auc", "average_precision", "recall_at_precision_0.6"):
        found = find_metric(name, "binary").value(Outcomes(y, p))
        assert found == pytest.approx(BINARY[name](y, p, sample_weight=None))


def test_metrics_say_which_way_is_better() -> None:
    lower = {
        "binary": {"log_loss", "brier"},
        "multiclass": {"log_loss", "brier", "brier[other]"},
        "regression": set(REGRESSION) - {"r2"},
    }
    for kind, name, _ in ALL:
        assert find_metric(name, kind).greater_is_better is (name not in lower[kind]), name


def test_metrics_of_decisions_depend_on_the_threshold_and_others_do_not() -> None:
    rows = draw("binary", 3)
    moved = Outcomes(rows.y_true, rows.y_pred, threshold=0.8)
    for name in BINARY:
        metric = find_metric(name, "binary")
        assert metric.of_decisions is (metric.value(rows) != metric.value(moved)), name
    of_decisions = {name for name in MULTICLASS if find_metric(name, "multiclass").of_decisions}
    assert set(MULTICLASS) - of_decisions == {
        "log_loss",
        "brier",
        "roc_auc",
        "top_1_accuracy",
        "top_2_accuracy",
        "roc_auc[login]",
        "average_precision[billing]",
        "brier[other]",
    }
