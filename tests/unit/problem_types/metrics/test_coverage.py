"""Intervals of 95 % hold the true value of few rows, and of days that differ: simulated."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.problem_types.metrics import find_metric, measure
from mlops_tasks.problem_types.outcomes import Outcomes
from tests.unit.problem_types.metrics.samples import CASES, draw


def missed(kind: str, name: str, n: int, n_days: int = 0, *, known: bool = True) -> int:
    """Count in how many of 100 samples the interval of 95 % does not hold the true value."""
    metric, found = find_metric(name, kind), 0
    many = np.repeat(np.arange(4000), 25) if n_days else None
    truth = metric.value(draw(kind, 100_000, 1, many))
    days = np.repeat(np.arange(n_days), n // n_days) if n_days else None
    for seed in range(100):
        rows = draw(kind, n, seed, days)
        if not known:
            rows = Outcomes(rows.y_true, rows.y_pred, classes=rows.classes)
        one = measure(metric, rows, n_bootstrap=100, seed=seed)
        found += not one.lower <= truth <= one.upper
    return found


#: With eight of a hundred, 15 or more happen once in 60 trials; with five, once in 8000.
ALLOWED = 14


@pytest.mark.parametrize("n", [10, 30, 200])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_true_value_is_in_the_interval(kind: str, name: str, n: int) -> None:
    assert missed(kind, name, n) <= ALLOWED


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_it_is_where_days_differ(kind: str, name: str) -> None:
    assert missed(kind, name, 12 * 40, 12) <= ALLOWED


@pytest.mark.parametrize(
    ("kind", "name"), [("binary", "brier"), ("regression", "bias"), ("binary", "log_loss")]
)
def test_it_would_not_be_if_rows_were_resampled(kind: str, name: str) -> None:
    assert missed(kind, name, 12 * 40, 12, known=False) > 20
