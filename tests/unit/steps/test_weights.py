"""Weights of rows: from a column of the features into the fit, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import EstimatorError, FeatureError
from mlops_tasks.features import labelled_rows
from mlops_tasks.features.weights import row_weights
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.train import train
from tests.unit.orders import FEATURES_SQL, day, fill_lake, project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

SEEN: dict[str, Any] = {}


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    trees = HistGradientBoostingClassifier(max_iter=20, random_state=random_state)
    SEEN["model"] = Pipeline([("scale", StandardScaler()), ("trees", trees)])
    return SEEN["model"]


def build_deaf(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsClassifier())


def weighted(folder: Path, by: str | None, **changes: Any) -> ModelSpec:
    sql = FEATURES_SQL.replace("o.shop,", f"o.shop, {by or 1} AS w,")
    fields: dict[str, Any] = {
        "features_sql": sql,
        "categorical": (),
        "numeric": ("items", "distance"),
        "weight": None if by is None else "w",
        "estimator": "tests.unit.steps.test_weights:build",
    }
    return project(folder, **fields | changes)


@pytest.fixture
def filled(lake: Lake, spec: ModelSpec) -> Lake:
    fill_lake(lake, spec, range(16))
    return lake


def test_weights_reach_the_fit(
    tmp_path: Path, filled: Lake, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    from sklearn.ensemble import HistGradientBoostingClassifier

    fit = HistGradientBoostingClassifier.fit

    def watched(self: Any, x: Any, y: Any, sample_weight: Any = None) -> Any:
        given.append(sample_weight)
        return fit(self, x, y, sample_weight=sample_weight)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", watched)
    spec = weighted(tmp_path / "p", "CASE WHEN o.items > 4 THEN o.items ELSE 0 END")
    pin = pin_training_data(spec, day(15), lake=filled)
    trained = train(spec, pin, lake=filled, tracking=tracking)
    rows = labelled_rows(spec, pin, pin.train, lake=filled)
    wanted = [float(n) if n > 4 else 0.0 for n in rows["items"].to_pylist()]
    assert wanted.count(0.0) > 100
    trial, real = given  # a few rows first, each with its own weight
    assert list(real) == wanted
    assert 0 < len(trial) < len(wanted)
    assert set(trial) <= set(wanted)
    assert {0.0, 5.0} <= set(trial)
    assert tracking.client.get_run(trained.run_id).data.params["weight"] == "w"


def test_without_a_weight_none_is_passed(tmp_path: Path, filled: Lake) -> None:
    spec = weighted(tmp_path / "p", None)
    pin = pin_training_data(spec, day(15), lake=filled)
    assert row_weights(spec, labelled_rows(spec, pin, pin.train, lake=filled)) is None


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        ("nullif(o.items, 3)", "is missing, negative or infinite in "),
        ("1.0::DOUBLE - 2 * (o.items = 3)::INT", " with -1.0; give each row a number"),
        ("CASE WHEN o.items = 3 THEN 'inf'::DOUBLE ELSE 1 END", " with inf; give each row"),
        ("CASE WHEN o.items = 3 THEN 'nan'::DOUBLE ELSE 1 END", " with nan; give each row"),
        ("0", "weight 'w' is 0 in all 800 rows"),
        ("'heavy'", "weight 'w' is string; make it a double"),
        ("1.5", "weight 'w' is decimal128(2, 1); make it a double"),
    ],
)
def test_what_is_no_weight_is_refused(
    tmp_path: Path, filled: Lake, tracking: Tracking, weight: str, said: str
) -> None:
    spec = weighted(tmp_path / "p", weight)
    pin = pin_training_data(spec, day(15), lake=filled)
    with pytest.raises(FeatureError) as error:
        train(spec, pin, lake=filled, tracking=tracking)
    assert said in str(error.value)
    assert "model 'late_orders', features.sql: weight 'w'" in str(error.value)


def test_a_weight_that_the_query_lacks_is_refused(
    tmp_path: Path, filled: Lake, tracking: Tracking
) -> None:
    spec = weighted(tmp_path / "p", "1", weight="nobody")
    pin = pin_training_data(spec, day(15), lake=filled)
    with pytest.raises(FeatureError, match="weight 'nobody' is no column of it"):
        train(spec, pin, lake=filled, tracking=tracking)


def test_an_estimator_without_weights_is_refused_before_any_row_is_read(
    tmp_path: Path, filled: Lake, tracking: Tracking
) -> None:
    spec = weighted(tmp_path / "p", "1", estimator="tests.unit.steps.test_weights:build_deaf")
    pin = pin_training_data(spec, day(15), lake=filled)
    for file in filled.root.glob("orders/**/*.parquet"):
        file.unlink()
    with pytest.raises(EstimatorError, match="fit of Pipeline takes no sample_weight"):
        train(spec, pin, lake=filled, tracking=tracking)
