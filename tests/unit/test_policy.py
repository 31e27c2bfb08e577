from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.ledger import LedgerEntry
from mlops_tasks.policy import decide
from mlops_tasks.spec import RetrainSpec
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.spec import ModelSpec

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


def test_a_quiet_night_is_a_written_no(spec: ModelSpec) -> None:
    entries = [trained(5), *(drift(n, 1) for n in (9, 10, 11)), performance(8, False)]
    decision = decide(spec, day(NIGHT), "3", entries)
    assert (decision.retrain, decision.cause) == (False, "none")
    assert decision.reason == (
        "performance alarmed on 0 of the last 1 days; drift alarmed on 0 of the last 3 days"
    )
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
    from dataclasses import asdict

    for entries in ([], [trained(3), drift(10, 5), drift(11, 5)]):
        decision = asdict(decide(spec, day(NIGHT), "3", entries))
        assert json.loads(json.dumps(decision, allow_nan=False)) == decision
