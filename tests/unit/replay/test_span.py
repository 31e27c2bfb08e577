"""Which partitions are replayed, and what is refused before anything is started."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.replay import choose_span
from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.trial.span import choose_span as trial_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.specs import ModelSpec

    Model = Callable[[str], ModelSpec]

NOW = datetime(2026, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("name", ["demand", "flight_delays", "machine_failures"])
def test_by_default_what_a_trial_plays_is_played(model: Model, name: str) -> None:
    spec = model(name)
    tried = trial_span(spec, None, None)
    assert choose_span(spec, None, None, now=NOW) == (tried.rounds[0], tried.rounds[-1])
    # So both train the first champion as of the same day, on the same partitions.
    played = Calendar(spec, tried.rounds[0])
    assert (played.cutoff, played.history()) == (tried.calendar.cutoff, tried.calendar.history())


def test_where_rows_have_ended_their_last_labels_are_waited_for(model: Model) -> None:
    # 2024-12-30 is the Monday of the last week; the sales of a week come with the next one.
    assert choose_span(model("demand"), None, None, now=NOW)[1] == "2025-01-06"
    assert choose_span(model("demand"), None, "2024-12-30", now=NOW)[1] == "2025-01-06"
    assert choose_span(model("demand"), None, "2024-12-23", now=NOW)[1] == "2024-12-23"
    # A flight's delay is known two days later, and no decision of the future is played.
    assert choose_span(model("flight_delays"), None, None, now=NOW)[1] == "2014-01-02"
    soon = datetime(2014, 1, 2, 12, tzinfo=UTC)
    assert choose_span(model("flight_delays"), None, None, now=soon)[1] == "2014-01-01"


def test_data_that_go_on_are_played_up_to_the_last_decision(model: Model) -> None:
    noon = datetime(2013, 6, 15, 12, tzinfo=UTC)
    # The decision of the 14th was taken in the night, at three; that of the 15th is to come.
    assert choose_span(model("flight_delays"), None, None, now=noon)[1] == "2013-06-14"
    early = datetime(2013, 6, 15, 2, tzinfo=UTC)
    assert choose_span(model("flight_delays"), None, None, now=early)[1] == "2013-06-13"


def test_a_window_of_monitoring_is_played_and_until_its_labels_are_there(model: Model) -> None:
    # Seven days whose labels come two days later.
    first, last = choose_span(model("flight_delays"), None, "2013-03-20", now=NOW)
    assert (first, last) == ("2013-03-12", "2013-03-20")


def test_what_is_there_is_trained_on_where_the_windows_are_longer_than_the_data(
    model: Model,
) -> None:
    assert choose_span(model("flight_delays"), None, "2013-02-28", now=NOW)[0] == "2013-02-20"
    with pytest.raises(PartitionKeyError, match="do not suffice"):
        choose_span(model("flight_delays"), None, "2013-01-12", now=NOW)


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
