from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.registry.ledger import LedgerEntry
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import RetrainSpec
from mlops_tasks.steps.decide import RetrainDecision, champion_then, decide, note_on
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec

NIGHT = 12


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    policy = RetrainSpec(windows=2, of_last=3, min_drifted=2, cooldown_days=4, max_age_days=10)
    return project(tmp_path, retrain=policy)


def entry(kind: str, number: int, **evidence: Any) -> LedgerEntry:
    return LedgerEntry(0, "late_orders", kind, day(number), evidence, "", datetime.now(UTC))


def drift(number: int, n_alarms: int, *, version: str = "3") -> LedgerEntry:
    checks = [
        {"name": f"c{i}", "alarm": i < n_alarms, "text": f"c{i} moved on {day(number)}"}
        for i in range(5)
    ]
    return entry("drift", number, model_version=version, checks=checks)


def performance(number: int, alarm: bool, *, version: str = "3") -> LedgerEntry:
    checks = [
        {"name": "roc_auc", "alarm": alarm, "text": "AUC fell"},
        {"name": "calibration_gap", "alarm": False, "text": "fine"},
    ]
    return entry("performance", number, model_version=version, checks=checks)


def trained(number: int) -> LedgerEntry:
    return entry("verdict", number, verdict="keep")


def test_without_a_champion_there_is_nothing_to_weigh(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), None, [])
    assert (decision.retrain, decision.cause) == (True, "no_champion")
    assert decision.reason == "there is no champion yet"
    assert decision.evidence == {"night": day(NIGHT)}


@pytest.mark.parametrize("champion", ["3", None])
@pytest.mark.parametrize("night", ["banana", "2024-02-30", "2024-3-1", "20240301", ""])
def test_a_night_that_is_no_day_is_refused(
    spec: ModelSpec, night: str, champion: str | None
) -> None:
    with pytest.raises(PartitionKeyError, match="is not a day"):
        decide(spec, night, champion, [trained(1)])


def test_a_quiet_night_is_a_written_no(spec: ModelSpec) -> None:
    entries = [trained(5), *(drift(n, 1) for n in (9, 10, 11)), performance(8, False)]
    decision = decide(spec, day(NIGHT), "3", entries)
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.reason == (
        "performance alarmed on 0 of the last 1 days; drift alarmed on 0 of the last 3 days"
    )
    assert decision.evidence["night"] == day(NIGHT)
    assert decision.evidence["champion_version"] == "3"
    assert decision.evidence["last_training"] == day(5)
    assert decision.evidence["drift"]["days"] == [day(9), day(10), day(11)]


def test_without_any_evidence_the_answer_is_no(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), "3", [])
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.evidence["last_training"] is None


def test_labels_that_moved_explain_and_are_no_cause(spec: ModelSpec) -> None:
    """What they cost shows in the performance, which is a cause."""
    moved = [{"name": "label", "alarm": True, "text": "label share 21 % → 34 %"}]
    labels = [entry("labels", n, model_version="3", checks=moved) for n in (9, 10, 11)]
    assert decide(spec, day(NIGHT), "3", [trained(5), *labels]).cause == "none"


@pytest.mark.parametrize(("second", "retrain"), [("predicted_class", False), ("speed", True)])
def test_scores_and_their_classes_count_once(spec: ModelSpec, second: str, retrain: bool) -> None:
    checks = [{"name": name, "alarm": True, "text": f"{name} moved"} for name in ("score", second)]
    moved = [entry("drift", n, model_version="3", checks=checks) for n in (10, 11)]
    assert decide(spec, day(NIGHT), "3", [trained(5), *moved]).retrain is retrain


@pytest.mark.parametrize(("age", "retrain"), [(9, False), (10, True), (11, True)])
def test_age_is_a_cause_of_its_own(spec: ModelSpec, age: int, retrain: bool) -> None:
    decision = decide(spec, day(NIGHT), "3", [trained(NIGHT - age)])
    assert decision.retrain is retrain
    if retrain:
        assert decision.cause == "age"
        assert decision.reason == f"the last training is {age} days old, the limit is 10"
        assert decision.evidence["last_training"] == day(NIGHT - age)


def test_a_training_of_the_night_itself_is_known(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), "3", [trained(0), trained(NIGHT)])
    assert decision.evidence["last_training"] == day(NIGHT)


def test_age_counts_from_the_last_training_and_not_the_last_promotion(spec: ModelSpec) -> None:
    assert not decide(spec, day(NIGHT), "3", [trained(0), trained(NIGHT - 1)]).retrain


@pytest.mark.parametrize(
    ("alarms", "retrain"),
    [
        ({9: False, 10: True, 11: True}, True),
        ({9: True, 10: False, 11: True}, True),
        ({9: True, 10: True, 11: True}, True),
        ({9: True, 10: True, 11: False}, False),  # the newest is quiet again
        ({9: False, 10: False, 11: True}, False),  # one night may be noise
        ({7: True, 9: False, 10: False, 11: True}, False),  # the older alarm is out of the window
        ({11: True}, False),
        ({10: True, 11: True}, True),
    ],
)
@pytest.mark.parametrize("kind", ["performance", "drift"])
def test_n_of_the_last_k_days_with_the_newest_included(
    spec: ModelSpec, kind: str, alarms: dict[int, bool], retrain: bool
) -> None:
    entries = [trained(3)]
    for number, alarm in alarms.items():
        entries.append(
            performance(number, alarm) if kind == "performance" else drift(number, 2 * alarm)
        )
    decision = decide(spec, day(NIGHT), "3", entries)
    assert decision.retrain is retrain
    assert decision.cause == (kind if retrain else "none")
    if retrain:
        assert day(11) in decision.reason
        assert decision.evidence[kind]["alarm_days"][-1] == day(11)


def test_the_reason_names_the_days_and_the_check(spec: ModelSpec) -> None:
    decision = decide(spec, day(NIGHT), "3", [trained(3), drift(10, 2), drift(11, 4)])
    assert decision.reason == (
        f"drift alarmed on 2 of the last 2 days ({day(10)}, {day(11)}): "
        f"c0 moved on {day(11)} and 3 more"
    )
    one = decide(spec, day(NIGHT), "3", [trained(3), performance(10, True), performance(11, True)])
    assert one.reason.endswith("AUC fell")


def test_fewer_drifted_columns_than_the_policy_asks_for_are_no_alarm(spec: ModelSpec) -> None:
    assert not decide(spec, day(NIGHT), "3", [trained(3), drift(10, 1), drift(11, 1)]).retrain


def test_performance_goes_before_drift(spec: ModelSpec) -> None:
    both = [drift(10, 5), drift(11, 5), performance(10, True), performance(11, True)]
    assert decide(spec, day(NIGHT), "3", [trained(3), *both]).cause == "performance"


@pytest.mark.parametrize(("age", "cause"), [(3, "cooldown"), (4, "drift"), (None, "drift")])
def test_no_alarm_retrains_within_the_cooldown(
    spec: ModelSpec, age: int | None, cause: str
) -> None:
    entries = [drift(10, 5), drift(11, 5)]
    if age is not None:
        entries.append(trained(NIGHT - age))
    decision = decide(spec, day(NIGHT), "3", entries)
    assert (decision.cause, decision.retrain) == (cause, cause == "drift")
    if cause == "cooldown":
        assert "but the last training was 3 days ago and the cool-down is 4 days" in decision.reason
        assert decision.evidence["drift"]["alarm"] is True


def test_evidence_about_another_version_is_ignored(spec: ModelSpec) -> None:
    old = [drift(10, 5, version="2"), drift(11, 5, version="2"), performance(11, True, version="2")]
    decision = decide(spec, day(NIGHT), "3", [trained(3), *old, drift(9, 5)])
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.evidence["drift"]["days"] == [day(9)]


def test_what_is_known_only_later_is_ignored(spec: ModelSpec) -> None:
    later = [drift(NIGHT + 1, 5), performance(NIGHT + 1, True), trained(NIGHT + 1)]
    entries = [trained(3), drift(NIGHT - 1, 5), *later]
    decision = decide(spec, day(NIGHT), "3", entries)
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.evidence["last_training"] == day(3)
    this_night = decide(spec, day(NIGHT), "3", [*entries, drift(NIGHT, 5)])
    assert this_night.cause == "drift", "evidence of the night itself is known"


def test_the_decision_is_plain_json(spec: ModelSpec) -> None:
    import json

    for entries in ([], [trained(3), drift(10, 5), drift(11, 5)]):
        decision = to_json(decide(spec, day(NIGHT), "3", entries))
        assert json.loads(json.dumps(decision, allow_nan=False)) == decision


# --- the champion of a night


def history(*events: tuple[str, int, str]) -> list[LedgerEntry]:
    """Write down events in this order: kind, night, and the version promoted."""
    return [
        replace(entry(kind, number, version=version), seq=place)
        for place, (kind, number, version) in enumerate(events, start=1)
    ]


@pytest.mark.parametrize(
    ("night", "version"), [(4, None), (5, "1"), (8, "1"), (9, "2"), (11, "2"), (12, "3"), (40, "3")]
)
def test_a_night_has_the_champion_that_was_promoted_last(night: int, version: str | None) -> None:
    entries = history(
        ("promotion", 5, "1"),
        ("decision", 7, ""),
        ("promotion", 9, "2"),
        ("promotion", 12, "3"),
    )
    for shuffled in (entries, entries[::-1]):
        assert champion_then(shuffled, day(night), "3") == version


def test_a_later_decision_ends_what_was_known() -> None:
    """Version 2 was trained as of the fifth night when the ninth had been decided."""
    entries = history(("promotion", 3, "1"), ("decision", 9, ""), ("promotion", 5, "2"))
    assert champion_then(entries, day(8), "2") == "1"
    assert champion_then(entries, day(9), "2") == "2"
    assert champion_then(entries, day(2), "2") is None


def test_without_promotions_written_down_the_champion_is_the_one_given() -> None:
    assert champion_then(history(("decision", 9, "")), day(3), "7") == "7"
    assert champion_then([], day(3), None) is None


def test_a_night_before_all_champions_cannot_be_told(spec: ModelSpec) -> None:
    found = decide(spec, day(2), "1", history(("promotion", 5, "1")))
    assert (found.retrain, found.cause) == (False, "cannot_tell")
    assert found.reason == (
        f"no version is known to have been champion on {day(2)}; version 1 is by now, and a "
        "training of the past would change nothing"
    )
    assert found.evidence == {"night": day(2)}
    assert decide(spec, day(2), None, []).retrain


def test_the_newest_evidence_that_was_known_counts(spec: ModelSpec) -> None:
    def told(seq: int, number: int, known_at: int, alarm: bool) -> LedgerEntry:
        first = performance(number, alarm)
        return replace(first, seq=seq, evidence=first.evidence | {"known_at": day(known_at)})

    alarms = [told(1, 10, 11, True), told(2, 11, 12, True)]
    assert decide(spec, day(NIGHT), "3", alarms).cause == "performance"
    assert decide(spec, day(NIGHT), "3", [*alarms, told(3, 11, 12, False)]).cause == "none"
    assert decide(spec, day(NIGHT), "3", [told(3, 11, 12, False), *alarms]).cause == "none"
    assert decide(spec, day(NIGHT), "3", [*alarms, told(3, 11, 13, False)]).cause == "performance"
    late = [told(1, 10, 11, True), told(2, 11, 13, True)]
    assert decide(spec, day(NIGHT), "3", late).cause == "none"


def test_days_of_which_nobody_can_tell_are_named(spec: ModelSpec) -> None:
    checks = [{"name": "roc_auc", "value": None, "alarm": False, "text": "too few"}]
    untold = [entry("performance", n, model_version="3", checks=checks) for n in (10, 11)]
    found = decide(spec, day(NIGHT), "3", [*untold, performance(9, False)])
    assert found.reason.startswith("performance alarmed on 0 of the last 3 days, on 2 nobody can")
    assert found.evidence["performance"]["untold_days"] == [day(10), day(11)]
    assert found.evidence["performance"]["alarm"] is False


@pytest.mark.parametrize(("cause", "same"), [("none", True), ("drift", False)])
def test_a_note_says_what_would_be_decided_now(cause: str, same: bool) -> None:
    then = {"retrain": False, "cause": "none", "reason": "all quiet", "evidence": {}}
    note = note_on(then, RetrainDecision(not same, cause, "all moved", {}))
    assert note["same"] is same
    if same:
        assert note["text"] == "today it would be the same: no (none): all moved"
    else:
        assert note["text"] == "decided was no (none): all quiet; today: retrain (drift): all moved"
    assert (note["then"], note["now"]["cause"]) == (then, cause)
