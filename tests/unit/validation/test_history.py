"""Checks across partitions, and what changed when a day came again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SpecError, ValidationFailedError
from mlops_tasks.specs.history import (
    CategoryGrowthSpec,
    FreshnessSpec,
    HistorySpec,
    KeyOverlapSpec,
    RowCountSpec,
)
from mlops_tasks.validation.history import _row_count
from tests.unit.orders import day, orders_dataset, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import ValidationResult
    from mlops_tasks.validation.check_outcomes import CheckOutcome
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]


def with_history(folder: Path, **fields: Any) -> DatasetSpec:
    history = HistorySpec(**{"window": 5, "min_partitions": 3, "row_count": None, **fields})
    return orders_dataset(folder, history=history, max_quarantined_share=0.2)


def history(result: ValidationResult) -> list[CheckOutcome]:
    return [check for check in result.checks if check.source == "history"]


# --- row count


def test_too_few_rows_are_flagged_with_number_and_threshold(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    spec = with_history(tmp_path, row_count=RowCountSpec(min_change=0.2))
    for number, n_rows in enumerate((70, 72, 74)):
        (check,) = history(night(spec, number, orders(number).slice(0, n_rows)))
        assert check.passed is None
        assert "too little history to tell" in check.observed
    result = night(spec, 3, orders(3).slice(0, 50))
    (check,) = history(result)
    # median 72, spread 1.4826 * 2, five spreads are 14.826, a fifth of the median is 14.4
    assert (check.passed, check.value, check.threshold) == (False, 22.0, 14.826)
    assert result.warnings == (
        "history:row_count 72 ± 15, by the median of 3 partitions: observed 50 rows",
    )
    assert result.published.n_rows == 50, "a warning publishes"
    (evidence,) = result.evidence()["checks"]
    assert (evidence["name"], evidence["value"]) == ("history:row_count", 22.0)


def test_only_the_days_before_are_history(night: Nights, tmp_path: Path, orders: Orders) -> None:
    spec = with_history(tmp_path, row_count=RowCountSpec(min_change=0.1))
    for number in (4, 5, 6):
        night(spec, number, orders(number).slice(0, 40))
    (check,) = history(night(spec, 3))
    assert check.passed is None
    (again,) = history(night(spec, 5, orders(5)))
    assert again.passed is None, "one day before it, and it is not its own history"


def test_a_critical_check_of_history_blocks(night: Nights, tmp_path: Path, orders: Orders) -> None:
    count = RowCountSpec(severity="critical", min_change=0.2)
    spec = with_history(tmp_path, row_count=count, min_partitions=1)
    night(spec, 0)
    with pytest.raises(ValidationFailedError, match="history:row_count 80 ± 16"):
        night(spec, 1, orders(1).slice(0, 40))


def test_an_info_is_only_noted(night: Nights, tmp_path: Path, orders: Orders) -> None:
    count = RowCountSpec(severity="info", min_change=0.2)
    spec = with_history(tmp_path, row_count=count, min_partitions=1)
    night(spec, 0)
    result = night(spec, 1, orders(1).slice(0, 40))
    assert (result.warnings, len(result.notes)) == ((), 1)


@pytest.mark.slow  # it reads the whole year from its CSV
def test_a_real_year_is_not_flagged() -> None:
    """Holidays, storms, the clock going forward: nobody is paged for them."""
    package = pytest.importorskip("demo.flights_package").FlightsPackage()
    counts = package._flights.groupby(["month", "day"]).size().tolist()
    asked, flagged = HistorySpec(), []
    for number in range(asked.min_partitions, len(counts)):
        trail = counts[max(number - asked.window, 0) : number]
        outcome = _row_count(RowCountSpec(), counts[number], trail)
        if not outcome.passed:
            flagged.append(number)
    assert (len(counts), flagged) == (365, [])
    half = _row_count(RowCountSpec(), counts[100] // 3, counts[86:100])
    assert half.passed is False, "but a day that has lost most of its rows is"


# --- freshness


def test_stale_times_are_flagged(night: Nights, tmp_path: Path, orders: Orders) -> None:
    fresh = FreshnessSpec(column="ordered_at", max_age_h=6)
    spec = with_history(tmp_path, freshness=fresh)
    (good,) = history(night(spec, 0))
    assert good.passed
    assert good.value is not None
    assert 0 <= good.value < 6
    (stale,) = history(night(spec, 1, orders(1).slice(0, 10)))
    assert stale.passed is False
    assert stale.threshold == 6
    assert f"newest {day(1)}" in stale.observed


@pytest.mark.parametrize(
    ("timezone", "age_h"), [(None, 2.5), ("America/Los_Angeles", 10.5), ("Asia/Tokyo", -6.5)]
)
def test_the_day_ends_at_midnight_of_its_own_zone(
    night: Nights, tmp_path: Path, orders: Orders, timezone: str | None, age_h: float
) -> None:
    """Los Angeles was 8 hours behind UTC on 1 March 2024, Tokyo 9 ahead."""
    fresh = FreshnessSpec(column="ordered_at", max_age_h=6)
    spec = with_history(tmp_path, freshness=fresh).model_copy(update={"timezone": timezone})
    newest = datetime(2024, 3, 1, 21, 30, tzinfo=UTC)
    rows = orders(ordered_at=dict.fromkeys(range(80), newest))
    (check,) = history(night(spec, 0, rows))
    assert (check.value, check.passed) == (age_h, age_h <= 6)
    assert check.observed.startswith("newest 2024-03-01 21:30 UTC, ")
    assert check.limits.endswith(f"at the end of the day in {timezone or 'UTC'}")


def test_a_day_of_the_change_of_clocks_has_23_hours(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    fresh = FreshnessSpec(column="ordered_at", max_age_h=6)
    spec = with_history(tmp_path, freshness=fresh)
    spec = spec.model_copy(update={"timezone": "America/New_York"})
    begins = datetime(2024, 3, 10, 5, tzinfo=UTC)
    rows = orders(ordered_at=dict.fromkeys(range(80), begins))
    (check,) = history(night(spec, 9, rows))
    assert check.value == 23


def test_times_that_are_all_missing_are_not_fresh(night: Nights, tmp_path: Path) -> None:
    columns = {**orders_dataset(tmp_path).columns, "ordered_at": "timestamp?"}
    fresh = HistorySpec(freshness=FreshnessSpec(column="ordered_at"), row_count=None)
    spec = orders_dataset(tmp_path, columns=columns, history=fresh)
    rows = rows_of(0)["orders"]
    index = rows.schema.get_field_index("ordered_at")
    none = pa.nulls(rows.num_rows, rows.schema.field(index).type)
    (check,) = history(night(spec, 0, rows.set_column(index, "ordered_at", none)))
    assert (check.passed, check.error) == (False, "every time is missing")


# --- keys


def test_keys_that_come_again_are_flagged(night: Nights, tmp_path: Path, orders: Orders) -> None:
    spec = with_history(tmp_path, key_overlap=KeyOverlapSpec(max_share=0.05))
    (first,) = history(night(spec, 0))
    assert first.passed is None
    ids = orders(0).column("order_id").to_pylist()
    (fine,) = history(night(spec, 1, orders(1, order_id={0: ids[0]})))
    assert (fine.passed, fine.value) == (True, 0.0125)
    (twice,) = history(night(spec, 2, orders(1)))
    assert (twice.passed, twice.value, twice.threshold) == (False, 0.9875, 0.05)
    assert f"79 of 80 keys (98.8%) are those of {day(1)}" in twice.observed


def test_a_snapshot_must_know_the_day_before(night: Nights, tmp_path: Path, orders: Orders) -> None:
    spec = with_history(tmp_path, key_overlap=KeyOverlapSpec(min_share=0.9, partitions=2))
    night(spec, 0)
    (same,) = history(night(spec, 1, orders(0)))
    assert (same.passed, same.value) == (True, 1.0)
    (other,) = history(night(spec, 2))
    assert (other.passed, other.threshold) == (False, 0.9)
    assert f"{day(0)} to {day(1)}" in other.observed


# --- categories


def test_new_categories_are_named(night: Nights, tmp_path: Path, orders: Orders) -> None:
    growth = CategoryGrowthSpec(columns=("shop", "zone"), max_new=1)
    spec = with_history(tmp_path, categories=growth, min_partitions=2)
    night(spec, 0)
    assert [c.passed for c in history(night(spec, 1))] == [None, None]
    shops = {0: "kiosk", 1: "arcade", 2: "arcade", 3: None}
    shop, zone = history(night(spec, 2, orders(2, shop=shops)))
    assert (shop.passed, shop.value, shop.threshold) == (False, 2, 1)
    assert "2 new of 6: arcade, kiosk" in shop.observed
    assert zone.passed


def test_rows_that_are_kept_back_are_no_news(
    night: Nights, tmp_path: Path, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad row is reported once: with its own reason."""
    times = orders(1).column("ordered_at").to_pylist()
    spec = with_history(
        tmp_path,
        categories=CategoryGrowthSpec(columns=("shop",)),
        freshness=FreshnessSpec(column="ordered_at", max_age_h=6),
        key_overlap=KeyOverlapSpec(max_share=0.0),
        min_partitions=1,
    )
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "1B")
    night(spec, 0)
    ids = orders().column("order_id").to_pylist()
    late = times[0].replace(hour=23)
    rows = orders(1, shop={0: "SHOUT"}, order_id={0: ids[0]}, ordered_at={0: late}).slice(0, 10)
    result = night(spec, 1, rows)
    assert result.n_quarantined == 1
    fresh, keys, shops = history(result)
    assert (fresh.passed, keys.value, shops.value) == (False, 0, 0)


def test_a_day_whose_times_reach_into_the_next_one_is_fresh(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    spec = with_history(tmp_path, freshness=FreshnessSpec(column="ordered_at"))
    (check,) = history(night(spec, 0, orders(1)))
    assert check.passed
    assert "h after the end of the day" in check.observed


# --- the spec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"freshness": FreshnessSpec(column="shop")}, "'shop' is no timestamp"),
        ({"freshness": FreshnessSpec(column="nowhere")}, "'nowhere' is no timestamp"),
        ({"categories": CategoryGrowthSpec(columns=("nowhere",))}, "history.categories names"),
        ({"window": 2}, "min_partitions must not be larger than window"),
    ],
)
def test_a_history_that_cannot_work_is_refused_with_the_spec(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        with_history(tmp_path, **fields)


# --- what changed


def test_changes_are_counted_by_key(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path, max_quarantined_share=0.2)
    first = night(spec, 0)
    assert first.changes is None
    corrected = orders(items={0: 99, 1: 98}, distance={1: None}).slice(0, 78)
    extra = orders(1).slice(0, 3)
    changes = night(spec, 0, pa.concat_tables([extra, corrected])).changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed, changes.unchanged) == (3, 2, 2, 76)
    assert changes.since == first.published.version
    assert changes.columns == {"items": 2, "distance": 1}
    ids = orders().column("order_id").to_pylist()
    assert set(changes.examples["changed"]) == set(ids[:2])
    assert set(changes.examples["removed"]) == set(ids[78:])
    assert changes.examples["added"] == tuple(sorted(extra.column("order_id").to_pylist()))
    assert "3 added, 2 removed, 2 changed, 76 the same as in version 1" in changes.text


def test_a_retry_is_compared_with_what_was_there_before_its_run(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path)
    first = night(spec, 0).published
    news = orders(items={0: 99})
    night(spec, 0, news)  # the first attempt, whose end was never reported
    earlier = {"published_digest": first.digest, "published_version": first.version}
    retry = night(spec, 0, news, **earlier)
    assert retry.changed
    assert retry.changes is not None
    assert (retry.changes.changed, retry.changes.since) == (1, first.version)


def test_a_version_that_is_gone_is_no_reason_to_fail(
    night: Nights, lake: Lake, tmp_path: Path, orders: Orders
) -> None:
    """Vacuumed, or of a lake that was thrown away: changes are counted from what is there now."""
    spec = orders_dataset(tmp_path)
    first = night(spec, 0).published
    second = night(spec, 0, orders(items={0: 99})).published
    (old,) = lake.table(spec.name).commits(first=day(0), last=day(0), version=first.version)
    for file in old.files:
        (lake.table(spec.name).folder / file.path).unlink()
    news = orders(items={0: 99, 1: 98})
    for version in (first.version, 1_000):
        changes = night(spec, 0, news, published_version=version).changes
        assert changes is not None
        assert changes.since >= second.version
        assert changes.added == changes.removed == 0


def test_changes_are_the_same_in_chunks(
    night: Nights, tmp_path: Path, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "1B")
    spec = orders_dataset(tmp_path)
    night(spec, 0)
    news = orders(items=dict.fromkeys(range(40), 7)).slice(0, 70)
    changes = night(spec, 0, news).changes
    assert changes is not None
    assert (changes.added, changes.removed) == (0, 10)
    old = orders().column("items").to_pylist()
    assert changes.changed == sum(items != 7 for items in old[:40]) == changes.columns["items"]


def test_the_same_rows_in_another_order_changed_nothing(
    night: Nights, tmp_path: Path, orders: Orders
) -> None:
    spec = orders_dataset(tmp_path)
    night(spec, 0)
    changes = night(spec, 0, orders().take(list(range(79, -1, -1)))).changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed, changes.unchanged) == (0, 0, 0, 80)
