"""The days that a dataset has, and the nights that a model can be trained as of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.specs import InputSpec, LabelSpec
from tests.unit.orders import deliveries_dataset, orders_dataset, project, traffic_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec


def test_a_day_of_a_dataset_has_begun_and_is_between_its_first_and_last(
    evening: None, tmp_path: Path
) -> None:
    live = orders_dataset(tmp_path, start=date(2024, 2, 1))
    assert [live.check_partition(key) for key in ("2024-02-01", "2024-03-02")]
    ended = orders_dataset(tmp_path, start=date(2024, 2, 1), end=date(2024, 2, 3))
    assert ended.check_partition("2024-02-03")
    for dataset, key, match in (
        (live, "2024-01-31", "has no 2024-01-31: its days go from 2024-02-01 to today"),
        (live, "2024-03-03", "'orders': partition key 2024-03-03 lies in the future"),
        (ended, "2024-02-04", "has no 2024-02-04: its days go from 2024-02-01 to 2024-02-03"),
        (ended, "banana", "is not a day"),
    ):
        with pytest.raises(PartitionKeyError, match=match):
            dataset.check_partition(key)


def replayed(folder: Path, **changes: Any) -> ModelSpec:
    end = date(2024, 3, 10)
    inputs = (
        InputSpec(dataset=orders_dataset(folder, end=end)),
        InputSpec(dataset=traffic_dataset(folder, end=end), lookback="1d"),
    )
    label = LabelSpec(dataset=deliveries_dataset(folder, end=end), target="minutes_late > 10")
    return project(folder, inputs=inputs, label=label, **changes)


def test_a_night_is_of_the_data_of_the_model(tmp_path: Path) -> None:
    spec = replayed(tmp_path)
    assert spec.check_as_of("2024-03-15") == "2024-03-15", "late labels of the last day"
    for night in ("2024-02-29", "2024-03-16", "2030-01-01", "9999-12-31"):
        with pytest.raises(PartitionKeyError, match=rf"'late_orders': as_of {night} (is out|lies)"):
            spec.check_as_of(night)


@pytest.mark.parametrize(
    ("grain", "cron", "partition", "due"),
    [
        ("hour", "5 * * * *", "2024-03-31T23", "2024-03-31"),
        ("day", "30 4 * * *", "2024-02-28", "2024-02-28"),
        # A week is taken by the Wednesday after it, a month on the 1st of the next one.
        ("week", "0 1 * * 3", "2024-03-25", "2024-04-02"),
        ("month", "0 1 1 * *", "2024-02", "2024-02-29"),
    ],
)
def test_the_schedule_makes_a_partition_known_on_the_day_before_it_takes_it(
    tmp_path: Path, grain: str, cron: str, partition: str, due: str
) -> None:
    dataset = orders_dataset(tmp_path, grain=grain, cron=cron)
    assert dataset.due(partition) == due
    assert dataset.last_as_of(partition) == due


def test_late_rows_are_due_later(tmp_path: Path) -> None:
    dataset = orders_dataset(tmp_path, delay="2d", refresh_after="9d")
    assert dataset.due("2024-02-27") == "2024-02-29"
    assert dataset.due("2024-02-27", refreshed=True) == "2024-03-07"
    assert dataset.last_as_of("2024-02-27") == "2024-03-07"
