"""Performance alarms keep their level where few labels are positive, and still find what fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from mlops_tasks.exceptions import EstimatorError
from mlops_tasks.monitoring import LabelledPredictions
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import GateSpec, PerformanceSpec
from mlops_tasks.steps.monitor import measure_performance

if TYPE_CHECKING:
    from mlops_tasks.monitoring import Check

DAY = "2024-03-01"


def measure(
    target: Any,
    scores: Any,
    *,
    gate: float | None = 0.80,
    lower: float | None = None,
    **limits: Any,
) -> dict[str, Check]:
    """Measure rows of one day against a version whose gate measured that ROC AUC."""
    metrics = {"roc_auc": gate, "roc_auc_lower": lower}
    version = RegisteredVersion(
        *("m", "3", "run", "models:/m-1", "digest"),
        metrics={name: float(value) for name, value in metrics.items() if value is not None},
    )
    spec = SimpleNamespace(
        name="m",
        predictions_table="m__predictions",
        problem_type="binary",
        threshold=0.5,
        gate=GateSpec(),
        costs=None,
        performance=PerformanceSpec(**limits),
    )
    rows = pa.table({"y": np.asarray(target, np.int64), "score": np.asarray(scores, float)})
    outcomes = LabelledPredictions(cast("Any", spec), DAY, DAY, "3", {DAY: rows}, {DAY: 1.0})
    result = measure_performance(outcomes, version)
    return {check.name: check for check in result.checks}


def draw(seed: int, n_positive: int, n_negative: int, auc: float) -> tuple[Any, Any]:
    target = np.repeat([1, 0], [n_positive, n_negative])
    random = np.random.default_rng([seed, n_positive])
    return target, norm.cdf(random.normal(np.sqrt(2) * norm.ppf(auc) * target, 1))


@pytest.mark.parametrize("n_few", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("label", [0, 1])
def test_too_few_labels_of_a_class_are_no_answer(n_few: int, label: int) -> None:
    target = np.repeat([label, 1 - label], [n_few, 600])
    found = measure(target, np.linspace(0, 1, len(target)))["roc_auc"]
    assert (found.value, found.alarm) == (None, False)
    assert "too few to tell ROC AUC, at least 10 of each are needed" in found.text


@pytest.mark.parametrize("n_positive", [10, 20, 100])
def test_a_model_that_has_lost_nothing_alarms_at_the_stated_rate(n_positive: int) -> None:
    draws = (draw(seed, n_positive, 600, 0.80) for seed in range(200))
    alarms = sum(measure(*rows, gate=0.80, max_loss=0)["roc_auc"].alarm for rows in draws)
    assert alarms <= 7, "with one in a hundred, 8 or more of 200 happen once in 1000 trials"


@pytest.mark.parametrize(("n_positive", "auc"), [(20, 0.4), (100, 0.6), (400, 0.69)])
def test_a_model_that_fails_alarms(n_positive: int, auc: float) -> None:
    found = [measure(*draw(seed, n_positive, 600, auc), gate=0.80)["roc_auc"] for seed in range(10)]
    assert sum(check.alarm for check in found) >= 8
    assert all(check.value is not None for check in found)


def test_a_gate_that_saw_few_rows_itself_leaves_more_room() -> None:
    rows = draw(1, 100, 600, 0.7)
    sure, unsure = (measure(*rows, lower=lower)["roc_auc"] for lower in (0.79, 0.60))
    assert unsure.threshold < sure.threshold < 0.75
    assert measure(*rows)["roc_auc"].threshold >= sure.threshold


def test_a_version_without_a_gate_has_nothing_to_compare_with() -> None:
    found = measure(*draw(1, 100, 600, 0.5), gate=None)["roc_auc"]
    assert (found.value, found.alarm) == (None, False)
    assert found.text.startswith("cannot tell: the gate has measured no ROC AUC of this version")


@pytest.mark.parametrize(
    ("n_positive", "mean", "alarm"),
    [
        (0, 0.04, False),  # none of 100 happens by luck once in 60 trials
        (0, 0.09, True),
        (1, 0.05, False),
        (100, 0.96, False),
        (100, 0.9, True),
        (50, 0.55, False),
        (50, 0.7, True),
        (50, 0.3, True),
    ],
)
def test_the_calibration_gap_leaves_room_for_luck(
    n_positive: int, mean: float, alarm: bool
) -> None:
    target = np.repeat([1, 0], [n_positive, 100 - n_positive])
    found = measure(target, np.full(100, mean), min_rows=100)["calibration_gap"]
    assert found.alarm is alarm
    assert found.value == pytest.approx(abs(mean - n_positive / 100), abs=1e-4)
    assert found.threshold > 0.03


def test_a_model_that_is_calibrated_alarms_at_the_stated_rate() -> None:
    random, alarms = np.random.default_rng(4), 0
    for share in np.tile([0.001, 0.01, 0.03, 0.2], 100):
        target = (random.random(500) < share).astype(int)
        found = measure(target, np.full(500, share), max_calibration_gap=0, max_relative_gap=1)
        alarms += found["calibration_gap"].alarm
    assert alarms <= 11, "with one in a hundred, 12 or more of 400 happen once in 1000 trials"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.2, 1.5])
def test_predictions_that_are_no_probabilities_are_refused(wrong: float) -> None:
    target, scores = draw(1, 100, 600, 0.7)
    scores[3] = wrong
    with pytest.raises(EstimatorError, match=r"m__predictions, 2024-03-01 to 2024-03-01: 1 of"):
        measure(target, scores)
