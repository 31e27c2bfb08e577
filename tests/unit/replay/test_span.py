"""Which partitions are replayed, and what is refused before anything is started."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.replay import choose_span
from mlops_tasks.exceptions import PartitionKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.specs import ModelSpec

    Model = Callable[[str], ModelSpec]

NOW = datetime(2026, 1, 7, tzinfo=UTC)


def test_by_default_the_newest_thirty_are_played(model: Model) -> None:
    # The data of both have ended: 2024-12-30 is the Monday of their last week.
    assert choose_span(model("demand"), None, None, now=NOW) == ("2024-06-10", "2024-12-30")
    assert choose_span(model("flight_delays"), None, None, now=NOW) == ("2013-12-02", "2013-12-31")


def test_data_that_go_on_are_played_up_to_the_last_decision(model: Model) -> None:
    noon = datetime(2013, 6, 15, 12, tzinfo=UTC)
    # The decision of the 14th was taken in the night, at three; that of the 15th is to come.
    assert choose_span(model("flight_delays"), None, None, now=noon)[1] == "2013-06-14"
    early = datetime(2013, 6, 15, 2, tzinfo=UTC)
    assert choose_span(model("flight_delays"), None, None, now=early)[1] == "2013-06-13"


def test_windows_of_the_first_training_come_before(model: Model) -> None:
    # 67 days from 1 January, the last of their labels known two days later: 10 March.
    first, last = choose_span(model("flight_delays"), None, "2013-03-20", now=NOW)
    assert (first, last) == ("2013-03-11", "2013-03-20")


def test_half_is_history_where_the_windows_are_longer_than_the_data(model: Model) -> None:
    first, last = choose_span(model("flight_delays"), None, "2013-02-28", now=NOW)
    assert "2013-01-25" < first < "2013-02-05"
    assert last == "2013-02-28"


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2012-12-31", None, r"--from: .*its days go from 2013-01-01 to 2013-12-31"),
        (None, "2014-01-01", r"--to: .*its days go from 2013-01-01 to 2013-12-31"),
        ("2013-2-1", None, r"--from: "),
        ("2013-05-02", "2013-05-01", "--from 2013-05-02 lies behind --to 2013-05-01"),
        ("2013-01-05", None, "before --from 2013-01-05 there is nothing to train on"),
    ],
)
def test_what_cannot_be_played_is_refused(
    model: Model, first: str | None, last: str | None, told: str
) -> None:
    with pytest.raises(PartitionKeyError, match=told):
        choose_span(model("flight_delays"), first, last, now=NOW)


def test_what_is_not_over_is_refused(model: Model) -> None:
    noon = datetime(2013, 6, 15, 12, tzinfo=UTC)
    with pytest.raises(PartitionKeyError, match=r"--to 2013-06-15 is not over: .* is 2013-06-14"):
        choose_span(model("flight_delays"), None, "2013-06-15", now=noon)
