"""What a shift is, and what chance and days do to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics import find_metric
from mlops_tasks.problem_types.shifts import (
    Movement,
    day_deviation,
    lasting_share,
    movement,
    shift_scale,
)

N_DAYS, PER_DAY = 120, 80


def numbers(random: np.random.Generator, day: float = 0.0, lasting: float = 0.0) -> Outcomes:
    """Return numbers around 100, with days that differ by a share of it."""
    effects = np.zeros(N_DAYS)
    for n in range(N_DAYS):
        before = effects[n - 1] if n else 0.0
        effects[n] = lasting * before + math.sqrt(1 - lasting**2) * day * random.normal()
    days = np.repeat(np.arange(N_DAYS), PER_DAY)
    predicted = random.normal(100, 10, len(days))
    target = predicted + 100 * effects[days] + random.normal(0, 20, len(days))
    return Outcomes(target, predicted, days)


@pytest.mark.parametrize(("day", "lasting"), [(0.0, 0.0), (0.1, 0.0), (0.1, 0.6)])
def test_days_are_told_from_rows(day: float, lasting: float) -> None:
    found = [movement(numbers(np.random.default_rng(seed), day, lasting)) for seed in range(20)]
    known = [one for one in found if one is not None]
    assert len(known) == 20
    assert np.mean([one.row for one in known]) == pytest.approx(math.hypot(0.2, day), rel=0.05)
    assert np.mean([one.day for one in known]) == pytest.approx(day, rel=0.15, abs=0.01)
    assert np.mean([one.lasting for one in known]) == pytest.approx(lasting, abs=0.12)
    assert {one.n_days for one in known} == {N_DAYS}


def test_the_deviation_of_a_window_is_what_windows_differ_by() -> None:
    """Weeks of days that last into each other differ by more than their rows and days alone."""
    means, kept = [], []
    for seed in range(40):
        rows = numbers(np.random.default_rng(seed), 0.1, 0.6)
        weeks = (rows.y_true - rows.y_pred)[: 8 * 14 * PER_DAY].reshape(8, -1)[::2]
        means.extend(weeks.mean(axis=1) / 100)
        kept.append(movement(rows))
    sizes = [PER_DAY] * 14
    expected = np.mean([one.deviation(sizes) for one in kept if one])
    assert np.std(means) == pytest.approx(expected, rel=0.15)
    naive = 0.2 / math.sqrt(14 * PER_DAY)
    assert np.std(means) > 5 * naive


def test_few_days_leave_more_room_and_too_few_none_of_their_own() -> None:
    few, many = Movement(1.0, 0.1, 0.0, 7), Movement(1.0, 0.1, 0.0, 1000)
    assert few.of_days([9] * 7) / many.of_days([9] * 7) == pytest.approx(1.437, abs=0.01)
    rows = Outcomes(np.arange(40.0), np.arange(40.0) + np.tile([1, -1], 20), np.arange(40) // 10)
    found = movement(rows)
    assert found is not None
    assert (found.day, found.n_days) == (0.0, 0)
    assert Movement(1.0).deviation([50, 50]) == pytest.approx(0.1)
    assert Movement(1.0).deviation([]) == math.inf


def test_a_day_of_most_rows_counts_as_one() -> None:
    assert lasting_share([10] * 10, 0.0) == pytest.approx(0.1)
    assert lasting_share([991, *[1] * 9], 0.0) > 0.98
    assert lasting_share([10] * 10, 0.5) == pytest.approx(0.1 * (1 + 2 * 0.8002), rel=0.01)
    assert lasting_share([], 0.5) == 1.0


def test_a_shift_is_of_log_odds_or_of_the_mean_target() -> None:
    scores = np.array([0.5, 0.5, 0.2, 0.2])
    assert shift_scale(Outcomes(np.array([1, 0, 1, 0]), scores)) == pytest.approx([0.205])
    assert shift_scale(Outcomes(np.array([-2.0, 4.0]), np.zeros(2))) == pytest.approx([3.0])
    both = Outcomes(np.array([1, 0]), np.array([[0.5, 0.5], [0.9, 0.1]]), classes=("a", "b"))
    assert shift_scale(both) == pytest.approx([0.17, 0.17])


def test_predictions_without_doubt_tell_nothing() -> None:
    sure = np.array([0.0, 1.0])
    assert movement(Outcomes(sure.astype(int), sure)) is None
    assert movement(Outcomes(np.array([1.0, 2.0]), np.array([1.0, 2.0]))) is None


def test_it_is_kept_as_figures_of_a_version() -> None:
    known = Movement(2.0, 0.1, 0.3, 28)
    assert Movement.of_metrics({"roc_auc": 0.8, **known.as_metrics()}) == known
    assert Movement.of_metrics({"roc_auc": 0.8}) is None


def test_a_metric_differs_from_day_to_day_by_itself() -> None:
    metric = find_metric("mae", "regression")
    still, moving = (numbers(np.random.default_rng(3), day) for day in (0.0, 0.3))
    assert day_deviation(metric, still) < 1.5
    assert day_deviation(metric, moving) > 8
    of_a_week = Outcomes(still.y_true[:400], still.y_pred[:400], still.days[:400])  # type: ignore[index]
    assert day_deviation(metric, of_a_week) == 0
