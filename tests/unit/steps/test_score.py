from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from mlops_tasks.exceptions import (
    FeatureError,
    PartitionNotFoundError,
    StaleAttemptError,
    UnsafeModelError,
)
from mlops_tasks.features import feature_frame, feature_rows, model_frame
from mlops_tasks.features.categories import unseen_categories
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.steps.score import score
from tests.unit.orders import ROWS_PER_DAY, day, rows_of

if TYPE_CHECKING:
    from mlops_tasks.steps.score import ScoreResult
    from tests.unit.conftest import World

DAY = day(16)


def run(world: World, *, token: int = 5, partition: str = DAY, **changes: Any) -> ScoreResult:
    champion = replace(world.champion, **changes)
    return score(
        world.spec, partition, champion, lake=world.lake, tracking=world.tracking, token=token
    )


def predictions(world: World, partition: str = DAY) -> pa.Table:
    rows = world.lake.table(world.spec.predictions_table).read(first=partition, last=partition)
    return rows.sort_by("order_id")


def test_every_row_of_the_day_gets_a_score_and_its_version(own_world: World) -> None:
    result = run(own_world)
    found = predictions(own_world)
    assert found.schema.names == ["order_id", "score", "model_version"]
    assert found.column("order_id").to_pylist() == sorted(
        rows_of(16)["orders"].column("order_id").to_pylist()
    )
    assert set(found.column("model_version").to_pylist()) == {"1"}
    scores = found.column("score").to_numpy()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert result.summary == f"mean score {scores.mean():.5g}"
    assert (result.model_version, result.predictions.n_rows) == ("1", ROWS_PER_DAY)
    assert result.unseen_categories == {}


def test_scores_are_those_of_the_features_of_training(own_world: World) -> None:
    """Training reads a range of days at once, scoring one day: both must see the same row."""
    world = own_world
    run(world)
    whole = feature_rows(world.spec, world.lake, first=day(12), last=day(17))
    model = world.tracking.load(world.trained.model_uri, world.trained.digest)
    expected = dict(
        zip(
            whole.column("order_id").to_pylist(),
            model.predict_proba(feature_frame(world.spec, whole))[:, 1],
            strict=True,
        )
    )
    found = predictions(world)
    wanted = [expected[key] for key in found.column("order_id").to_pylist()]
    assert np.array_equal(found.column("score").to_numpy(), wanted)


def test_scoring_again_gives_the_same_partition(own_world: World) -> None:
    first, second = run(own_world, token=1), run(own_world, token=2)
    assert second.predictions.digest == first.predictions.digest
    assert own_world.lake.table(own_world.spec.predictions_table).partitions() == [DAY]
    assert predictions(own_world).num_rows == ROWS_PER_DAY


def test_a_late_attempt_is_refused(own_world: World) -> None:
    run(own_world, token=9, version="2")
    with pytest.raises(StaleAttemptError):
        run(own_world, token=8)
    assert set(predictions(own_world).column("model_version").to_pylist()) == {"2"}


def test_a_model_that_was_tampered_with_publishes_nothing(own_world: World) -> None:
    before = run(own_world)
    with pytest.raises(UnsafeModelError):
        run(own_world, token=6, digest="0" * 64)
    assert (
        own_world.lake.table(own_world.spec.predictions_table).version == before.predictions.version
    )


def test_a_day_that_was_never_published_is_named(own_world: World) -> None:
    with pytest.raises(PartitionNotFoundError, match=f"'orders' has no rows for {day(40)}"):
        run(own_world, partition=day(40))
    assert not own_world.lake.exists(own_world.spec.predictions_table)


def test_a_feature_that_cannot_be_used_publishes_nothing(own_world: World) -> None:
    before = run(own_world)
    rows = rows_of(16)["orders"]
    worse = rows.set_column(5, "distance", pa.array([float("inf")] * ROWS_PER_DAY))
    overwrite_partition(own_world.lake.table("orders"), DAY, worse, token=2**40)
    with pytest.raises(FeatureError, match="'distance' is infinite in 80 rows"):
        run(own_world, token=6)
    assert (
        own_world.lake.table(own_world.spec.predictions_table).version == before.predictions.version
    )


def test_a_feature_dropped_from_the_spec_still_serves_the_version_that_knows_it(
    own_world: World,
) -> None:
    world = own_world
    run(world)
    before = predictions(world)
    fewer = world.spec.model_copy(update={"numeric": world.spec.numeric[1:]})
    run(replace(world, spec=fewer), token=6)
    assert predictions(world).column("score").equals(before.column("score"))


def test_a_column_that_the_champion_needs_is_named(own_world: World) -> None:
    world, name = own_world, own_world.spec.numeric[0]
    rows = feature_rows(world.spec, world.lake, first=day(17), last=day(17)).drop_columns([name])
    model = world.tracking.load(world.trained.model_uri, world.trained.digest)
    with pytest.raises(FeatureError, match=rf"no column \['{name}'\], which this version was"):
        model_frame(world.spec, model, rows)


def test_unseen_categories_are_scored_and_counted(own_world: World) -> None:
    rows = rows_of(16)["orders"]
    shops = ["chandler"] * 3 + [None] * 2 + rows.column("shop").to_pylist()[5:]
    overwrite_partition(
        own_world.lake.table("orders"),
        DAY,
        rows.set_column(3, "shop", pa.array(shops, pa.string())),
        token=2**40,
    )
    result = run(own_world)
    assert result.unseen_categories == {"shop": 3}
    assert predictions(own_world).num_rows == ROWS_PER_DAY
    assert not np.isnan(predictions(own_world).column("score").to_numpy()).any()


def test_a_day_without_any_reading_is_scored_with_missing_values(own_world: World) -> None:
    none = rows_of(0)["traffic"].slice(0, 0)
    for number in (15, 16):
        overwrite_partition(own_world.lake.table("traffic"), day(number), none, token=2**40)
    assert run(own_world).predictions.n_rows == ROWS_PER_DAY


# --- which categories are unseen


FRAME = pd.DataFrame({"a": ["x", "new", None], "b": ["y", "y", "z"], "n": [1.0, 2.0, 3.0]})


def test_models_without_an_encoder_give_no_answer() -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert unseen_categories(model, FRAME, ("a", "b")) == {}


def test_only_columns_with_an_encoder_are_counted() -> None:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    encoder = OneHotEncoder(handle_unknown="ignore")
    transformer = ColumnTransformer([("c", encoder, ["a"]), ("n", "passthrough", ["n"])])
    seen = pd.DataFrame({"a": ["x", "w"], "b": ["y", "y"], "n": [0.0, 1.0]})
    model = make_pipeline(transformer, LogisticRegression()).fit(seen, [0, 1])
    assert unseen_categories(model, FRAME, ("a", "b")) == {"a": 1}
