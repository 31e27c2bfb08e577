"""Faults that are injected into nights, each with the decision that is right.

Those that take weeks are in the file beside. What becomes of nights in which MLflow or the source
dies is in test_chaos.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.policy.incidents import Cause
from mlops_tasks.registry.ledger import EvidenceKind
from tests.unit.faults.lives import BEGIN, COOLDOWN, Day, day

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.faults.lives import Life


def test_a_quiet_week_asks_for_nothing(live: Callable[..., Life]) -> None:
    life = live()
    decided = life.nights(range(BEGIN, BEGIN + 7))
    assert [one.retrain for one in decided] == [False] * 7
    # At first nobody can tell, which is no yes; with rows enough it is one.
    assert [one.answer for one in decided[:2]] == ["cannot_tell"] * 2
    assert [one.answer for one in decided[3:]] == ["not_retrained"] * 4
    assert not any(life.alarms.values())


def test_a_sudden_change_of_the_concept_is_seen_at_once_and_trained_on(
    live: Callable[..., Life],
) -> None:
    life = live()
    decided = life.nights(range(BEGIN, BEGIN + COOLDOWN + 1), Day(odds=4.0))
    assert decided[1].cause == "cooldown"
    assert decided[1].reason.startswith("performance alarmed on 2 of the last 2 days")
    assert Cause.PERFORMANCE in life.wrong(BEGIN + 1)
    (retrained,) = (one for one in decided if one.retrain)
    assert retrained.cause == "performance"
    assert retrained.evidence.drift is not None
    assert not retrained.evidence.drift.alarm  # features are as they were


def test_a_sensor_that_fails_for_a_day_is_kept_out(live: Callable[..., Life]) -> None:
    life = live()
    life.nights(range(BEGIN, BEGIN + 3))
    (broken,) = life.nights(range(BEGIN + 3, BEGIN + 4), Day(broken=True))
    assert broken.answer == "cannot_tell"
    assert "not published" in broken.reason
    assert life.wrong(BEGIN + 3) == [Cause.REFUSED]
    assert day(BEGIN + 3) not in life.published["readings"]
    after = life.nights(range(BEGIN + 4, BEGIN + 6))
    assert [one.answer for one in after] == ["not_retrained"] * 2
    assert life.causes == []


def newest(life: Life) -> list[tuple[str, object]]:
    """Return what the policy weighs: the newest windows, without when they were known."""
    n = life.spec.retrain.of_last
    found = life.stores.ledger.newest_of_keys(life.spec.name, EvidenceKind.PERFORMANCE, n)
    return [(one.key, (one.evidence["first"], one.evidence["checks"])) for one in found]


def test_labels_in_reverse_order_come_to_the_same(live: Callable[..., Life]) -> None:
    life = live()
    numbers = range(BEGIN, BEGIN + 6)
    for number in numbers:
        life.plant.write(number, Day(odds=4.0))
        life.plant.drop("failures", number)
        assert not life.night(day(number)).retrain
    assert newest(life) == []
    for number in reversed(numbers):
        life.plant.write(number, Day(odds=4.0))
        life.ingestion.take(life.spec.label.dataset, day(number))
        life.dags.monitor(day(number))
    reverse = newest(life)
    for number in numbers:  # once more, each in its turn
        life.dags.monitor(day(number))
    assert newest(life) == reverse
    assert [key for key, _ in reverse] == [day(number) for number in numbers[-3:]]
    assert life.decide(day(numbers[-1])).cause == "cooldown"


def test_corrected_labels_change_what_is_weighed_and_nothing_that_was_decided(
    live: Callable[..., Life],
) -> None:
    life = live()
    decided = life.nights(range(BEGIN, BEGIN + 5))
    before = dict(newest(life))
    for number in range(BEGIN, BEGIN + 3):
        life.plant.turn_labels(number)
        life.correct(number, on=BEGIN + 4)
        life.dags.monitor(day(number))
    after = dict(newest(life))
    assert before.keys() == after.keys()
    assert all(before[key] != after[key] for key in after)
    entries = life.stores.ledger.entries(model=life.spec.name, kind=EvidenceKind.DECISION)
    assert [one.evidence["reason"] for one in entries] == [one.reason for one in decided]
    (now,) = life.nights(range(BEGIN + 5, BEGIN + 6))
    assert now.reason.startswith("performance alarmed on 3 of the last 3 days")


def test_a_monitor_that_is_killed_and_run_again_counts_once(live: Callable[..., Life]) -> None:
    life = live()

    def twice(partition: str) -> None:
        life.dags.monitor(partition)
        life.dags.monitor(partition)

    life.nights(range(BEGIN, BEGIN + 2), Day(odds=4.0), monitor=twice)
    found = life.stores.ledger.entries(
        model=life.spec.name, kind=EvidenceKind.PERFORMANCE, history=True
    )
    assert [one.key for one in found] == [day(BEGIN), day(BEGIN + 1)]
    seen = life.decided[day(BEGIN + 1)].evidence.performance
    assert seen is not None
    assert seen.days == (day(BEGIN), day(BEGIN + 1))


def test_a_champion_that_was_replaced_by_hand_is_not_measured_yet(
    live: Callable[..., Life],
) -> None:
    life = live()
    life.nights(range(BEGIN, BEGIN + 3), Day(odds=4.0))
    ledger, name = life.stores.ledger, life.spec.name
    life.dags.train(day(BEGIN + 2), "by hand")
    now = ledger.champion(name)
    assert now is not None
    if now.version == "1":
        pytest.fail("the gate has kept the challenger out")
    decided = life.decide(day(BEGIN + 2))
    assert decided.answer == "cannot_tell"
    assert "performance is not measured yet" in decided.reason
    assert "0 of the last 0" not in decided.reason
