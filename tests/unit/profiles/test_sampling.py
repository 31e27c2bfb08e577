from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.profiles.sampling import evenly


@pytest.mark.parametrize("n", [28, 60])
def test_no_length_misses_a_weekday(n: int) -> None:
    """196 days in steps of seven would be 28 Mondays."""
    for length in range(n, 800):
        taken = evenly(range(length), n)
        assert len(set(taken)) == n
        assert list(taken) == sorted(taken)
        counts = np.bincount([day % 7 for day in taken], minlength=7)
        assert counts.min() >= 1, length
    assert np.bincount([day % 7 for day in evenly(range(196), 28)]).tolist() == [4] * 7


def test_items_are_taken_at_equal_distances() -> None:
    assert evenly(range(120), 60) == tuple(range(0, 120, 2))
    assert evenly([1, 2], 5) == (1, 2)
    assert evenly([], 5) == ()
