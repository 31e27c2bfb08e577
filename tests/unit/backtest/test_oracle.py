"""The oracle's path, beside every path there is."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from mlops_tasks.backtest.oracle import cheapest_path


def cost_of(used: tuple[int, ...], losses: list[list[float]], price: float) -> float:
    changes = sum(before != after for before, after in pairwise(used))
    return sum(losses[n][one] for n, one in enumerate(used)) + price * changes


def paths(n_periods: int) -> list[tuple[int, ...]]:
    """Return every path: each period is served by the model before, or by a new one."""
    found = []
    for trains in product([False, True], repeat=n_periods - 1):
        used = [0]
        for number, trained in enumerate(trains, start=1):
            used.append(number if trained else used[-1])
        found.append(tuple(used))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_no_path_is_cheaper(seed: int) -> None:
    random = np.random.default_rng(seed)
    losses = [random.normal(0.3, 0.1, n + 1).tolist() for n in range(8)]
    price = float(random.uniform(0, 0.2))
    found = cheapest_path(losses, price)
    assert found.cost == pytest.approx(min(cost_of(one, losses, price) for one in paths(8)))
    assert found.cost == pytest.approx(cost_of(found.used, losses, price))


def test_a_training_that_gains_less_than_it_costs_is_left_out() -> None:
    losses = [[0.2], [0.25, 0.2], [0.25, 0.2, 0.2]]
    assert cheapest_path(losses, 0.11).used == (0, 0, 0)
    assert cheapest_path(losses, 0.09).used == (0, 1, 1)
    assert cheapest_path(losses, 0.09).n_trainings == 1
