"""The row's own moment: what is one, and what is a constant, a clock or another unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features import build_features, feature_rows, labelled_rows
from mlops_tasks.steps.pin import pin_training_data
from tests.unit.orders import ROWS_PER_DAY, day, fill_lake, project, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec

PARTITION = "partition_key::TIMESTAMP AT TIME ZONE 'UTC'"
#: The trainings here are on 2024-03-02 to 2024-03-04, a Saturday to a Monday.
VALID = {
    "of the event": "ordered_at",
    "hours before it, so perhaps on the day before": "ordered_at - INTERVAL 2 HOUR",
    "a year before it": "ordered_at - INTERVAL 365 DAY",
    "a snapshot at the beginning of its day": PARTITION,
    "a snapshot at its end, when it is scored": f"{PARTITION} + INTERVAL '28 hours 30 minutes'",
    "a plan made once a week": f"date_trunc('week', {PARTITION})",
}
NOT_ITS_OWN = {
    "a constant": "TIMESTAMPTZ '2024-03-03 12:00:00+00'",
    "a time of loading": (
        "TIMESTAMPTZ '2024-03-03 04:00:00+00' + INTERVAL 1 SECOND * (hash(order_id) % 600)::INT"
    ),
}
TOO_FAR = {
    "loaded years later": "TIMESTAMPTZ '2026-11-30 04:00:00+00'",
    "seconds for milliseconds": "make_timestamp(epoch(ordered_at)::BIGINT * 1000)",
    "milliseconds for seconds": "to_timestamp(epoch(ordered_at) * 10)",
    "after anybody could score it": "ordered_at + INTERVAL 7 DAY",
}


def asked(folder: Path, moment: str) -> ModelSpec:
    query = f"""
        SELECT
            order_id, ({moment})::TIMESTAMPTZ AS asked_at,
            NULL::TIMESTAMPTZ AS traffic_observed_at,
            shop, items, distance, express, 1.0::DOUBLE AS speed
        FROM orders
    """
    return project(folder / "asked", features_sql=query, train="3d", evaluation="2d")


@pytest.fixture
def filled(lake: Lake, tmp_path: Path) -> Lake:
    fill_lake(lake, asked(tmp_path, "ordered_at"), range(8))
    return lake


@pytest.mark.parametrize("moment", VALID.values(), ids=VALID.keys())
def test_a_moment_of_the_row_is_taken(tmp_path: Path, filled: Lake, moment: str) -> None:
    model = asked(tmp_path, moment)
    pin = pin_training_data(model, day(7), lake=filled)
    for window in (pin.train, pin.evaluation):
        assert labelled_rows(model, pin, window, lake=filled).num_rows > ROWS_PER_DAY
    assert feature_rows(model, filled, first=day(0), last=day(0)).num_rows == ROWS_PER_DAY


@pytest.mark.parametrize("moment", NOT_ITS_OWN.values(), ids=NOT_ITS_OWN.keys())
def test_one_day_for_all_days_of_a_training_is_refused(
    tmp_path: Path, filled: Lake, moment: str
) -> None:
    model = asked(tmp_path, moment)
    pin = pin_training_data(model, day(7), lake=filled)
    with pytest.raises(FeatureError) as error:
        labelled_rows(model, pin, pin.train, lake=filled)
    assert f"is on 2024-03-03 in all {3 * ROWS_PER_DAY} rows of 3 partitions" in str(error.value)
    assert "2024-03-02 to 2024-03-04" in str(error.value)
    assert "or of its partition_key" in str(error.value)


def test_one_day_for_the_rows_of_one_partition_is_none_for_all(
    tmp_path: Path, filled: Lake
) -> None:
    model = asked(tmp_path, NOT_ITS_OWN["a constant"]).model_copy(update={"train_days": 1})
    pin = pin_training_data(model, day(6), lake=filled)
    assert pin.train == (day(2), day(2))
    assert labelled_rows(model, pin, pin.train, lake=filled).num_rows == ROWS_PER_DAY


@pytest.mark.parametrize("moment", TOO_FAR.values(), ids=TOO_FAR.keys())
def test_a_moment_far_from_its_partition_is_refused_wherever_it_is_used(
    tmp_path: Path, filled: Lake, moment: str
) -> None:
    model = asked(tmp_path, moment)
    pin = pin_training_data(model, day(7), lake=filled)
    for window in (pin.train, pin.evaluation):
        with pytest.raises(FeatureError, match=f"The rows are of {window[0]} to {window[1]}:"):
            labelled_rows(model, pin, window, lake=filled)
    with pytest.raises(FeatureError) as error:
        feature_rows(model, filled, first=day(0), last=day(0))
    text = str(error.value)
    assert f"as_of 'asked_at' is no moment of the row in {ROWS_PER_DAY} of {ROWS_PER_DAY}" in text
    assert "'order_id': '2024-03-01/" in text
    assert "by 2024-03-03 00:00 UTC" in text


def test_the_bounds_are_those_of_the_zone_and_of_the_latest_input(
    tmp_path: Path, lake: Lake
) -> None:
    """The 1st of March 2024 in New York ends at 05:00 UTC, the night of its scoring a day later."""
    base = asked(tmp_path, "TIMESTAMPTZ '2024-03-03 05:00:00+00'")
    fill_lake(lake, base, [0])
    zone = {"timezone": "America/New_York"}
    late = dict(zone)
    for changes, refused in ((zone, False), (late | {"delay_days": 1}, False), ({}, True)):
        inputs = tuple(
            item.model_copy(update={"dataset": item.dataset.model_copy(update=changes)})
            for item in base.inputs
        )
        model = base.model_copy(update={"inputs": inputs})
        if refused:
            with pytest.raises(FeatureError, match="by 2024-03-03 00:00 UTC"):
                feature_rows(model, lake, first=day(0), last=day(0))
        else:
            assert feature_rows(model, lake, first=day(0), last=day(0)).num_rows == ROWS_PER_DAY


def test_rows_of_no_partition_are_not_compared_with_one(tmp_path: Path) -> None:
    """As somebody tries a query in a notebook."""
    model = asked(tmp_path, TOO_FAR["loaded years later"])
    tables = {name: rows_of(0)[name] for name in ("orders", "traffic")}
    assert build_features(model, tables).num_rows == ROWS_PER_DAY
