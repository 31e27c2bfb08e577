"""Faults that last for days or weeks, each with the decision that is right."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mlops_tasks.partitions import Duration, days_between
from mlops_tasks.policy.incidents import Cause
from mlops_tasks.specs import RetrainSpec
from tests.unit.faults.lives import BEGIN, COOLDOWN, Day, day

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.faults.lives import Life


def test_a_gradual_drift_of_the_inputs_that_does_no_harm_is_told_apart(
    live: Callable[..., Life],
) -> None:
    """It is trained on, as the policy asks for that, and performance is said to be fine."""
    life = live()
    numbers = range(BEGIN, BEGIN + COOLDOWN + 3)
    for number in numbers:
        n = number - BEGIN
        life.plant.write(number, Day(warmer=1.5 * n, older=0.6 * n, presses=1 / 3 + 0.05 * n))
    decided = [life.night(day(number)) for number in numbers]
    assert life.causes == ["drift"]
    (retrained,) = (one for one in decided if one.retrain)
    assert retrained.evidence.performance is not None
    assert retrained.evidence.performance.answer == "fine"


def test_labels_that_stop_for_two_weeks_are_no_peace(live: Callable[..., Life]) -> None:
    life = live(retrain=RetrainSpec(max_untold=Duration(7, "d")))
    life.nights(range(BEGIN, BEGIN + 4))
    silent = range(BEGIN + 4, BEGIN + 18)
    for number in silent:
        life.plant.write(number)
        life.plant.drop("failures", number)
    decided = [life.night(day(number)) for number in silent]
    assert {one.answer for one in decided[1:]} == {"cannot_tell"}
    assert not any(one.retrain for one in decided)
    assert Cause.INGESTION in life.wrong(silent[1])
    assert Cause.CANNOT_TELL not in life.wrong(silent[1])
    assert Cause.CANNOT_TELL in life.wrong(silent[-1])
    for number in silent:  # they come after all
        life.plant.write(number)
        life.ingestion.take(life.spec.label.dataset, day(number))
        life.dags.monitor(day(number))
    (back,) = life.nights(range(BEGIN + 18, BEGIN + 19))
    assert back.answer == "not_retrained"
    assert life.wrong(BEGIN + 18) == []


def test_a_challenger_that_is_no_better_is_kept_out_and_tried_less_often(
    live: Callable[..., Life],
) -> None:
    """Failures that have to do with nothing are learnt by no training."""
    life = live(retrain=RetrainSpec(cooldown=Duration(2, "d")))
    life.nights(range(BEGIN, BEGIN + 22), Day(noise=True))
    kept_out = [one for one in life.dags.trainings if one.verdict != "promote"]
    trained = [one.as_of for one in kept_out]
    assert len(trained) >= 3
    gaps = [days_between(*pair) for pair in pairwise(trained)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > gaps[0]


def test_scoring_that_fails_for_a_week_is_an_incident_on_the_first_night(
    live: Callable[..., Life],
) -> None:
    life = live()
    life.nights(range(BEGIN, BEGIN + 4))
    failing = life.nights(range(BEGIN + 4, BEGIN + 11), score=lambda _: None)
    assert Cause.SCORING in life.wrong(BEGIN + 4)
    assert {one.answer for one in failing} == {"cannot_tell"}
    (alarm,) = (one for one in life.alarms[day(BEGIN + 10)] if one.cause is Cause.SCORING)
    assert len(alarm.partitions) == 7
    assert alarm.n_rows == 7 * 240
    assert life.causes == []


def test_after_a_leap_of_a_year_nobody_can_tell(live: Callable[..., Life]) -> None:
    life = live(retrain=RetrainSpec(max_age=Duration(1000, "d")))
    life.nights(range(BEGIN, BEGIN + 4))
    decided = life.nights(range(BEGIN + 369, BEGIN + 371), Day(warmer=20, older=9, presses=0.9))
    assert {one.answer for one in decided} == {"cannot_tell"}
    seen = decided[-1].evidence
    assert seen.drift is not None
    assert not seen.drift.alarm  # two days of seven are no window
    assert Cause.INGESTION in life.wrong(BEGIN + 370)
