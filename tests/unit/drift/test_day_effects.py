from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.drift.day_effects import day_effect
from mlops_tasks.drift.effects import CohensD, Readings
from tests.unit.drift.samples import Dial


def test_day_effects_are_found_and_only_then() -> None:
    random = np.random.default_rng(5)
    cohens_d = CohensD()

    def readings(effect: float, n_days: int = 60) -> Readings:
        means = effect * random.normal(size=n_days) + random.normal(size=n_days) / np.sqrt(500)
        return Readings(means[:, None], np.full(n_days, 500.0), np.ones(n_days))

    still = day_effect(cohens_d, readings(0.0))
    assert still.excess < 0.001
    moving = day_effect(cohens_d, readings(0.5))
    assert moving.excess == pytest.approx(0.25, rel=0.5)
    assert moving.largest > 3
    assert moving.expected(0.002, 1.0) == pytest.approx(0.002 + moving.excess * (1 + 1 / 60))
    few = day_effect(cohens_d, readings(0.5, 4))
    assert (few.excess, few.n_days, few.largest) == (0.0, 0, 0.0)


def test_constants_that_change_from_day_to_day_move_by_themselves() -> None:
    days = Dial("level", [0.0]).read(*([float(i)] * 50 for i in range(6)))
    assert 0.5 < day_effect(CohensD(), days).excess[0] < 2


def test_numbers_too_large_to_square_say_nothing() -> None:
    days = Dial("level", [0.0]).read(*([i * 1e200, -1e200] * 20 for i in range(6)))
    between = day_effect(CohensD(), days)
    assert (between.n_days, between.excess, between.largest) == (6, 0.0, 0.0)


def test_days_of_few_rows_are_left_out_column_by_column() -> None:
    n = np.full((7, 2), 500.0)
    n[:2, 0], n[:3, 1] = 4, 0
    means = np.random.default_rng(9).normal(size=(7, 2, 1))
    between = day_effect(CohensD(), Readings(means, n, np.ones((7, 2))))
    alone = day_effect(CohensD(), Readings(means[2:, :1], n[2:, :1], np.ones((5, 1))))
    assert between.n_days.tolist() == [5, 0]
    assert between.excess.tolist() == [pytest.approx(alone.excess[0]), 0.0]
    assert between.largest.tolist() == [pytest.approx(alone.largest[0]), 0.0]
