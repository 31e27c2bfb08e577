from __future__ import annotations

from datetime import date, timedelta

import pytest

from mlops_tasks.drift.references import ReferenceChoice, ReferenceKind, reference_span
from mlops_tasks.exceptions import SpecError


def test_trailing_ends_before_the_window_and_its_gap() -> None:
    choice = ReferenceChoice(ReferenceKind.TRAILING, n_days=28, gap_days=7)
    found = reference_span(choice, first="2013-03-01", last="2013-03-07")
    assert found == ("2013-01-25", "2013-02-21")


def test_the_same_season_has_the_same_days_of_the_week() -> None:
    choice = ReferenceChoice(ReferenceKind.SEASON, n_days=29)
    first, last = map(
        date.fromisoformat, reference_span(choice, first="2013-03-01", last="2013-03-01")
    )
    middle = first + timedelta(days=14)
    assert last - first == timedelta(days=28)
    assert date(2013, 3, 1) - middle == timedelta(weeks=52)
    assert middle.weekday() == date(2013, 3, 1).weekday()


def test_a_long_season_never_reaches_the_window() -> None:
    choice = ReferenceChoice(ReferenceKind.SEASON, n_days=1000)
    assert reference_span(choice, first="2013-03-01", last="2013-03-02")[1] == "2013-02-28"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="ends before it begins"):
        reference_span(ReferenceChoice(), first="2013-03-02", last="2013-03-01")
    for wrong in ({"n_days": 0}, {"gap_days": -1}):
        with pytest.raises(SpecError, match="must be at least"):
            ReferenceChoice(ReferenceKind.TRAILING, **wrong)
