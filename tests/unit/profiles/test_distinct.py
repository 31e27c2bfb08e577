from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.profiles.distinct import empty_registers, estimate_distinct, registers_of


def texts(start: int, stop: int) -> pa.Array:
    return pa.array([f"text {i}" for i in range(start, stop)], pa.string())


@pytest.mark.parametrize("n", [0, 1, 10, 1000, 5000, 20_000, 200_000])
def test_the_estimate_is_close_at_every_size(n: int) -> None:
    assert estimate_distinct(registers_of(texts(0, n))) == pytest.approx(n, rel=0.07)


def test_repeats_and_order_do_not_matter() -> None:
    once = registers_of(texts(0, 500))
    again = registers_of(texts(0, 500).take(pa.array(range(499, -1, -1))))
    assert (once == again).all()
    assert (once == np.maximum(once, empty_registers())).all()


def test_the_maximum_is_the_union() -> None:
    left, right = registers_of(texts(0, 3000)), registers_of(texts(2000, 5000))
    assert (np.maximum(left, right) == registers_of(texts(0, 5000))).all()


def test_full_registers_are_still_a_number() -> None:
    full = np.full_like(empty_registers(), 54)
    assert estimate_distinct(full) > 10**15
    full[::2] = 53
    assert 10**15 < estimate_distinct(full) < 10**20
