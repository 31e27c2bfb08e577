from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from mlops_tasks.registry.artifacts import FINGERPRINT
from mlops_tasks.registry.reproduction import Fingerprint
from mlops_tasks.registry.reproduction.fingerprint import (
    array_digest,
    estimator_parameters,
    frame_digest,
    spec_fields,
)
from mlops_tasks.serialization import from_json
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking
    from tests.unit.conftest import World

FRAME = pd.DataFrame(
    {"shop": ["a", None, "b", "a"], "price": [1.5, np.nan, -0.5, 2.0], "n": [1, 2, 3, 4]}
)


def fingerprint(world: World, tracking: Tracking, run_id: str) -> Fingerprint:
    return from_json(Fingerprint, tracking.read_json(run_id, FINGERPRINT))


def test_a_frame_is_its_names_types_values_and_order() -> None:
    digest = frame_digest(FRAME)
    assert frame_digest(FRAME.copy()) == digest
    assert frame_digest(FRAME.astype({"shop": object})) == digest
    assert frame_digest(FRAME.astype({"shop": "category"})) == digest
    price = FRAME.price.to_numpy().copy()
    price.view(np.int64)[1] += 1  # another NaN
    assert frame_digest(FRAME.assign(price=price)) == digest
    others = [
        FRAME[["price", "shop", "n"]],
        FRAME.iloc[::-1],
        FRAME.head(3),
        FRAME.rename(columns={"n": "m"}),
        FRAME.astype({"n": "float64"}),
        FRAME.assign(price=FRAME.price.fillna(0)),
        FRAME.assign(shop=FRAME["shop"].fillna("None")),
        FRAME.assign(shop=["a", "b", None, "a"]),
        FRAME.assign(price=[1.5, np.nan, np.nextafter(-0.5, 0), 2.0]),
    ]
    digests = [frame_digest(other) for other in others]
    assert len({digest, *digests}) == len(others) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array(["a", "bc"]), np.array(["ab", "c"])),
        (np.array([True, False]), np.array([1, 0])),
        (np.array([1, 2]), np.array(["1", "2"])),
        (np.array([0, 1, 0]), np.array([0, 1, 1])),
        (np.array(["a", "b", "a"]), np.array(["a", "b", "b"])),
    ],
)
def test_targets_that_differ(one: Any, other: Any) -> None:
    assert array_digest(one) == array_digest(one.copy())
    assert array_digest(one) != array_digest(other)


def test_parameters_are_text_without_addresses() -> None:
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    forest = RandomForestClassifier(10, max_features=list(range(200)))
    model = make_pipeline(StandardScaler(), TargetEncoder(cv=folds), forest)
    found = estimator_parameters(model)
    assert found["randomforestclassifier__n_estimators"] == "10"
    assert found["targetencoder__cv"] == repr(folds)
    assert "0x" not in json.dumps(found)
    assert found["randomforestclassifier__max_features"].startswith("list ")
    again = estimator_parameters(model.set_params(randomforestclassifier__max_features=[1] * 300))
    changed = [name for name in found if found[name] != again[name]]
    assert "randomforestclassifier__max_features" in changed


def test_open_seeds_are_named() -> None:
    found = Fingerprint(
        chosen={"random_state": 7},
        spec={},
        parameters={
            "trees__random_state": "None",
            "trees__seed": "3",
            "depth": "None",
            "states": "None",
        },
        features="",
        target="",
        weights="",
        n_rows=0,
        content="",
    )
    assert found.unseeded == ["trees__random_state"]
    assert found.seeds == {"random_state": "7", "trees__random_state": "None", "trees__seed": "3"}


def test_a_training_says_what_went_into_it(world: World, own_world: World) -> None:
    content = world.tracking.read_artifact(world.champion, FINGERPRINT)
    kept = from_json(Fingerprint, json.loads(content))
    assert kept.n_rows == world.trained.n_rows
    assert kept.chosen == {
        "estimator": world.spec.estimator,
        "random_state": world.spec.random_state,
    }
    assert kept.spec["target"] == world.spec.target_sql
    assert kept.spec == spec_fields(world.spec)[1]
    assert kept.weights == ""
    assert len(kept.commit) == 40
    again = train(world.spec, world.pin, lake=own_world.lake, tracking=own_world.tracking)
    assert fingerprint(own_world, own_world.tracking, again.run_id) == kept
    assert again.digest != world.trained.digest
    other = world.spec.model_copy(update={"random_state": world.spec.random_state + 1})
    seeded = train(other, world.pin, lake=own_world.lake, tracking=own_world.tracking)
    found = fingerprint(own_world, own_world.tracking, seeded.run_id)
    assert found.seeds != kept.seeds
    same = {"chosen": kept.chosen, "parameters": kept.parameters, "content": kept.content}
    assert replace(found, **same) == kept, "the rows are the same"
