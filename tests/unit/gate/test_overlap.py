from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.gate.overlap import refuse_overlap
from mlops_tasks.lake import Pin, RandomSplit, TrainingPin
from mlops_tasks.partitions import DAY, HOUR, MONTH, WEEK, Grain

TABLE = Pin("t", "2024-01-01", "2024-03-31", (1,), ("a",), 80, "d")


def pin(train: tuple[str, str], evaluation: tuple[str, str]) -> TrainingPin:
    return TrainingPin("2024-04-01", train, evaluation, {}, TABLE)


@pytest.mark.parametrize(
    ("last", "first", "grain"),
    [
        ("2024-03-10", "2024-03-11", DAY),
        ("2024-03-10T23", "2024-03-11T00", HOUR),
        ("2024-03-04", "2024-03-11", WEEK),
        ("2024-02", "2024-03", MONTH),
        # A champion from before the grain was changed.
        ("2024-02", "2024-03-01", DAY),
        ("2024-03-10T22", "2024-03-11", DAY),
        ("2024-03-10", "2024-03-11T00", HOUR),
    ],
)
def test_a_window_may_begin_where_the_training_has_ended(
    last: str, first: str, grain: Grain
) -> None:
    trained, asked = pin((last, last), (first, first)), pin((first, first), (first, first))
    refuse_overlap("champion", trained, asked, grain)


@pytest.mark.parametrize(
    ("last", "first", "grain"),
    [
        ("2024-03-11", "2024-03-11", DAY),
        ("2024-03-12", "2024-03-11", DAY),
        ("2024-03-11T00", "2024-03-11T00", HOUR),
        ("2024-03-11", "2024-03-11", WEEK),
        # As texts these lie one after the other, and yet they share an instant.
        ("2024-03", "2024-03-15", DAY),
        ("2024-03-10", "2024-03-10T05", HOUR),
        ("2024-03", "2024-03-31T23", HOUR),
    ],
)
def test_a_window_that_shares_an_instant_with_the_training_is_refused(
    last: str, first: str, grain: Grain
) -> None:
    trained, asked = pin((last, last), (first, first)), pin((first, first), (first, first))
    with pytest.raises(LeakageError, match=f"trained on days up to {last}, .* begins on {first}"):
        refuse_overlap("champion", trained, asked, grain)


def test_hours_are_those_of_utc_and_days_those_of_the_zone() -> None:
    trained, asked = pin(("2024-03-10", "2024-03-10"), ("2024-03-10", "2024-03-10")), "2024-03-11"
    evaluated = pin((asked, asked), (f"{asked}T00", f"{asked}T05"))
    refuse_overlap("champion", trained, evaluated, HOUR, "UTC")
    with pytest.raises(LeakageError):  # there the day goes on for four hours of UTC
        refuse_overlap("champion", trained, evaluated, HOUR, "America/New_York")


def test_an_equal_random_split_keeps_the_same_rows_from_both() -> None:
    windows = ("2024-03-01", "2024-03-10"), ("2024-03-01", "2024-03-10")
    ours = replace(pin(*windows), random=RandomSplit(seed=1))
    refuse_overlap("champion", ours, ours, DAY)
    other = replace(ours, random=RandomSplit(seed=2))
    with pytest.raises(LeakageError):
        refuse_overlap("champion", other, ours, DAY)
