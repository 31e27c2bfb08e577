from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.partitions import Duration
from mlops_tasks.policy import Absence, Decided, Memory, PolicyEvidence
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import RetrainSpec
from mlops_tasks.steps.decide import Grounds, RetrainDecision, decide, note_on
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec

NIGHT, LONG = 12, Duration(100, "d")
QUIET = PolicyEvidence(champion="3", champion_now="3", last_training=day(5))


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    policy = RetrainSpec(windows=2, of_last=3, min_drifted=2, cooldown="4d", max_age="10d")
    return project(tmp_path, retrain=policy)


def measured(number: int, n_alarms: int = 0) -> MonitorResult:
    checks = tuple(
        Check(f"c{i}", 0.5, 0.4, i < n_alarms, f"c{i} moved on {day(number)}") for i in range(5)
    )
    return MonitorResult(day(number), day(number), 9, "3", checks)


def loud(*numbers: int) -> tuple[MonitorResult, ...]:
    return tuple(measured(number, 5) for number in numbers)


def trained(number: int | None) -> PolicyEvidence:
    return replace(QUIET, last_training=None if number is None else day(number))


def test_without_a_champion_there_is_nothing_to_weigh(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), PolicyEvidence())
    assert (decision.retrain, decision.cause) == (True, "no_champion")
    assert decision.reason == "there is no champion yet"
    assert decision.evidence == Grounds()


def test_a_day_before_all_champions_cannot_be_told(spec: ModelSpec) -> None:
    found = decide(spec, day(2), replace(QUIET, champion=None, champion_now="1"))
    assert (found.retrain, found.cause) == (False, "cannot_tell")
    assert found.reason == (
        f"no version is known to have been champion on {day(2)}; version 1 is by now, and a "
        "training of the past would change nothing"
    )
    assert found.evidence == Grounds()


@pytest.mark.parametrize("evidence", [PolicyEvidence(), QUIET])
@pytest.mark.parametrize("night", ["banana", "2024-02-30", "2024-3-1", "20240301", ""])
def test_a_night_that_is_no_day_is_refused(
    spec: ModelSpec, night: str, evidence: PolicyEvidence
) -> None:
    with pytest.raises(PartitionKeyError, match="is not a day"):
        decide(spec, night, evidence)


def test_a_quiet_night_is_a_written_no(spec: ModelSpec) -> None:
    drift = tuple(measured(number, 1) for number in (9, 10, 11))
    decision = decide(spec, day(NIGHT), replace(QUIET, drift=drift, performance=(measured(8),)))
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.reason == (
        "performance alarmed on 0 of the last 1 day; drift alarmed on 0 of the last 3 days; 1 "
        "column alarms, 2 needed (retrain.min_drifted), on 3 days: c0"
    )
    assert decision.evidence.champion_version == "3"
    assert decision.evidence.last_training == day(5)
    assert decision.evidence.performance is not None
    assert decision.evidence.performance.days == (day(8),)
    assert decision.evidence.drift is not None
    assert decision.evidence.drift.days == (day(9), day(10), day(11))


def test_without_any_evidence_nobody_can_tell(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), trained(None))
    assert (decision.retrain, decision.cause) == (False, "cannot_tell")
    assert decision.answer == "cannot_tell"
    assert decision.reason == (
        "version 3: performance is not measured yet; drift is not measured yet"
    )
    assert decision.help == (
        "labels of what this version has scored, from deliveries, 2 days after their rows",
    )
    assert decision.evidence.last_training is None


def fine(*numbers: int) -> tuple[MonitorResult, ...]:
    return tuple(measured(number) for number in numbers)


def silent(number: int) -> MonitorResult:
    checks = (Check("roc_auc", None, 0.0, False, "9 labelled rows, fewer than 300"),)
    return MonitorResult(day(number), day(number), 9, "3", checks)


@pytest.mark.parametrize("kind", ["performance", "drift"])
def test_what_a_monitor_cannot_tell_is_no_no(spec: ModelSpec, kind: str) -> None:
    both = replace(QUIET, performance=fine(9, 10), drift=fine(10, 11))
    assert decide(spec, day(NIGHT), both).answer == "not_retrained"
    found = decide(spec, day(NIGHT), replace(both, **{kind: (*fine(9), silent(10))}))
    assert (found.retrain, found.answer) == (False, "cannot_tell")
    assert "on 1 nobody can tell: 9 labelled rows, fewer than 300" in found.reason
    assert len(found.help) == 1


def test_what_cannot_be_told_for_long_says_so(spec: ModelSpec) -> None:
    known = replace(QUIET, performance=(silent(10),), drift=fine(10, 11))
    policy = spec.retrain.model_copy(update={"max_untold": Duration(5, "d"), "max_age": LONG})
    spec = spec.model_copy(update={"retrain": policy})
    for since, lasts in ((NIGHT - 4, False), (NIGHT - 5, True)):
        found = decide(spec, day(NIGHT), replace(known, untold_since=day(since)))
        assert (found.answer, found.evidence.untold_lasts) == ("cannot_tell", lasts)
        assert f"nobody can tell since {day(since)}, {NIGHT - since} days" in found.reason
        assert ("longer than 5 days (retrain.max_untold)" in found.reason) is lasts


@pytest.mark.parametrize("is_newest", [True, False])
def test_absence_is_told_and_hides_the_present(spec: ModelSpec, is_newest: bool) -> None:
    absence = Absence("scored", "m", (day(11),), day(11), is_newest, 5805, "1 day is gone", "look")
    known = replace(QUIET, performance=fine(9, 10), drift=fine(9, 10), absences=(absence,))
    found = decide(spec, day(NIGHT), known)
    assert found.answer == ("cannot_tell" if is_newest else "not_retrained")
    assert "1 day is gone" in found.reason
    assert found.evidence.absences == (absence,)
    assert found.help == (("look",) if is_newest else ())
    loud_too = replace(known, performance=loud(10, 11))
    assert decide(spec, day(NIGHT), loud_too).answer == "retrain"


@pytest.mark.parametrize(("age", "retrain"), [(9, False), (10, True), (11, True)])
def test_age_is_a_cause_of_its_own(spec: ModelSpec, age: int, retrain: bool) -> None:
    decision = decide(spec, day(NIGHT), trained(NIGHT - age))
    assert decision.retrain is retrain
    if retrain:
        assert decision.cause == "age"
        assert decision.reason == f"the last training is {age} days old, the limit is 10 days"
        assert decision.evidence.last_training == day(NIGHT - age)
        assert decision.evidence.drift is not None, "looked at, too"


@pytest.mark.parametrize("kind", ["performance", "drift"])
def test_alarms_that_last_are_a_cause(spec: ModelSpec, kind: str) -> None:
    decision = decide(spec, day(NIGHT), replace(QUIET, **{kind: loud(10, 11)}))
    assert (decision.retrain, decision.cause) == (True, kind)
    assert decision.reason == (
        f"{kind} alarmed on 2 of the last 2 days ({day(10)}, {day(11)}): c0 moved on {day(11)} "
        "and 4 more"
    )
    assert (decision.evidence.champion_version, decision.evidence.last_training) == ("3", day(5))
    assert not decide(spec, day(NIGHT), replace(QUIET, **{kind: loud(11)})).retrain


def test_performance_goes_before_drift(spec: ModelSpec) -> None:
    both = replace(QUIET, performance=loud(10, 11), drift=loud(10, 11))
    assert decide(spec, day(NIGHT), both).cause == "performance"


@pytest.mark.parametrize("kind", ["performance", "drift"])
@pytest.mark.parametrize(("age", "cooling"), [(3, True), (4, False), (None, False)])
def test_no_alarm_retrains_within_the_cooldown(
    spec: ModelSpec, age: int | None, cooling: bool, kind: str
) -> None:
    evidence = replace(trained(None if age is None else NIGHT - age), **{kind: loud(10, 11)})
    decision = decide(spec, day(NIGHT), evidence)
    assert (decision.cause, decision.retrain) == ("cooldown" if cooling else kind, not cooling)
    if cooling:
        assert decision.reason == (
            f"{kind} alarmed on 2 of the last 2 days ({day(10)}, {day(11)}): c0 moved on {day(11)} "
            "and 4 more, but the last training was 3 days ago and the cool-down is 4 days"
        )
        history = getattr(decision.evidence, kind)
        assert history.alarm is True


def test_the_decision_is_plain_json(spec: ModelSpec) -> None:
    for evidence in (PolicyEvidence(), QUIET, replace(QUIET, drift=loud(10, 11))):
        decision = decide(spec, day(NIGHT), evidence)
        text = json.dumps(to_json(decision), allow_nan=False)
        assert from_json(RetrainDecision, json.loads(text)) == decision


@pytest.mark.parametrize(("cause", "same"), [("none", True), ("drift", False)])
def test_a_note_says_what_would_be_decided_now(cause: str, same: bool) -> None:
    then = RetrainDecision(False, "none", "all quiet")
    now = RetrainDecision(not same, cause, "all moved")
    note = note_on(then, now)
    assert note.same is same
    if same:
        assert note.text == "today it would be the same: not retrained because all moved"
    else:
        assert note.text == (
            "decided was: not retrained because all quiet; today: retrain (drift): all moved"
        )
    assert (note.then, note.now) == (then, now)


def test_a_note_compares_answer_and_cause() -> None:
    then = RetrainDecision(False, "none", "all quiet")
    assert not note_on(then, RetrainDecision(False, "cooldown", "too soon")).same
    assert not note_on(then, RetrainDecision(True, "none", "all quiet")).same


def remembered(*causes: str, n_failed: int = 0) -> PolicyEvidence:
    """Return evidence that alarms, with what was decided on the nights before."""
    alarms = ("performance", "drift")
    nights = enumerate(causes, NIGHT - len(causes))
    decided = tuple(Decided(day(number), cause in alarms, cause) for number, cause in nights)
    return replace(QUIET, performance=loud(10, 11), memory=Memory(decided, n_failed))


def test_an_alarm_waits_longer_after_challengers_that_failed(spec: ModelSpec) -> None:
    assert decide(spec, day(NIGHT), remembered()).retrain
    assert decide(spec, day(NIGHT), remembered(n_failed=1)).retrain
    found = decide(spec, day(NIGHT), remembered(n_failed=2))
    assert (found.retrain, found.cause) == (False, "cooldown")
    assert found.reason.endswith(
        "the last training was 7 days ago and the cool-down is 8 days after 2 challengers in a row "
        "that the gate kept out"
    )


def test_alarms_have_a_budget_and_a_longest_chain(spec: ModelSpec) -> None:
    policy = spec.retrain.model_copy(update={"weekly_budget": 2, "max_chain": 3})
    spec = spec.model_copy(update={"retrain": policy})
    assert decide(spec, day(NIGHT), remembered("drift", "none")).retrain
    found = decide(spec, day(NIGHT), remembered("drift", "performance", "none"))
    assert (found.retrain, found.cause) == (False, "budget")
    assert "2 trainings were decided within a week" in found.reason
    unbounded = policy.model_copy(update={"weekly_budget": None})
    spec = spec.model_copy(update={"retrain": unbounded})
    assert decide(spec, day(NIGHT), remembered("drift", "drift", "cooldown")).retrain
    found = decide(spec, day(NIGHT), remembered("drift", "drift", "cooldown", "drift"))
    assert (found.retrain, found.cause) == (False, "chain")
    assert decide(spec, day(NIGHT), remembered(*["drift"] * 4, "none")).retrain


def test_no_alarm_retrains_on_quiet_days_and_age_does(spec: ModelSpec) -> None:
    today = "wed"  # day 12
    policy = spec.retrain.model_copy(update={"quiet_days": (today,)})
    spec = spec.model_copy(update={"retrain": policy})
    found = decide(spec, day(NIGHT), remembered())
    assert (found.retrain, found.cause) == (False, "quiet")
    assert found.reason.endswith("no alarm retrains as of a wed (retrain.quiet_days)")
    assert decide(spec, day(NIGHT), trained(NIGHT - 11)).cause == "age"


def test_an_estimate_alone_never_retrains_and_is_told(spec: ModelSpec) -> None:
    quiet = replace(QUIET, performance=(measured(8),), drift=(measured(8),))
    said = Check("c0", 0.5, 0.6, True, "the metric is estimated at 0.5", None, 0.4, 0.55)
    estimates = tuple(MonitorResult(day(n), day(n), 9, "3", (said,)) for n in (9, 10, 11))
    found = decide(spec, day(NIGHT), replace(quiet, estimates=estimates))
    assert (found.retrain, found.cause) == (False, "none")
    note = (
        f"estimated before labels, a cause once they confirm it: {day(11)}, the metric is "
        "estimated at 0.5"
    )
    assert found.evidence.estimate == note
    assert found.reason.endswith(f"; {note}")
    silent = decide(spec, day(NIGHT), replace(QUIET, estimates=estimates))
    assert (silent.cause, silent.evidence.estimate) == ("cannot_tell", note)
    confirmed = replace(quiet, performance=(measured(11, 1),), estimates=estimates[2:])
    found = decide(spec, day(NIGHT), confirmed)
    assert (found.retrain, found.cause) == (True, "performance")
    assert f"; estimated before on {day(11)})" in found.reason
    assert from_json(RetrainDecision, json.loads(json.dumps(to_json(found)))) == found
