"""A version goes from staging to production: two MLflow servers, two ledgers, the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from mlops_airflow.stack.environment import tool
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.champions import load_version
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.steps.register import register
from mlops_tasks.steps.release import release
from mlops_tasks.steps.retire import retire
from tests.system.registries import Environment, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "late_orders"
ROWS = pd.DataFrame({"distance": np.linspace(0, 10, 60), "items": np.arange(60) % 5})


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Environment, Environment]]:
    home = tmp_path_factory.mktemp("environments")
    with ExitStack() as stack:
        staging, production = (
            stack.enter_context(serving(home / name)) for name in ("staging", "production")
        )
        _train(staging)
        yield staging, production


def _train(staging: Environment) -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(ROWS, ROWS["distance"] > 5)
    with staging.tracking.run(MODEL, "train") as run_id:
        uri, digest, _ = staging.tracking.log_model(model, ROWS)
        pin = staging.tracking.log_json(run_id, PIN_FILE, {"as_of": "2024-03-10"})
    parts = (run_id, uri.rpartition("/")[2], uri, digest, 60, {}, 0.1)
    trained = TrainResult(*parts, artifacts={PIN_FILE: pin})  # type: ignore[arg-type]
    register(MODEL, trained, None, tracking=staging.tracking, ledger=staging.ledger)


def copy(staging: Environment, production: Environment) -> subprocess.CompletedProcess[str]:
    """Copy version 1, by the command that a person types in production."""
    there = {"--from-mlflow": "mlflow_staging", "--from-ledger": "ledger_staging"}
    words = [word for option in there.items() for word in option]
    named = production.connections() | staging.connections("STAGING")
    homes = {"AIRFLOW_HOME": str(production.home), "MLOPS_HOME": str(production.home)}
    return subprocess.run(
        [tool("mlops"), "copy", MODEL, "1", *words, "--json"],
        env=os.environ | named | homes,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_changed_there_is_not_copied(both: tuple[Environment, Environment]) -> None:
    staging, production = both
    weights = next((staging.home / "artifacts").rglob("model.skops"))
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + b"x")
    done = copy(staging, production)
    weights.write_bytes(before)
    assert (done.returncode, done.stdout) == (1, "")
    assert "they were changed after registration" in done.stderr
    assert production.ledger.registrations(MODEL) == []


def test_bytes_are_the_same_and_each_environment_decides(
    both: tuple[Environment, Environment],
) -> None:
    staging, production = both
    done = copy(staging, production)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    theirs, ours = (one.ledger.registration(MODEL, "1") for one in both)
    assert theirs is not None
    assert ours is not None
    assert said["digest"] == ours.digest == theirs.digest
    assert ours.artifacts == theirs.artifacts
    assert ours.run_id != theirs.run_id
    predicted = load_version(ours, tracking=production.tracking).predict_proba(ROWS)
    expected = load_version(theirs, tracking=staging.tracking).predict_proba(ROWS)
    assert np.array_equal(predicted, expected)
    assert production.ledger.champion(MODEL) is None
    (asked,) = production.ledger.entries(model=MODEL, kind="release_request")
    assert (asked.key, asked.evidence["verdict"]) == ("1", "ask")
    assert f"copied from {staging.uri}, version 1" in asked.evidence["reason"]
    stores = {"tracking": production.tracking, "ledger": production.ledger}
    assert not release(MODEL, "1", **stores).released, "nobody has approved it here"
    assert staging.ledger.entries(model=MODEL, kind="release_request") == []


def test_what_is_copied_again_is_the_same_version(both: tuple[Environment, Environment]) -> None:
    staging, production = both
    assert copy(staging, production).returncode == 0
    assert len(production.ledger.registrations(MODEL)) == 1
    assert len(production.ledger.entries(kind="release_request", history=True)) == 1


def test_what_was_retired_there_is_not_copied(both: tuple[Environment, Environment]) -> None:
    staging, production = both
    retire(MODEL, "1", reason="wrong labels", by="eve", ledger=staging.ledger)
    done = copy(staging, production)
    assert (done.returncode, done.stdout) == (1, "")
    assert "version 1 of 'late_orders' is retired there" in done.stderr
