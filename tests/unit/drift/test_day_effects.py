from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.drift.day_effects import day_effect, usable_days
from mlops_tasks.drift.effects import CohensD, CohensH, Readings
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


def test_each_day_is_compared_with_all_of_its_others() -> None:
    means, n, variance = np.array([0.0, 0.1, 0.0, -0.1, 0.0, 0.9]), np.arange(1, 7) * 100.0, 1.0
    found = day_effect(CohensD(), Readings(means[:, None], n, np.full(6, variance)))
    whole = variance + np.average((means - np.average(means, weights=n)) ** 2, weights=n)
    seen, noise = np.zeros(6), np.zeros(6)
    for day in range(6):
        others = np.arange(6) != day
        rest = np.average(means[others], weights=n[others])
        seen[day] = (means[day] - rest) ** 2 / whole
        noise[day] = 1 / n[day] + 1 / n[others].sum()
    excess = np.mean(seen - noise) / (1 + 1 / 5)
    assert found.n_days == 6
    assert found.excess == pytest.approx(excess)
    assert found.largest == pytest.approx(max(seen / (noise + excess * (1 + 1 / 5))))
    assert found.expected(0.01, 2.0) == pytest.approx(0.01 + excess * (1 / 2 + 1 / 6))


def test_numbers_too_large_to_add_say_nothing() -> None:
    means = np.array([[1.7e308], [-1.7e308]] * 3)
    found = day_effect(CohensD(), Readings(means, np.full(6, 20.0), np.zeros(6)))
    assert (found.n_days, found.excess, found.largest) == (6, 0.0, 0.0)


def test_what_never_varies_has_no_day_effect() -> None:
    always = Readings(np.ones((8, 1)), np.full(8, 50.0))
    found = day_effect(CohensH(np.ones(1), np.ones(1)), always)
    assert (found.n_days, found.excess, found.largest) == (8, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rows", "n_usable"), [([5] * 5, 5), ([5] * 4, 0), ([4] * 9, 0), ([4, 5, 5, 5, 5, 5], 5)]
)
def test_five_days_of_five_rows_can_show_how_days_differ(rows: list[int], n_usable: int) -> None:
    found = usable_days(np.array(rows, float)[:, None])
    assert found.sum() == n_usable
    assert not n_usable or found[:, 0].tolist() == [n >= 5 for n in rows]
