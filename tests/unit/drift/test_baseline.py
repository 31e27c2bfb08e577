from __future__ import annotations

from datetime import date, timedelta

import pytest

from mlops_tasks.drift.baseline import reference_span
from mlops_tasks.exceptions import SpecError


def test_trailing_ends_before_the_window() -> None:
    found = reference_span("trailing", 28, first="2013-03-01", last="2013-03-07")
    assert found == ("2013-02-01", "2013-02-28")


def test_the_same_season_has_the_same_days_of_the_week() -> None:
    found = reference_span("season", 29, first="2013-03-01", last="2013-03-01")
    first, last = map(date.fromisoformat, found)
    middle = first + timedelta(days=14)
    assert last - first == timedelta(days=28)
    assert date(2013, 3, 1) - middle == timedelta(weeks=52)
    assert middle.weekday() == date(2013, 3, 1).weekday()


def test_a_long_season_never_reaches_the_window() -> None:
    found = reference_span("season", 1000, first="2013-03-01", last="2013-03-02")
    assert found[1] == "2013-02-28"


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(SpecError, match="ends before it begins"):
        reference_span("trailing", 28, first="2013-03-02", last="2013-03-01")
