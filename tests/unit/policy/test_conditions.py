from __future__ import annotations

import pytest

from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.policy import (
    AlarmHistory,
    drift_alarms,
    estimate_note,
    performance_alarms,
)
from mlops_tasks.specs import RetrainSpec

POLICY = RetrainSpec(windows=2, of_last=3, min_drifted=2)


def measured(day: str, *alarms: bool | None, names: str = "abcdef") -> MonitorResult:
    """Return a day with one check for each alarm; None where nobody can tell."""
    checks = tuple(
        Check(name, None if alarm is None else 0.5, 0.4, bool(alarm), f"{name} moved on {day}")
        for name, alarm in zip(names, alarms, strict=False)
    )
    return MonitorResult(day, day, 9, "1", checks)


def test_without_days_nothing_alarms() -> None:
    found = performance_alarms(POLICY, [])
    assert found == AlarmHistory(False, (), (), (), "performance is not measured yet")
    assert found.answer == "cannot_tell"
    assert drift_alarms(POLICY, [], grain="week").text == "drift is not measured yet"


def test_columns_that_are_too_few_for_a_cause_are_explained() -> None:
    quiet, one = measured("1", False, False), measured("2", True, False)
    text = drift_alarms(POLICY, [quiet, one]).text
    assert text == (
        "drift alarmed on 0 of the last 2 days; 1 column alarms, 2 needed (retrain.min_drifted), "
        "on 2: a"
    )
    many = RetrainSpec(windows=2, of_last=3, min_drifted=3)
    text = drift_alarms(many, [one, measured("3", True, True)]).text
    assert text.endswith("; 2 columns alarm, 3 needed (retrain.min_drifted), on 2 days: a, b")
    assert "min_drifted" not in drift_alarms(POLICY, [quiet, measured("2", True, True)]).text


@pytest.mark.parametrize(
    ("days", "alarm"),
    [
        ("-++", True),
        ("+-+", True),
        ("+++", True),
        ("++-", False),
        ("--+", False),
        ("+", False),
        ("++", True),
    ],
)
def test_enough_days_alarm_and_the_newest_is_one_of_them(days: str, alarm: bool) -> None:
    results = [measured(str(n), day == "+") for n, day in enumerate(days)]
    found = performance_alarms(POLICY, results)
    assert found.alarm is alarm
    assert found.days == tuple(str(n) for n in range(len(days)))
    assert found.alarm_days == tuple(str(n) for n, day in enumerate(days) if day == "+")
    n, plural = len(days), "s" if len(days) > 1 else ""
    head = f"performance alarmed on {days.count('+')} of the last {n} day{plural}"
    newest = len(days) - 1
    tail = f" ({', '.join(found.alarm_days)}): a moved on {newest}"
    tail = tail if alarm else ", 2 with the newest are needed"
    assert found.text == head + tail


@pytest.mark.parametrize(("alarms", "hit"), [((True, False), False), ((True, True), True)])
def test_a_day_of_drift_needs_several_columns(alarms: tuple[bool, bool], hit: bool) -> None:
    found = drift_alarms(POLICY, [measured("1", *alarms), measured("2", *alarms, True, True)])
    assert found.alarm_days == (("1", "2") if hit else ("2",))
    assert found.alarm is hit
    if hit:
        assert found.text.endswith("(1, 2): a moved on 2 and 3 more")


def test_predicted_classes_are_cut_from_the_scores_and_count_once() -> None:
    names = ["score", "predicted_class"]
    checks = tuple(Check(name, 0.5, 0.4, True, f"{name} moved") for name in names)
    days = [MonitorResult(day, day, 9, "1", checks) for day in "12"]
    assert drift_alarms(POLICY, days).alarm
    assert not drift_alarms(POLICY, days, derived={"predicted_class"}).alarm
    assert performance_alarms(POLICY, days).alarm


def test_days_of_which_nobody_can_tell_are_named_until_something_alarms() -> None:
    days = [measured("1", None, None), measured("2", None, False), measured("3")]
    found = performance_alarms(POLICY, days)
    assert found.untold_days == ("1", "3")
    assert found.text == "performance alarmed on 0 of the last 3 days, on 2 nobody can tell"
    assert found.answer == "cannot_tell"
    assert performance_alarms(POLICY, days[:2]).answer == "fine"
    loud = performance_alarms(POLICY, [days[0], measured("2", True), measured("3", True)])
    assert loud.untold_days == ("1",)
    assert loud.text == "performance alarmed on 2 of the last 3 days (2, 3): a moved on 3"


def test_partitions_are_called_what_they_are() -> None:
    weeks = [measured("2024-02-26", True), measured("2024-03-04", True)]
    found = performance_alarms(POLICY, weeks, grain="week")
    assert found.text.startswith("performance alarmed on 2 of the last 2 weeks (2024-02-26, ")
    assert drift_alarms(POLICY, [], grain="month").text == "drift is not measured yet"


def test_what_nobody_can_tell_says_why_and_a_lone_column_what_it_matters() -> None:
    silent = performance_alarms(POLICY, [measured("1", None)])
    assert silent.text.endswith("of the last 1 day, on 1 nobody can tell: a moved on 1")
    check = Check("speed", 0.5, 0.4, True, "speed moved", importance=0.0214)
    found = drift_alarms(POLICY, [MonitorResult("1", "1", 9, "1", (check,))])
    assert found.answer == "fine"
    assert found.text.endswith(
        "; 1 column alarms, 2 needed (retrain.min_drifted), on 1: speed, whose importance is 0.021"
    )


@pytest.mark.parametrize(
    ("estimated", "realised", "alarm"),
    [
        (("3", True, "a"), (False, False, True), True),  # estimated, then confirmed
        (("3", False, "a"), (False, False, True), False),  # the estimate was fine
        (("3", None, "a"), (False, False, True), False),  # it could not tell
        (("3", True, "b"), (False, False, True), False),  # of another metric
        (("2", True, "a"), (False, False, True), False),  # of another partition
        (("3", True, "a"), (False, False, False), False),  # labels say no
        (("2", True, "a"), (False, True, False), False),  # confirmed, but the newest is fine
        (("1", True, "a"), (True, False, True), True),  # enough without it
    ],
)
def test_an_estimate_counts_once_labels_confirm_it_on_the_same_partition(
    estimated: tuple[str, bool | None, str], realised: tuple[bool, ...], alarm: bool
) -> None:
    day, answer, name = estimated
    results = [measured(str(n), one) for n, one in enumerate(realised, 1)]
    found = performance_alarms(POLICY, results, estimates=[measured(day, answer, names=name)])
    assert found.alarm is alarm
    if alarm and realised == (False, False, True):
        assert found.text == (
            "performance alarmed on 1 of the last 3 days (3; estimated before on 3): a moved on 3"
        )


def test_one_confirmed_partition_is_two_and_not_more() -> None:
    three = RetrainSpec(windows=3, of_last=3)
    estimates = [measured("2", True), measured("3", True)]
    one = performance_alarms(three, [measured("3", True)], estimates=estimates)
    assert not one.alarm
    both = [measured("2", True), measured("3", True)]
    assert performance_alarms(three, both, estimates=estimates[:1]).alarm


def test_an_estimate_is_told_where_it_is_news() -> None:
    fine = performance_alarms(POLICY, [measured("1", False)])
    unknown = performance_alarms(POLICY, [measured("1", None)])
    before = "estimated before labels"
    told = {
        (name, answer): estimate_note([measured("9", False), measured("2", answer)], history)
        for name, history in (("fine", fine), ("unknown", unknown))
        for answer in (True, False, None)
    }
    alarm = f"{before}, a cause once they confirm it: 2, a moved on 2"
    assert told == {
        ("fine", True): alarm,
        ("fine", False): "",
        ("fine", None): "",
        ("unknown", True): alarm,
        ("unknown", False): f"{before}: 2, a moved on 2",
        ("unknown", None): "",
    }
    assert estimate_note([measured("1", True)], fine) == ""  # labels have answered
    assert estimate_note([], unknown) == ""
