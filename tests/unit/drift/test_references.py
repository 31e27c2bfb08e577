from __future__ import annotations

from datetime import date, timedelta

import pytest

from mlops_tasks.drift.references import ReferenceChoice, ReferenceKind, pick_days
from mlops_tasks.exceptions import SpecError

DAYS = [(date(2012, 1, 1) + timedelta(days=i)).isoformat() for i in range(800)]


def test_training_takes_the_days_that_have_a_profile() -> None:
    found = pick_days(
        ReferenceChoice(),
        ["2013-01-03", "2013-01-01", "2012-12-31", "2013-01-01"],
        first="2013-02-01",
        last="2013-02-01",
        training=("2013-01-01", "2013-01-31"),
    )
    assert found == ("2013-01-01", "2013-01-03")


def test_trailing_ends_before_the_window_and_its_gap() -> None:
    choice = ReferenceChoice(ReferenceKind.TRAILING, n_days=28, gap_days=7)
    found = pick_days(choice, DAYS, first="2013-03-01", last="2013-03-07")
    assert (len(found), found[0], found[-1]) == (28, "2013-01-25", "2013-02-21")


def test_the_same_season_has_the_same_days_of_the_week() -> None:
    choice = ReferenceChoice(ReferenceKind.SEASON, n_days=29)
    found = pick_days(choice, DAYS, first="2013-03-01", last="2013-03-01")
    middle = date.fromisoformat(found[14])
    assert len(found) == 29
    assert date(2013, 3, 1) - middle == timedelta(weeks=52)
    assert middle.weekday() == date(2013, 3, 1).weekday()


def test_a_long_season_never_reaches_the_window() -> None:
    choice = ReferenceChoice(ReferenceKind.SEASON, n_days=1000)
    assert pick_days(choice, DAYS, first="2013-03-01", last="2013-03-02")[-1] == "2013-02-28"


def test_no_profile_no_days() -> None:
    choice = ReferenceChoice(ReferenceKind.TRAILING)
    assert pick_days(choice, [], first="2013-03-01", last="2013-03-01") == ()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="ends before it begins"):
        pick_days(ReferenceChoice(), DAYS, first="2013-03-02", last="2013-03-01")
    with pytest.raises(SpecError, match="first and last day of the champion's training"):
        pick_days(ReferenceChoice(), DAYS, first="2013-03-01", last="2013-03-01")
    for wrong in ({"n_days": 0}, {"gap_days": -1}):
        with pytest.raises(SpecError, match="must be at least"):
            ReferenceChoice(ReferenceKind.TRAILING, **wrong)
