from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_tasks.exceptions import UnknownVersionError, UnsafeModelError
from mlops_tasks.lake import Pin
from mlops_tasks.registry.artifacts import ARTIFACTS, CLASSES, SEARCH, TABLE_MODEL, VOCABULARIES
from mlops_tasks.registry.tracking import ATTEMPT_TAG, Tracking
from tests.unit import orders
from tests.unit.workers import hold_run

if TYPE_CHECKING:
    from tests.unit.conftest import World

TASK = {ATTEMPT_TAG: "late_orders.train/manual__1/train/-1", "airflow.try_number": "1"}


def status(tracking: Tracking, run_id: str) -> str:
    return tracking.client.get_run(run_id).info.status


def attempt(tracking: Tracking, **tags: str) -> Tracking:
    return Tracking(tracking.uri, TASK | tags)


def test_a_run_is_finished_and_carries_its_tags(tracking: Tracking) -> None:
    import mlflow

    with attempt(tracking).run("late_orders", "train 2024-03-01") as run_id:
        assert status(tracking, run_id) == "RUNNING"
        mlflow.log_metric("n", 1)
    run = tracking.client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train 2024-03-01")
    assert run.data.tags | TASK == run.data.tags
    assert run.data.metrics == {"n": 1}
    assert mlflow.active_run() is None


@pytest.mark.parametrize(
    ("error", "ends_as"),
    [(ValueError, "FAILED"), (SystemExit, "KILLED"), (KeyboardInterrupt, "KILLED")],
)
def test_a_run_is_closed_whatever_happens(
    tracking: Tracking, error: type[BaseException], ends_as: str
) -> None:
    with pytest.raises(error, match="stop"), tracking.run("late_orders", "x") as run_id:
        raise error("stop")
    assert status(tracking, run_id) == ends_as


def test_the_signal_handler_is_put_back(tracking: Tracking) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with tracking.run("late_orders", "x"):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_in_a_thread_works_without_signals(tracking: Tracking) -> None:
    ids: list[str] = []

    def work() -> None:
        with tracking.run("late_orders", "x") as run_id:
            ids.append(run_id)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert [status(tracking, run_id) for run_id in ids] == ["FINISHED"]


@pytest.fixture
def held(tracking: Tracking, tmp_path: Path) -> Any:
    """A process inside a run of this task, as a worker would be."""
    started = tmp_path / "started"
    context = get_context("forkserver")
    process = context.Process(target=hold_run, args=(tracking.uri, TASK, str(started)))
    process.start()
    deadline = time.monotonic() + 60
    while not (started.exists() and started.read_text()):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process, started.read_text()
    process.kill()
    process.join()


def test_sigterm_closes_the_run(tracking: Tracking, held: Any) -> None:
    process, run_id = held
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 128 + signal.SIGTERM
    assert status(tracking, run_id) == "KILLED"


def test_the_next_attempt_closes_the_run_of_a_killed_one(tracking: Tracking, held: Any) -> None:
    process, run_id = held
    process.kill()
    process.join(60)
    with Tracking(tracking.uri).run("late_orders", "without a task"):
        pass
    with Tracking(tracking.uri, TASK | {ATTEMPT_TAG: "another task"}).run("late_orders", "other"):
        pass
    assert status(tracking, run_id) == "RUNNING"
    with attempt(tracking, **{"airflow.try_number": "2"}).run("late_orders", "again") as again:
        assert status(tracking, run_id) == "KILLED"
    assert status(tracking, again) == "FINISHED"


def test_a_quote_in_a_tag_is_only_text(tracking: Tracking) -> None:
    evil = Tracking(tracking.uri, {ATTEMPT_TAG: "x' OR attributes.status = 'FINISHED"})
    with tracking.run("late_orders", "done") as done, pytest.raises(ValueError, match="stop"):
        raise ValueError("stop")
    with evil.run("late_orders", "x") as run_id:
        pass
    assert {status(tracking, done), status(tracking, run_id)} == {"FINISHED"}


# --- models


FRAME = pd.DataFrame({"a": np.linspace(-1.0, 1.0, 50), "b": np.ones(50)})
TARGET = (FRAME["a"] > 0).astype(int)


def test_a_model_is_saved_as_safe_files_and_loads_again(tracking: Tracking) -> None:
    model = LogisticRegression().fit(FRAME, TARGET)
    with tracking.run("late_orders", "x"):
        uri, digest, _ = tracking.log_model(model, FRAME)
    assert uri.startswith("models:/m-")
    assert len(digest) == 64
    again = tracking.load(uri, digest)
    assert np.array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        tracking.load(uri, "0" * 64)


def test_two_servers_in_one_process_are_not_confused(world: World, tracking: Tracking) -> None:
    world.tracking.load(world.champion.model_uri, world.champion.digest)
    with tracking.run("late_orders", "x"):
        other, digest, _ = tracking.log_model(LogisticRegression().fit(FRAME, TARGET), FRAME)
    for _ in range(2):
        world.tracking.load(world.champion.model_uri, world.champion.digest)
        tracking.load(other, digest)


def test_its_signature_names_the_features_and_its_requirements_are_pinned(
    tracking: Tracking,
) -> None:
    import mlflow

    with tracking.run("late_orders", "x"):
        uri, _, _ = tracking.log_model(LogisticRegression().fit(FRAME, TARGET), FRAME)
    info = mlflow.models.get_model_info(uri)
    assert info.signature.inputs.input_names() == ["a", "b"]
    folder = mlflow.artifacts.download_artifacts(uri)
    with open(f"{folder}/requirements.txt") as file:
        names = [line.split("==")[0] for line in file.read().splitlines()]
    assert "scikit-learn" in names
    assert "skops" in names


def test_a_model_that_could_not_be_loaded_is_not_saved(tracking: Tracking) -> None:
    model = make_pipeline(FunctionTransformer(orders.day), LogisticRegression())
    with tracking.run("late_orders", "x"), pytest.raises(UnsafeModelError, match="allow-list"):
        tracking.log_model(model, FRAME)
    experiment = tracking.client.get_experiment_by_name("late_orders")
    assert tracking.client.search_logged_models([experiment.experiment_id]) == []


# --- evidence


def test_json_of_a_run_is_read_back(tracking: Tracking) -> None:
    content = {"a": [1, 2.5, None], "ü": {"b": "ß"}}
    with tracking.run("late_orders", "x") as run_id:
        tracking.log_json(run_id, "pin.json", content)
    assert tracking.read_json(run_id, "pin.json") == content


def test_a_run_takes_metrics_parameters_and_tags_at_once(world: World) -> None:
    tracking = world.tracking
    with tracking.run("late_orders", "x") as run_id:
        tracking.log_batch(
            run_id,
            metrics={"auc": 0.75},
            params={"as_of": "2024-03-09"},
            tags={"mlops.verdict": "keep"},
            model_id=world.trained.model_id,
        )
    run = tracking.client.get_run(run_id).data
    assert (run.metrics, run.params) == ({"auc": 0.75}, {"as_of": "2024-03-09"})
    assert run.tags["mlops.verdict"] == "keep"
    metrics = tracking.client.get_logged_model(world.trained.model_id).metrics
    assert ("auc", 0.75, run_id) in [(m.key, m.value, m.run_id) for m in metrics]


def test_a_pin_is_the_dataset_of_a_run(tracking: Tracking) -> None:
    pin = Pin("orders", "2024-03-01", "2024-03-09", (5, 7), ("a",), 5, "0123456789" * 6 + "abcd")
    with tracking.run("late_orders", "x") as run_id:
        tracking.log_pins({"orders": pin}, context="training")
    run = tracking.client.get_run(run_id)
    (found,) = run.inputs.dataset_inputs
    assert found.dataset.name == "orders@v7"
    assert pin.digest.startswith(found.dataset.digest)
    assert {tag.key: tag.value for tag in found.tags} == {
        "mlflow.data.context": "training",
        "mlops.digest": pin.digest,
        "mlops.n_rows": "5",
        "mlops.days": "2024-03-01 to 2024-03-09",
    }


OF_SOME_MODELS = (CLASSES, SEARCH, TABLE_MODEL, VOCABULARIES)


@pytest.mark.parametrize("name", [name for name in ARTIFACTS if name not in OF_SOME_MODELS])
def test_an_artifact_that_decisions_read_is_the_one_that_was_stored(
    own_world: World, name: str
) -> None:
    tracking, champion = own_world.tracking, own_world.champion
    content = tracking.read_artifact(champion, name)
    assert hashlib.sha256(content).hexdigest() == champion.artifacts[name]
    other = replace(champion, run_id=_run_with(tracking, {name: content + b" "}))
    with pytest.raises(UnsafeModelError, match=rf"{name} of run .* it was changed in MLflow"):
        tracking.read_artifact(other, name)
    unknown = replace(champion, artifacts={})
    with pytest.raises(UnknownVersionError, match=r"mlops ledger adopt late_orders 1"):
        tracking.read_artifact(unknown, name)


def _run_with(tracking: Tracking, artifacts: dict[str, bytes]) -> str:
    with tracking.run("late_orders", "x") as run_id:
        for name, content in artifacts.items():
            tracking.log_bytes(run_id, name, content)
    return run_id


def test_a_model_that_is_exchanged_on_its_way_is_noticed(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is of what was written here, never of what the store has made of it."""
    import skops.io

    other = skops.io.dumps(LogisticRegression().fit(FRAME, 1 - TARGET))
    upload = MlflowClient.log_model_artifacts

    def exchanged(self: MlflowClient, model_id: str, local_dir: str) -> None:
        Path(local_dir, "model.skops").write_bytes(other)
        upload(self, model_id, local_dir)

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", exchanged)
    with tracking.run("late_orders", "x"):
        uri, digest, _ = tracking.log_model(LogisticRegression().fit(FRAME, TARGET), FRAME)
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        tracking.load(uri, digest)


class Forgetful(LogisticRegression):
    """Keeps what it knows outside of its attributes, where no file has it."""

    def predict_proba(self, X: Any) -> Any:
        """Answer otherwise in the estimator that was fitted."""
        return super().predict_proba(X) + id(self)


def test_a_model_that_answers_otherwise_once_it_is_loaded_is_not_logged(
    tracking: Tracking,
) -> None:
    model = Forgetful().fit(FRAME, TARGET)
    with (
        tracking.run("late_orders", "x") as run_id,
        pytest.raises(UnsafeModelError, match="Forgetful does not predict what it predicted"),
    ):
        tracking.log_model(model, FRAME, package="tests")
    run = tracking.client.get_run(run_id)
    (left,) = tracking.client.search_logged_models([run.info.experiment_id])
    assert left.status == "FAILED"


def test_a_model_without_a_run_is_refused(tracking: Tracking) -> None:
    with pytest.raises(RuntimeError, match=r"inside of Tracking\.run"):
        tracking.log_model(LogisticRegression().fit(FRAME, TARGET), FRAME)


def test_the_variable_of_another_run_changes_nothing(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.run("late_orders", "other") as other:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", other)
    with tracking.run("late_orders", "x") as run_id:
        assert run_id != other
