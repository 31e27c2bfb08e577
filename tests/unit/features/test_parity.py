"""A model author's test: what is scored is what the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import FeatureError, LeakageError, SpecError
from mlops_tasks.features import assert_parity
from tests.unit.orders import FEATURES_SQL, ROWS_PER_DAY, day, fill_lake, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec


@pytest.fixture
def filled(lake: Lake, spec: ModelSpec) -> Lake:
    fill_lake(lake, spec, range(5))
    return lake


def skewed(tmp_path: Path, old: str, new: str) -> ModelSpec:
    assert old in FEATURES_SQL
    return project(tmp_path / "skewed", features_sql=FEATURES_SQL.replace(old, new))


def test_a_day_is_the_same_in_training_and_in_scoring(filled: Lake, spec: ModelSpec) -> None:
    for number in range(5):
        assert assert_parity(spec, day(number), lake=filled) == ROWS_PER_DAY
    assert assert_parity(spec, day(2), lake=filled, window_days=0) == ROWS_PER_DAY


def test_a_feature_over_all_rows_is_skewed_and_the_first_row_is_named(
    filled: Lake, tmp_path: Path
) -> None:
    spec = skewed(tmp_path, "o.distance,", "o.distance - avg(o.distance) OVER () AS distance,")
    with pytest.raises(AssertionError) as error:
        assert_parity(spec, day(2), lake=filled)
    said = str(error.value)
    assert f"row {{'order_id': '{day(2)}/0'}} has distance = " in said
    assert "in the training set and" in said
    assert "columns that differ: ['distance']" in said
    assert said.endswith("The query looks at rows outside the day and its look-back")


def test_a_look_back_that_is_too_short_is_skewed(filled: Lake, tmp_path: Path) -> None:
    """The first orders of a day see the traffic of the evening before."""
    whole = project(tmp_path / "short")
    inputs = (whole.inputs[0], whole.inputs[1].model_copy(update={"lookback_days": 0}))
    with pytest.raises(AssertionError, match=r"has speed = \d+\.\d+ in the training set and None"):
        assert_parity(whole.model_copy(update={"inputs": inputs}), day(2), lake=filled)


def test_a_key_that_depends_on_the_rows_around_is_no_key(filled: Lake, tmp_path: Path) -> None:
    spec = skewed(tmp_path, "o.order_id,", "o.order_id || count(*) OVER () AS order_id,")
    with pytest.raises(FeatureError, match=r"gives other keys \['order_id'\] than the rows"):
        assert_parity(spec, day(2), lake=filled)


def test_without_rows_nothing_is_proved(filled: Lake, spec: ModelSpec) -> None:
    with pytest.raises(AssertionError, match="'orders' has no rows to compare"):
        assert_parity(spec, day(9), lake=filled)
    with pytest.raises(SpecError, match="is not a day"):
        assert_parity(spec, "yesterday", lake=filled)


def test_labels_and_the_future_are_refused(filled: Lake, tmp_path: Path) -> None:
    labels = skewed(
        tmp_path, "FROM orders AS o", "FROM orders AS o JOIN deliveries USING (order_id)"
    )
    with pytest.raises(LeakageError, match="reads 'deliveries', which is known only afterwards"):
        assert_parity(labels, day(2), lake=filled)
    future = skewed(tmp_path, "o.ordered_at > t.observed_at", "o.ordered_at <= t.observed_at")
    with pytest.raises(LeakageError, match="the join sees the future"):
        assert_parity(future, day(2), lake=filled)
