from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_tasks.profiles.periods import cover, evenly


def days(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=i)).isoformat() for i in range((end - begin).days + 1)]


@given(st.dates(date(2011, 11, 1), date(2014, 2, 1)), st.integers(0, 500))
def test_every_day_is_covered_once_and_in_order(first: date, n: int) -> None:
    window = first.isoformat(), (first + timedelta(days=n)).isoformat()
    found = cover(*window)
    assert [day for one in found for day in days(one.first, one.last)] == days(*window)
    sizes = {len(one.name): len(days(one.first, one.last)) for one in found}
    assert sizes.get(8, 7) == 7
    assert sizes.get(10, 1) == 1
    assert len(found) <= n // 28 + 32


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ("2013-01-01", "2013-12-31", [f"2013-{month:02d}" for month in range(1, 13)]),
        ("2013-02-01", "2013-02-28", ["2013-02"]),
        ("2012-02-01", "2012-02-28", ["2012-02-01", "2012-02-02", "2012-02-03", "2012-02-04",
            "2012-02-05", "2012-W06", "2012-W07", "2012-W08", "2012-02-27", "2012-02-28"]),
        ("2012-12-31", "2013-01-06", ["2013-W01"]),
        ("2013-01-31", "2013-03-01", ["2013-01-31", "2013-02", "2013-03-01"]),
        ("2013-01-05", "2013-01-05", ["2013-01-05"]),
    ],
)  # fmt: skip
def test_whole_months_come_before_whole_weeks(first: str, last: str, names: list[str]) -> None:
    assert [period.name for period in cover(first, last)] == names


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
