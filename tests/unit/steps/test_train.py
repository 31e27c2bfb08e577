from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import FeatureError, NoLabelsError, SpecError, UnsafeModelError
from mlops_tasks.features import feature_frame, labelled_rows
from mlops_tasks.lake import TrainingPin, overwrite_partition
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.artifacts import ENVIRONMENT, FEATURE_PROFILES, PIN_FILE
from mlops_tasks.serialization import from_json
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.train import _inputs, _log_profiles, train
from mlops_tasks.workers import THREADS_VARIABLE
from tests.unit import orders
from tests.unit.orders import ROWS_PER_DAY, day, fill_lake, project, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World

DAYS = 6


def short(tmp_path: Path, **changes: Any) -> ModelSpec:
    return project(tmp_path / "short", **{"train": "3d", "evaluation": "1d"} | changes)


def pinned(spec: ModelSpec, lake: Lake, tracking: Tracking) -> Any:
    pin = pin_training_data(spec, day(DAYS), lake=lake)
    return lambda: train(spec, pin, lake=lake, tracking=tracking)


def no_runs(tracking: Tracking) -> bool:
    experiment = tracking.client.get_experiment_by_name("late_orders")
    return experiment is None or not tracking.client.search_runs([experiment.experiment_id])


def test_the_result_says_what_it_was_trained_on(world: World) -> None:
    assert world.trained.n_rows == 10 * ROWS_PER_DAY
    rows = labelled_rows(world.spec, world.pin, world.pin.train, lake=world.lake)
    share = rows.column("y").to_numpy().mean()
    assert world.trained.target["y_share"] == pytest.approx(share, abs=1e-4)
    assert world.trained.model_uri == f"models:/{world.trained.model_id}"
    assert world.trained.fit_s >= 0


def test_the_run_holds_everything_needed_to_do_it_again(world: World) -> None:
    run = world.tracking.client.get_run(world.trained.run_id)
    assert run.info.status == "FINISHED"
    params = run.data.params
    assert (params["as_of"], params["train_first"], params["train_last"]) == (
        world.as_of,
        *world.pin.train,
    )
    assert params["estimator"] == "tests.unit.orders:build"
    assert params["features"].split(",") == list(world.spec.features)
    assert run.data.metrics["n_rows"] == world.trained.n_rows
    names = {item.dataset.name.split("@")[0] for item in run.inputs.dataset_inputs}
    assert names == {"orders", "traffic", "deliveries"}
    query = f"params.`digest.orders` = '{world.pin.inputs['orders'].digest}'"
    same = world.tracking.client.search_runs([run.info.experiment_id], query)
    assert world.trained.run_id in {one.info.run_id for one in same}
    pin = world.tracking.read_json(world.trained.run_id, PIN_FILE)
    assert from_json(TrainingPin, pin) == world.pin


def other_query(spec: ModelSpec) -> ModelSpec:
    """Return the same model with a comment more in its query."""
    assert spec.features_sql is not None
    file = spec.features_sql.with_name("other.sql")
    file.write_text(f"{spec.features_sql.read_text()}\n-- of another mind\n")
    return spec.model_copy(update={"features_sql": file})


def test_the_same_inputs_have_the_same_digest_whichever_run(world: World) -> None:
    how: Any = {"lake": world.lake, "tracking": world.tracking}
    assert len(world.trained.inputs) == 64
    again = train(world.spec, world.pin, **how)
    assert again.run_id != world.trained.run_id
    assert again.inputs == world.trained.inputs
    seeded = world.spec.model_copy(update={"random_state": 8})
    assert train(seeded, world.pin, **how).inputs != world.trained.inputs
    other = replace(world.pin, embargo="1d")
    assert train(world.spec, other, **how).inputs != world.trained.inputs
    query = other_query(world.spec)
    assert train(query, world.pin, **how).inputs not in ("", world.trained.inputs)
    library = world.spec.model_copy(update={"estimator": "sklearn.dummy:DummyClassifier"})
    known = _inputs(library, world.pin, {}, b"")
    assert known == "", "no project was packed, so nobody knows the code of the features"
    handed = train(world.spec, world.pin, build=orders.build, **how)
    assert handed.inputs == "", "nobody knows the code of an estimator that was handed over"


def test_an_attempt_that_overlaps_replaces_nothing_that_was_recorded(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the run of the first, and trains on a machine with other threads."""
    tracking = replace(own_world.tracking, tags={"mlops.task": "late_orders.train/overlap"})
    how: Any = {"lake": own_world.lake, "tracking": tracking}
    others: list[TrainResult] = []

    def overlapping(*about: Any) -> dict[str, str]:
        """Let a second attempt do all of its work while the first is about to go on."""
        monkeypatch.setattr("mlops_tasks.steps.train._log_profiles", _log_profiles)
        artifacts = _log_profiles(*about)
        with monkeypatch.context() as patched, ThreadPoolExecutor(1) as elsewhere:
            patched.setenv(THREADS_VARIABLE, "1")
            others.append(elsewhere.submit(train, own_world.spec, own_world.pin, **how).result())
        return artifacts

    monkeypatch.setenv(THREADS_VARIABLE, "3")
    monkeypatch.setattr("mlops_tasks.steps.train._log_profiles", overlapping)
    first = train(own_world.spec, own_world.pin, **how)
    (second,) = others
    assert second.run_id == first.run_id
    assert second.artifacts[ENVIRONMENT] != first.artifacts[ENVIRONMENT]
    for attempt in (first, second):
        version = replace(
            own_world.champion, run_id=attempt.run_id, artifacts=dict(attempt.artifacts)
        )
        for name, digest in version.artifacts.items():
            content = tracking.read_artifact(version, name)
            assert hashlib.sha256(content).hexdigest() == digest, name
    last = tracking.read_bytes(first.run_id, ENVIRONMENT)
    assert hashlib.sha256(last).hexdigest() == second.artifacts[ENVIRONMENT]


def test_the_profile_is_that_of_the_training_rows(world: World) -> None:
    days = unpack_days(world.tracking.read_bytes(world.trained.run_id, FEATURE_PROFILES))
    assert sum(profile.n_rows for profile in days.values()) == world.trained.n_rows
    assert (min(days), max(days)) == world.pin.train
    assert {tuple(profile.columns) for profile in days.values()} == {world.spec.features}


def test_training_again_on_the_same_pin_gives_the_same_model(
    world: World, own_world: World
) -> None:
    again = train(world.spec, world.pin, lake=own_world.lake, tracking=own_world.tracking)
    rows = labelled_rows(world.spec, world.pin, world.pin.evaluation, lake=world.lake)
    frame = feature_frame(world.spec, rows)
    first, second = (
        tracking.load(result.model_uri, result.digest).predict_proba(frame)
        for tracking, result in (
            (world.tracking, world.trained),
            (own_world.tracking, again),
        )
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("estimator", "match"),
    [
        ("tests.unit.nowhere:build", "No module named"),
        ("tests.unit.orders:nothing", "has no attribute 'nothing'"),
    ],
)
def test_an_estimator_that_cannot_be_found_is_named(
    tmp_path: Path, lake: Lake, tracking: Tracking, estimator: str, match: str
) -> None:
    spec = short(tmp_path, estimator=estimator)
    fill_lake(lake, spec, range(DAYS), n=10)
    with pytest.raises(SpecError, match=rf"estimator '{estimator}': .*{match}.*importable from"):
        pinned(spec, lake, tracking)()
    assert no_runs(tracking)


def test_an_estimator_that_could_not_be_loaded_again_fails_its_run(
    tmp_path: Path, lake: Lake, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def lambdas(**_: Any) -> Any:
        first = FunctionTransformer(lambda frame: frame[["items"]])
        return make_pipeline(first, LogisticRegression())

    monkeypatch.setattr(orders, "build", lambdas)
    spec = short(tmp_path)
    fill_lake(lake, spec, range(DAYS), n=20)
    with pytest.raises(UnsafeModelError, match="cannot be saved, so it is not fitted: Function"):
        pinned(spec, lake, tracking)()
    experiment = tracking.client.get_experiment_by_name("late_orders")
    (run,) = tracking.client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


def test_a_feature_without_any_value_is_named(
    tmp_path: Path, lake: Lake, tracking: Tracking
) -> None:
    spec = short(tmp_path)
    fill_lake(lake, spec, range(DAYS), n=20)
    for number in range(DAYS):
        rows = rows_of(number, n=20)["orders"]
        empty = rows.set_column(5, "distance", pa.nulls(20, pa.float64()))
        overwrite_partition(
            lake.table("orders"), day(number), empty, token=2**40, known_at=day(number)
        )
    with pytest.raises(FeatureError, match=r"\['distance'\] have no value in any of the 60 rows"):
        pinned(spec, lake, tracking)()
    assert no_runs(tracking)


def test_labels_of_one_kind_are_an_error(tmp_path: Path, lake: Lake, tracking: Tracking) -> None:
    from mlops_tasks.specs import LabelSpec

    label = project(tmp_path / "other").label.dataset
    spec = short(tmp_path, label=LabelSpec(dataset=label, target="minutes_late > 10000"))
    fill_lake(lake, spec, range(DAYS), n=20)
    with pytest.raises(NoLabelsError, match="of 1 of the 2 classes that are needed"):
        pinned(spec, lake, tracking)()
    assert no_runs(tracking)
