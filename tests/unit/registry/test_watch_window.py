"""Which partitions a watch window has, and when there is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import NotWatchedError, SpecError
from mlops_tasks.registry.ledger import Ledger, LedgerEntry
from mlops_tasks.registry.past_champions import day_of_move
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.registry.watch_window import (
    WatchWindow,
    find_watch_window,
    window_to_open,
)
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import AfterPromotionSpec, InputSpec, LabelSpec
from tests.unit import machines
from tests.unit.orders import day, deliveries_dataset, orders_dataset, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec

NAME, AS_OF = "late_orders", 15


@pytest.fixture
def ledger() -> Ledger:
    """Version 2 has been promoted in place of version 1."""
    return promoted(NAME, day(10), day(AS_OF))


def promoted(name: str, *nights: str) -> Ledger:
    made = Ledger("sqlite://")
    for generation, night in enumerate(nights):
        number = str(generation + 1)
        assert made.register(RegisteredVersion(name, number, "run", "models:/x", f"d{number}"))
        made.promote(name, version=number, generation=generation, key=night, evidence={})
    return made


def opened(spec: ModelSpec, ledger: Ledger, partition: str, version: str = "2") -> WatchWindow:
    """Ask for the window of a partition, and write it down, as the task does."""
    found = window_to_open(spec, partition, version, ledger=ledger)
    about: dict[str, Any] = {"model": spec.name, "kind": "watch_window"}
    ledger.record_once(**about, key=str(found.generation), evidence=to_json(found))
    return found


@pytest.mark.parametrize(
    ("length", "last", "n"),
    [("1d", 16, 1), ("2d", 17, 2), ("14d", 29, 14), ("12h", 16, 1), ("1w", 22, 7)],
)
def test_a_window_is_as_long_as_the_spec_says(
    spec: ModelSpec, ledger: Ledger, length: str, last: int, n: int
) -> None:
    asked = AfterPromotionSpec(window=length)
    found = opened(spec.model_copy(update={"after_promotion": asked}), ledger, day(16))
    assert (found.first, found.last, found.n_partitions) == (day(16), day(last), n)
    assert [found.has(day(k)) for k in (15, 16, last, last + 1)] == [False, True, True, False]
    assert find_watch_window(spec.name, ledger=ledger) == found


@pytest.mark.parametrize(
    ("grain", "first", "last", "n"),
    [("hour", "2024-06-02T00", "2024-06-02T23", 24), ("week", "2024-06-03", "2024-06-03", 1)],
)
def test_other_grains_count_their_own_partitions(
    tmp_path: Path, grain: str, first: str, last: str, n: int
) -> None:
    asked = AfterPromotionSpec(window="1d")
    spec = machines.project(tmp_path, grain, after_promotion=asked)
    ledger = promoted(spec.name, "2024-05-01", "2024-06-01")
    found = opened(spec, ledger, first)
    assert (found.first, found.last, found.n_partitions) == (first, last, n)


def test_a_window_ends_with_the_data(tmp_path: Path, ledger: Ledger) -> None:
    end = date(2024, 3, 20)
    ended = project(
        tmp_path,
        inputs=(InputSpec(dataset=orders_dataset(tmp_path, end=end)),),
        label=LabelSpec(dataset=deliveries_dataset(tmp_path), target="minutes_late > 10"),
        observed_at=(),
    )
    found = opened(ended, ledger, day(16))
    assert found.last == ended.rows.last
    assert found.n_partitions < 14


def test_the_first_partition_after_the_training_opens_it(spec: ModelSpec, ledger: Ledger) -> None:
    with pytest.raises(NotWatchedError, match="it may have learnt from these rows"):
        opened(spec, ledger, day(AS_OF))
    with pytest.raises(NotWatchedError, match="has scored no partition since its promotion"):
        find_watch_window(NAME, ledger=ledger)
    first = opened(spec, ledger, day(AS_OF + 1))
    assert opened(spec, ledger, day(AS_OF + 1)) == first == find_watch_window(NAME, ledger=ledger)
    with pytest.raises(NotWatchedError, match="outside of the watch window of version 2"):
        opened(spec, ledger, day(AS_OF))


def test_without_a_champion_there_is_nothing_to_watch(spec: ModelSpec) -> None:
    with pytest.raises(NotWatchedError, match="has no champion yet"):
        opened(spec, Ledger("sqlite://"), day(16))
    with pytest.raises(NotWatchedError, match="version 1 is the first champion"):
        opened(spec, promoted(NAME, day(10)), day(16), "1")


def test_the_next_promotion_has_a_window_of_its_own(spec: ModelSpec, ledger: Ledger) -> None:
    before = opened(spec, ledger, day(16))
    assert ledger.register(RegisteredVersion(NAME, "3", "run", "models:/x", "d3"))
    ledger.promote(NAME, version="3", generation=2, key=day(18), evidence={})
    with pytest.raises(NotWatchedError, match="scored by version 2, and version 3"):
        opened(spec, ledger, day(19))
    after = opened(spec, ledger, day(19), "3")
    assert (after.version, after.previous, after.generation) == ("3", "2", 3)
    assert (before.generation, after.first) == (2, day(19))
    assert [entry.key for entry in ledger.entries(kind="watch_window")] == ["2", "3"]


def test_a_promotion_of_today_is_about_the_present(spec: ModelSpec) -> None:
    today = datetime.now(UTC).date()
    ledger = promoted(NAME, day(10), today.isoformat())
    key = (today + timedelta(days=1)).isoformat()
    assert opened(spec, ledger, key).live
    with pytest.raises(NotWatchedError, match="it may have learnt"):
        opened(spec, promoted(NAME, day(10), "manual promotion of 2"), today.isoformat())


def test_a_promotion_by_hand_belongs_to_no_day_of_the_past(spec: ModelSpec) -> None:
    ledger = promoted(NAME, day(10), "manual promotion of 2")
    with pytest.raises(NotWatchedError, match="it may have learnt"):
        opened(spec, ledger, day(16))


@pytest.mark.parametrize(
    ("key", "as_of", "moved"),
    [
        (day(3), "2024-05-02", "2024-05-02"),
        (day(3), "2024-05-03", "2024-05-02"),
        (day(3), "2024-05-01", day(3)),
        ("rollback of 2", "2024-05-01", "2024-05-01"),
    ],
)
def test_the_day_of_a_move(key: str, as_of: str, moved: str) -> None:
    at = datetime(2024, 5, 1, 23, tzinfo=UTC)
    entry = LedgerEntry(1, NAME, "promotion", key, {}, "", at)
    assert day_of_move(entry, as_of, "Europe/Berlin") == moved


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"level": 0.0}, "greater than 0"),
        ({"level": 0.21}, "less than or equal to 0.2"),
        ({"max_loss": -0.1}, "max_loss"),
        ({"max_loss": "x%"}, "max_loss"),
        ({"window": "0d"}, "longer than nothing"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        AfterPromotionSpec(**fields)
