from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import (
    DamagedTableError,
    FeatureError,
    NoLabelsError,
    PartitionKeyError,
    SpecError,
)
from mlops_tasks.features import feature_rows, labelled_rows, split_days
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.partitions import shift_day, today
from mlops_tasks.specs import InputSpec, LabelSpec
from mlops_tasks.steps.pin import pin_training_data
from tests.unit.orders import (
    ROWS_PER_DAY,
    day,
    deliveries_dataset,
    fill_lake,
    orders_dataset,
    project,
    rows_of,
    traffic_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World


@pytest.fixture
def short(tmp_path: Path) -> ModelSpec:
    return project(tmp_path / "short", train="3d", evaluation="2d")


@pytest.fixture
def filled(short: ModelSpec, lake: Lake) -> Lake:
    fill_lake(lake, short, range(8), n=5)
    return lake


def test_days_are_counted_over_months_and_leap_years() -> None:
    assert shift_day("2024-02-28", 2) == "2024-03-01"
    assert shift_day("2024-01-01", -1) == "2023-12-31"


def test_only_days_whose_labels_are_due_are_used(short: ModelSpec, filled: Lake) -> None:
    pin = pin_training_data(short, day(7), lake=filled)
    assert pin.train == (day(1), day(3))
    assert pin.evaluation == (day(4), day(5)), "labels of a day are due two nights later"
    assert pin.as_of == day(7)


def test_as_of_an_earlier_night_less_is_known(short: ModelSpec, filled: Lake) -> None:
    pin = pin_training_data(short, day(5), lake=filled)
    assert (pin.train, pin.evaluation) == ((day(0), day(1)), (day(2), day(3)))


def test_a_day_that_any_table_lacks_is_not_used(short: ModelSpec, filled: Lake) -> None:
    none = rows_of(5)["deliveries"].slice(0, 0)
    overwrite_partition(filled.table("deliveries"), day(5), none, token=2**40, known_at=day(5))
    assert pin_training_data(short, day(7), lake=filled).evaluation == (day(3), day(4))


def test_the_pin_names_exact_versions_and_the_days_looked_back(
    short: ModelSpec, filled: Lake
) -> None:
    pin = pin_training_data(short, day(7), lake=filled)
    orders, traffic = pin.inputs["orders"], pin.inputs["traffic"]
    assert (orders.first, orders.last, orders.n_rows) == (day(1), day(5), 5 * 5)
    assert (traffic.first, traffic.last, traffic.n_rows) == (day(0), day(5), 6 * 48)
    assert (pin.labels.table, pin.labels.first) == ("deliveries", day(1))
    for table in (orders, traffic, pin.labels):
        commits = filled.table(table.table).commits(first=table.first, last=table.last)
        assert table.versions == tuple(commit.version for commit in commits)


def test_a_training_never_sees_what_became_known_later(short: ModelSpec, filled: Lake) -> None:
    before = pin_training_data(short, day(7), lake=filled)
    corrected = rows_of(4)["deliveries"].slice(1)
    overwrite_partition(filled.table("deliveries"), day(4), corrected, token=2**40, known_at=day(8))
    assert pin_training_data(short, day(7), lake=filled) == before
    assert pin_training_data(short, day(8), lake=filled).labels.digest != before.labels.digest


@pytest.mark.parametrize("n_days", [0, 1, 2])
def test_too_few_days_are_an_error_with_both_numbers(
    short: ModelSpec, lake: Lake, n_days: int
) -> None:
    fill_lake(lake, short, range(n_days), n=5)
    with pytest.raises(NoLabelsError, match=rf"{n_days} labelled days are known .* takes 2"):
        pin_training_data(short, day(9), lake=lake)


@pytest.mark.parametrize("night", ["20240308", "2024-3-8", "yesterday", ""])
def test_a_night_is_a_day_or_an_error(short: ModelSpec, filled: Lake, night: str) -> None:
    with pytest.raises(SpecError, match="is not a day: write it as YYYY-MM-DD"):
        pin_training_data(short, night, lake=filled)


def test_rows_are_read_at_the_pinned_versions(short: ModelSpec, filled: Lake) -> None:
    pin = pin_training_data(short, day(7), lake=filled)
    before = labelled_rows(short, pin, pin.train, lake=filled)
    for dataset in short.datasets:
        late = rows_of(3, n=9)[dataset.name].slice(0, 9)
        overwrite_partition(filled.table(dataset.name), day(2), late, token=2**40)
    assert labelled_rows(short, pin, pin.train, lake=filled) == before


def test_every_window_has_its_own_rows_and_labels(short: ModelSpec, filled: Lake) -> None:
    pin = pin_training_data(short, day(7), lake=filled)
    train = labelled_rows(short, pin, pin.train, lake=filled)
    evaluation = labelled_rows(short, pin, pin.evaluation, lake=filled)
    ids = {window: {x.split("/")[0] for x in rows.column("order_id").to_pylist()}
           for window, rows in (("train", train), ("evaluation", evaluation))}  # fmt: skip
    assert ids == {"train": {day(1), day(2), day(3)}, "evaluation": {day(4), day(5)}}
    truth = {
        row["order_id"]: int(row["minutes_late"] > 10)
        for n in range(1, 6)
        for row in rows_of(n, n=5)["deliveries"].to_pylist()
    }
    both = pa.concat_tables([train, evaluation]).to_pylist()
    assert all(row["y"] == truth[row["order_id"]] for row in both)


def test_the_first_hours_of_a_day_see_the_day_before(world: World) -> None:
    """The lookback of an input is what makes training and scoring see the same."""
    whole = feature_rows(world.spec, world.lake, first=day(3), last=day(5))
    alone = feature_rows(world.spec, world.lake, first=day(4), last=day(4))
    wanted = [row for row in whole.to_pylist() if row["order_id"].startswith(day(4))]
    assert alone.to_pylist() == wanted
    assert alone.num_rows == ROWS_PER_DAY
    first = rows_of(4)["traffic"].column("observed_at")[0].as_py()
    assert min(alone.column("asked_at").to_pylist()) < first, "so that there is such a row"
    assert alone.column("speed").null_count == 0


def test_a_changed_file_is_noticed_before_training(own_world: World) -> None:
    from dataclasses import replace

    from mlops_tasks.steps.train import train

    labels = replace(own_world.pin.labels, digest="0" * 64)
    with pytest.raises(DamagedTableError, match=r"'deliveries'.*the records were changed"):
        train(
            own_world.spec,
            replace(own_world.pin, labels=labels),
            lake=own_world.lake,
            tracking=own_world.tracking,
        )


def hours_of(spec: ModelSpec, counts: dict[int, int]) -> dict[str, pa.Table]:
    """Split rows of which given numbers are asked in each hour, counted from 1 March."""
    midnight = datetime(2024, 3, 1, tzinfo=UTC)
    asked = [midnight + timedelta(hours=h) for h, n in counts.items() for _ in range(n)]
    return split_days(spec, pa.table({"asked_at": pa.array(asked, pa.timestamp("us", "UTC"))}))


@pytest.mark.parametrize(
    ("counts", "days"),
    [
        ({0: 3, 23: 3, 24: 6, 71: 5}, {"2024-03-01": 6, "2024-03-02": 6, "2024-03-03": 5}),
        ({20: 2, 24: 6, 48: 6}, {"2024-03-02": 8, "2024-03-03": 6}),  # a rest before
        ({0: 6, 24: 6, 48: 2}, {"2024-03-01": 6, "2024-03-02": 8}),  # and one after
        ({30: 1}, {"2024-03-02": 1}),
    ],
)
def test_days_are_whole_and_take_what_is_left_beside_them(
    spec: ModelSpec, counts: dict[int, int], days: dict[str, int]
) -> None:
    assert {day: rows.num_rows for day, rows in hours_of(spec, counts).items()} == days


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pa.array([date(2024, 3, 1)]), r"must be an instant.*is date32"),
        (pa.array([0], pa.timestamp("us")), r"must be an instant.*is timestamp\[us\]"),
        (pa.array(["2024-03-01"]), "must be an instant.*is string"),
        (pa.array([0], pa.int64()), "must be an instant.*is int64"),
        (pa.array([0, None, None], pa.timestamp("us", tz="UTC")), "null in 2 of 3 rows"),
        (pa.array([None], pa.timestamp("s", tz="UTC")), "null in 1 of 1 rows"),
    ],
)
def test_what_is_no_moment_is_refused_by_type(column: pa.Array, match: str) -> None:
    with pytest.raises(FeatureError, match=f"as_of 'ts' {match}|as_of 'ts' is {match}"):
        split_days(SimpleNamespace(as_of="ts"), pa.table({"ts": column}))


def moments(*instants: datetime | None) -> pa.Table:
    return pa.table({"asked_at": pa.array(instants, pa.timestamp("us", "UTC"))})


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("month", [3, 11])
def test_days_are_those_of_the_zone_of_the_datasets_also_when_clocks_change(
    tmp_path: Path, zone: str, month: int
) -> None:
    spec = zoned(tmp_path, zone)
    first = datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    last = datetime(2024, month, 15, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    n = int((last - first) / timedelta(minutes=30))
    found = split_days(spec, moments(*(first + timedelta(minutes=30 * i) for i in range(n))))
    assert list(found) == [f"2024-{month:02}-{number:02}" for number in range(1, 15)]
    lengths = {rows.num_rows for rows in found.values()}
    changed = {"UTC": set(), "Asia/Kolkata": set(), "America/New_York": {46 if month == 3 else 50}}
    assert lengths == {48} | changed[zone]


def test_moments_that_are_missing_merge_no_days(spec: ModelSpec) -> None:
    days = [datetime(2024, 3, n, 5, tzinfo=UTC) for n in range(1, 11) for _ in range(50)]
    assert len(split_days(spec, moments(*days))) == 10
    with pytest.raises(FeatureError, match="as_of 'asked_at' is null in 1 of 501 rows"):
        split_days(spec, moments(*days, None))


def test_no_rows_have_no_days(spec: ModelSpec) -> None:
    assert split_days(spec, moments()) == {}


def test_days_begin_in_utc_where_nobody_names_a_zone() -> None:
    only_as_of: Any = SimpleNamespace(as_of="asked_at")
    late = datetime(2024, 3, 1, 23, 59, tzinfo=UTC)
    assert list(split_days(only_as_of, moments(late))) == ["2024-03-01"]


def test_a_date_is_no_moment(spec: ModelSpec) -> None:
    rows = pa.table({"asked_at": pa.array([date(2024, 3, 1)])})
    with pytest.raises(FeatureError, match=r"'asked_at' must be an instant.*is date32"):
        split_days(spec, rows)


# --- as of a night that lies ahead


def test_a_training_as_of_the_future_is_refused(short: ModelSpec, filled: Lake) -> None:
    for night in (shift_day(today(), 1), "2999-01-01", "9999-12-31"):
        with pytest.raises(PartitionKeyError, match=rf"as_of {night} lies in the future"):
            pin_training_data(short, night, lake=filled)
    assert pin_training_data(short, today(), lake=filled).as_of == today()


def test_a_replay_is_not_trained_ahead_of_what_it_has_published(tmp_path: Path, lake: Lake) -> None:
    spec = ended(tmp_path, date(2024, 3, 31))
    fill_lake(lake, spec, range(8), n=5)
    last = shift_day(day(7), 5)  # when late labels of the newest day have come
    assert pin_training_data(spec, last, lake=lake).as_of == last
    with pytest.raises(PartitionKeyError, match=rf"not known as of {last}, by the newest days of"):
        pin_training_data(spec, shift_day(last, 1), lake=lake)
    with pytest.raises(PartitionKeyError, match=r"bring their last news on 2024-04-05"):
        pin_training_data(spec, "2025-01-01", lake=lake)


def test_a_condition_that_is_none_is_refused_before_the_query_is_run(
    tmp_path: Path, short: ModelSpec, filled: Lake
) -> None:
    for positive, kind in (
        ("minutes_late", "DOUBLE"),
        ("order_id", "VARCHAR"),
        ("NULL", "NULL"),
        ("minutes_late > 1, 2", "is not one"),
    ):
        label = LabelSpec(dataset=short.label.dataset, target=positive)
        wrong = short.model_copy(update={"label": label})
        wrong.features_sql.write_text("SELECT nothing")
        pin = pin_training_data(wrong, day(7), lake=filled)
        with pytest.raises(FeatureError, match=rf"target '{positive}' .*({kind})"):
            labelled_rows(wrong, pin, pin.train, lake=filled)


def test_a_condition_may_end_with_a_comment(short: ModelSpec, filled: Lake) -> None:
    pin = pin_training_data(short, day(7), lake=filled)
    label = LabelSpec(dataset=short.label.dataset, target="minutes_late > 10 -- too late")
    said = short.model_copy(update={"label": label})
    first, second = (labelled_rows(one, pin, pin.train, lake=filled) for one in (short, said))
    assert first == second


def zoned(folder: Path, zone: str) -> ModelSpec:
    inputs = (
        InputSpec(dataset=orders_dataset(folder, timezone=zone)),
        InputSpec(dataset=traffic_dataset(folder, timezone=zone), lookback="1d"),
    )
    label = LabelSpec(dataset=deliveries_dataset(folder, timezone=zone), target="minutes_late > 10")
    return project(folder / zone.replace("/", "-"), inputs=inputs, label=label)


def ended(folder: Path, end: date) -> ModelSpec:
    inputs = (
        InputSpec(dataset=orders_dataset(folder, end=end)),
        InputSpec(dataset=traffic_dataset(folder, end=end), lookback="1d"),
    )
    label = LabelSpec(dataset=deliveries_dataset(folder, end=end), target="minutes_late > 10")
    return project(folder / "x", inputs=inputs, label=label, train="3d", evaluation="2d")
