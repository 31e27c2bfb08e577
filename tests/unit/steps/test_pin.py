"""Knowledge time in a training's pin: what it uses, what it does not, and what it says of both."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.lake import (
    ASSUMED,
    Pin,
    TrainingPin,
    assumed_lines,
    known_by_schedule,
    overwrite_partition,
)
from mlops_tasks.partitions import today
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.pin import corrected_since, newest_as_of, pin_training_data
from tests.unit.orders import (
    FIRST,
    day,
    deliveries_dataset,
    fill_lake,
    orders_dataset,
    project,
    rows_of,
    traffic_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec

    Fill = Callable[..., None]

N_DAYS = 8


@pytest.fixture
def model(tmp_path: Path) -> ModelSpec:
    return project(tmp_path / "short", train="3d", evaluation="2d")


@pytest.fixture
def fill(lake: Lake, model: ModelSpec) -> Fill:
    """Publish eight days of every dataset, known as `known_at` says of one of them."""

    def publish(known_at: Callable[[str, str], Any]) -> None:
        for number in range(N_DAYS):
            rows = rows_of(number, n=5)
            for dataset in model.datasets:
                known = known_at(dataset.name, day(number))
                table = lake.table(dataset.name)
                content = rows[dataset.name]
                overwrite_partition(table, day(number), content, token=number + 1, known_at=known)

    return publish


def test_days_that_are_known_too_late_are_named_with_what_to_do(
    model: ModelSpec, lake: Lake, fill: Fill
) -> None:
    """As a lake has them that an older version has filled by backfills."""
    fill(lambda _, __: "2024-06-01")
    with pytest.raises(NoLabelsError) as error:
        pin_training_data(model, day(7), lake=lake)
    text = str(error.value)
    assert "0 labelled days are known as of 2024-03-08" in text
    assert "6 days are there, first known 2024-06-01" in text
    assert "Train as of 2024-06-01 or a later day" in text
    assert "`known_at` in the form of orders.ingest and traffic.ingest and deliveries.ing" in text
    assert pin_training_data(model, "2024-06-01", lake=lake).train == (day(3), day(5))


def test_only_the_dataset_that_is_late_is_named(model: ModelSpec, lake: Lake, fill: Fill) -> None:
    late = {day(0): "2024-05-01", day(1): "2024-05-02"}
    fill(lambda name, key: late.get(key, "2024-05-03") if name == "deliveries" else key)
    with pytest.raises(NoLabelsError) as error:
        pin_training_data(model, "2024-05-01", lake=lake)
    text = str(error.value)
    assert "1 labelled days are known as of 2024-05-01" in text
    assert "7 more days are there, first known 2024-05-02" in text
    # Two days for the evaluation and one for the training.
    assert "Train as of 2024-05-03 or a later day" in text
    assert "in the form of deliveries.ingest. `mlops lake commits deliveries`" in text


def test_data_that_have_ended_are_not_trained_on_as_of_today(tmp_path: Path, lake: Lake) -> None:
    """There is no such day: the only way is to say that the rows were known."""
    ended = {"end": day(N_DAYS - 1)}
    model = project(tmp_path / "ended", train="3d", evaluation="2d")
    datasets = {
        "orders": orders_dataset(tmp_path / "ended", **ended),
        "traffic": traffic_dataset(tmp_path / "ended", **ended),
    }
    inputs = tuple(
        one.model_copy(update={"dataset": datasets[one.dataset.name]}) for one in model.inputs
    )
    labels = deliveries_dataset(tmp_path / "ended", **ended)
    label = model.label.model_copy(update={"dataset": labels})
    model = model.model_copy(update={"inputs": inputs, "label": label})
    for number in range(N_DAYS):
        for name, rows in rows_of(number, n=5).items():
            if name in {"orders", "traffic", "deliveries"}:
                overwrite_partition(lake.table(name), day(number), rows, token=1)
    with pytest.raises(NoLabelsError, match=f"first known {today()}") as error:
        pin_training_data(model, day(7), lake=lake)
    assert "Train as of" not in str(error.value)
    assert "If they were really known by 2024-03-08, take them in again" in str(error.value)


def test_the_newest_cut_off_is_the_day_itself_while_data_go_on(
    model: ModelSpec, lake: Lake
) -> None:
    assert newest_as_of(model, day(40), lake=lake) == day(40)


def test_the_newest_cut_off_of_data_that_have_ended_is_their_last_news(
    tmp_path: Path, lake: Lake
) -> None:
    """Late labels come five days after the others; a replay has not reached its end."""
    model = project(tmp_path / "ended")
    ended = {
        one.name: one.model_copy(update={"end": FIRST + timedelta(days=30)})
        for one in model.datasets
    }
    inputs = tuple(
        one.model_copy(update={"dataset": ended[one.dataset.name]}) for one in model.inputs
    )
    label = model.label.model_copy(update={"dataset": ended["deliveries"]})
    model = model.model_copy(update={"inputs": inputs, "label": label})
    assert newest_as_of(model, today(), lake=lake) == today()  # nothing is there: pin says so
    fill_lake(lake, model, range(12))
    last = model.label.dataset.last_as_of(day(11))
    assert last == day(11 + 5)
    assert newest_as_of(model, today(), lake=lake) == last
    assert newest_as_of(model, day(9), lake=lake) == day(9)
    assert pin_training_data(model, last, lake=lake).as_of == last


def test_a_pin_says_how_much_of_it_is_assumed(model: ModelSpec, lake: Lake, fill: Fill) -> None:
    def backfilled(name: str, key: str) -> Any:
        if name == "orders" or (name == "traffic" and key == day(3)):
            return known_by_schedule(lake.table(name), key, key)
        return key

    fill(backfilled)
    pin = pin_training_data(model, day(7), lake=lake)
    assert pin.assumed == {"orders": 5, "traffic": 1}
    assert assumed_lines(pin) == [
        "5 of 5 partitions of orders assumed from its schedule",
        "1 of 6 partitions of traffic assumed from its schedule",
    ]
    assert from_json(TrainingPin, to_json(pin)) == pin
    (commit,) = lake.table("orders").commits(first=day(0), last=day(0))
    assert commit.known_by == ASSUMED


def test_a_pin_of_an_older_version_assumes_nothing(
    model: ModelSpec, lake: Lake, fill: Fill
) -> None:
    fill(lambda _, key: key)
    pin = pin_training_data(model, day(7), lake=lake)
    raw = to_json(pin.labels)
    del raw["assumed"]
    assert from_json(Pin, raw) == pin.labels
    assert (pin.assumed, assumed_lines(pin)) == ({}, [])


def test_corrections_that_a_training_does_not_use_are_named(
    model: ModelSpec, lake: Lake, fill: Fill
) -> None:
    fill(lambda _, key: key)
    pin = pin_training_data(model, day(7), lake=lake)
    assert corrected_since(pin, lake=lake) == {}
    for number, rows in ((2, rows_of(2, n=4)), (3, rows_of(3, n=5)), (7, rows_of(7, n=4))):
        table = lake.table("deliveries")
        overwrite_partition(table, day(number), rows["deliveries"], token=99)
    # Day 3 has the same rows again, day 7 is not in the pin.
    assert corrected_since(pin, lake=lake) == {"deliveries": [day(2)]}
    assert pin_training_data(model, day(7), lake=lake).labels.digest == pin.labels.digest
