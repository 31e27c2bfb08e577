"""What probabilities were worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_tasks.exceptions import EstimatorError
from mlops_tasks.problem_types.binary.metrics import classification_metrics

if TYPE_CHECKING:
    pass


from typing import TYPE_CHECKING

from sklearn.metrics import average_precision_score

if TYPE_CHECKING:
    pass


import math

from mlops_tasks.problem_types.binary.metrics import log_losses
from mlops_tasks.problem_types.probabilities import check_probabilities


def test_metrics_of_probabilities() -> None:
    target, scores = np.array([0, 1, 1, 0]), np.array([0.2, 0.6, 0.9, 0.7])
    found = classification_metrics(target, scores)
    assert found["roc_auc"] == 0.75
    assert found["log_loss"] == pytest.approx(log_loss(target, scores))
    assert found["brier"] == pytest.approx(np.mean((target - scores) ** 2))
    assert (found["mean_score"], found["y_share"]) == (pytest.approx(0.6), 0.5)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_ranking_but_a_loss(label: int) -> None:
    found = classification_metrics(np.array([label] * 2), np.array([0.2, 0.4]))
    assert set(found) == {"log_loss", "brier", "mean_score", "y_share"}
    assert found["y_share"] == label


def test_a_ranking_needs_one_row_of_each_class_and_no_more() -> None:
    scores = np.array([0.1, 0.8, 0.4])
    for label in (0, 1):
        target = np.array([label, 1 - label, label])
        found = classification_metrics(target, scores)
        assert found["roc_auc"] == roc_auc_score(target, scores)
        assert found["average_precision"] == pytest.approx(average_precision_score(target, scores))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1e-9, 1 + 1e-9, 17.0])
def test_scores_that_are_no_probabilities_are_refused(wrong: float) -> None:
    scores = np.array([0.0, 1.0, wrong, 0.5, wrong])
    with pytest.raises(EstimatorError) as error:
        check_probabilities(scores, "version 3")
    assert str(error.value) == (
        f"version 3: 2 of 5 scores are no probabilities in [0, 1], the first is {wrong} in row 2; "
        "let the estimator's predict_proba return probabilities, for example by "
        "CalibratedClassifierCV"
    )
    check_probabilities(scores[:2], "version 3")


def test_a_certain_score_that_is_wrong_costs_much_and_not_everything() -> None:
    target, scores = np.array([1, 1, 0, 0]), np.array([0.0, 1.0, 0.25, 1.0])
    losses = log_losses(target, scores)
    assert losses == pytest.approx([52 * math.log(2), 0, -math.log(0.75), 52 * math.log(2)])
    assert losses.mean() == pytest.approx(log_loss(target, scores))
