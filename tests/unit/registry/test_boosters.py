"""Boosters of xgboost and lightgbm: files of plain text, looked at before their libraries read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import (
    check_types,
    detached_boosters,
    files_digest,
    load_model,
    write_extra_files,
)
from mlops_tasks.registry.modelfiles.booster_text import check_lightgbm, check_xgboost
from mlops_tasks.registry.modelfiles.inspection import inspect_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.registry.tracking import Tracking

DRAW = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": DRAW.normal(size=300),
        "b": DRAW.normal(size=300),
        "c": pd.Categorical(DRAW.choice(["x", "y", "zä"], 300)),
        "d": pd.Categorical(DRAW.choice([10, 20, 30, 40], 300)),
    }
)
NUMBERS = FRAME[["a", "b"]]
Y = (FRAME.a + (FRAME.c == "x") > 0).to_numpy().astype(int)
KIND = DRAW.integers(0, 3, 300)


def save(model: Any, folder: Path) -> Path:
    (folder / "extra_files").mkdir()
    assert check_types(model) == frozenset()
    write_extra_files(model, folder / "extra_files", ())
    with detached_boosters(model):
        skops.io.dump(model, folder / "model.skops")
    return folder


def load(folder: Path) -> Any:
    return load_model(folder, digest=files_digest(folder), examined=True)


HONEST = [
    (XGBClassifier(n_estimators=5), NUMBERS, Y),
    (XGBClassifier(n_estimators=5), NUMBERS, KIND),
    (XGBClassifier(n_estimators=5, enable_categorical=True, max_cat_to_onehot=1), FRAME, Y),
    (XGBClassifier(n_estimators=3, booster="dart"), NUMBERS, KIND),
    (XGBRegressor(n_estimators=3, booster="gblinear"), NUMBERS, FRAME.a),
    (XGBRegressor(n_estimators=5, tree_method="exact"), NUMBERS, FRAME.a),
    (XGBRegressor(n_estimators=5, num_parallel_tree=3, subsample=0.5), NUMBERS, FRAME.a),
    (LGBMClassifier(n_estimators=5, verbose=-1), FRAME, Y),
    (LGBMClassifier(n_estimators=5, verbose=-1), FRAME, KIND),
    (LGBMRegressor(n_estimators=5, verbose=-1, linear_tree=True), FRAME, FRAME.a),
    (LGBMRegressor(n_estimators=5, verbose=-1, boosting_type="dart"), NUMBERS, FRAME.a),
    (LGBMRegressor(n_estimators=2, verbose=-1, min_child_samples=10**6), NUMBERS, FRAME.a),
]


@pytest.mark.parametrize(("model", "frame", "target"), HONEST, ids=range(len(HONEST)))
def test_a_booster_is_a_file_of_its_own_and_the_same_when_it_is_loaded(
    tmp_path: Path, model: Any, frame: Any, target: Any
) -> None:
    model.fit(frame, target)
    expected = model.predict(frame)
    save(model, tmp_path)
    assert np.array_equal(model.predict(frame), expected), "the model itself is as it was"
    (file,) = (tmp_path / "extra_files").iterdir()
    assert file.name == ("xgboost-0.json" if "XGB" in repr(model) else "lightgbm-0.txt")
    for loaded in (load(tmp_path), inspect_weights(tmp_path)):
        assert np.array_equal(loaded.predict(frame), expected)
    schema = (tmp_path / "model.skops").read_bytes()
    assert b"bytearray" not in schema, "nothing of the booster is in the skops file"


def test_early_stopping_keeps_the_best_round(tmp_path: Path) -> None:
    model = XGBClassifier(n_estimators=60, early_stopping_rounds=2, eval_metric="logloss")
    model.fit(NUMBERS[:200], Y[:200], eval_set=[(NUMBERS[200:], Y[200:])], verbose=False)
    loaded = load(save(model, tmp_path))
    assert loaded.best_iteration == model.best_iteration
    assert np.array_equal(loaded.predict_proba(NUMBERS), model.predict_proba(NUMBERS))


def test_a_search_over_a_pipeline_keeps_the_fitted_one(tmp_path: Path) -> None:
    steps = make_pipeline(StandardScaler(), XGBClassifier(n_estimators=3))
    model = GridSearchCV(steps, {"xgbclassifier__max_depth": [2, 3]}, cv=2).fit(NUMBERS, Y)
    loaded = load(save(model, tmp_path))
    assert np.array_equal(loaded.predict_proba(NUMBERS), model.predict_proba(NUMBERS))
    assert loaded.estimator[-1].__dict__.get("_Booster") is None


def test_mlflow_stores_them_beside_the_pipeline(tracking: Tracking) -> None:
    model = make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=3, verbose=-1))
    model.fit(NUMBERS, Y)
    with tracking.run("trips", "x"):
        uri, digest, _ = tracking.log_model(model, NUMBERS)
    loaded = tracking.load(uri, digest)
    assert np.array_equal(loaded.predict_proba(NUMBERS), model.predict_proba(NUMBERS))
    tracking.digest_model(uri)  # a throw-away process finds nothing wrong with it


# --- crafted files


def refused(folder: Path, match: str) -> None:
    with pytest.raises(UnsafeModelError, match=match):
        inspect_weights(folder)


def test_a_booster_in_the_skops_file_is_not_loaded(tmp_path: Path) -> None:
    model = XGBClassifier(n_estimators=2).fit(NUMBERS, Y)
    skops.io.dump(model, tmp_path / "model.skops")
    refused(tmp_path, r"outside the allow-list: \['xgboost\.core\.Booster'\]")


@pytest.mark.parametrize("number", [1, -1, "../x", 0.0, True, [0], "0"])
def test_numbers_of_no_file(tmp_path: Path, number: Any) -> None:
    model = XGBClassifier(n_estimators=2).fit(NUMBERS, Y)
    save(model, tmp_path)
    model._Booster = number
    skops.io.dump(model, tmp_path / "model.skops")
    refused(tmp_path, "the booster of a XGBClassifier is no file beside it")


def test_another_estimator_with_a_number_is_left_alone(tmp_path: Path) -> None:
    model = LogisticRegression().fit(NUMBERS, Y)
    model._Booster = 3
    skops.io.dump(model, tmp_path / "model.skops")
    assert inspect_weights(tmp_path)._Booster == 3


def first_tree(text: dict[str, Any]) -> Any:
    return text["learner"]["gradient_booster"]["model"]["trees"][0]


def put(name: str, at: int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(text: dict[str, Any]) -> None:
        first_tree(text)[name][at] = value

    return change


def learner(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(text: dict[str, Any]) -> None:
        place = text["learner"]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


MODEL = ("gradient_booster", "model")
CRAFTED_XGBOOST = [
    put("left_children", 0, 10**6),
    put("left_children", 0, 0),
    put("right_children", 0, -5),
    put("right_children", 0, 1.5),
    put("split_indices", 0, 4),
    put("split_indices", 0, -1),
    put("split_indices", 0, 2**40),
    lambda text: first_tree(text)["left_children"].pop(),
    lambda text: first_tree(text)["split_conditions"].pop(),
    lambda text: first_tree(text)["default_left"].append(0),
    lambda text: first_tree(text)["base_weights"].pop(),
    lambda text: first_tree(text)["tree_param"].update(num_nodes="9999"),
    lambda text: first_tree(text)["tree_param"].update(size_leaf_vector="50"),
    lambda text: first_tree(text)["split_type"].__setitem__(0, 1),
    lambda text: first_tree(text).update(categories_nodes=[0], categories_segments=[10**6]),
    lambda text: first_tree(text).update(categories_sizes=[10**6]),
    lambda text: first_tree(text).update(left_children=None),
    learner(*MODEL, "tree_info", value=[0, 7]),
    learner(*MODEL, "tree_info", value=[0]),
    learner(*MODEL, "iteration_indptr", value=[0, 1, 10**6]),
    learner(*MODEL, "cats", "feature_segments", value=[0, 0, 0, 3, 10**6]),
    learner(*MODEL, "cats", "sorted_idx", value=[0, 1, 2, 0, 1, 2, 99]),
    learner(*MODEL, "cats", "enc", value=[]),
    learner(*MODEL, "gbtree_model_param", "num_trees", value="500"),
    learner("learner_model_param", "num_feature", value="1"),
    learner("learner_model_param", "num_feature", value="x"),
    learner("objective", value={"name": "multi:softprob",
                                "softmax_multiclass_param": {"num_class": "1000"}}),
    learner("gradient_booster", value={"name": "gblinear", "model": {"weights": [0.0]}}),
    learner("gradient_booster", value={"name": "what"}),
    lambda text: text.clear(),
]  # fmt: skip


@pytest.fixture(scope="module")
def xgboost_text() -> bytes:
    model = XGBClassifier(n_estimators=2, enable_categorical=True, max_cat_to_onehot=1)
    return bytes(model.fit(FRAME, Y).get_booster().save_raw("json"))


@pytest.mark.parametrize("change", CRAFTED_XGBOOST, ids=range(len(CRAFTED_XGBOOST)))
def test_crafted_boosters_of_xgboost(xgboost_text: bytes, change: Callable[[Any], Any]) -> None:
    assert check_xgboost(xgboost_text) == ""
    text = json.loads(xgboost_text)
    change(text)
    assert check_xgboost(json.dumps(text).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"\x80\x04.", b"[" * 10**5, b"[]", b"binf\x00", b"7"])
def test_texts_that_are_no_boosters(text: bytes) -> None:
    assert check_xgboost(text)
    assert check_lightgbm(text)


@pytest.fixture(scope="module")
def lightgbm_text() -> bytes:
    model = LGBMClassifier(n_estimators=3, num_leaves=5, verbose=-1)
    return str(model.fit(FRAME, KIND).booster_.model_to_string()).encode()


CRAFTED_LIGHTGBM = [
    ("left_child", r"^\S+", "99999"),
    ("left_child", r"^\S+", "-99999"),
    ("right_child", r"^\S+", "0"),
    ("right_child", r" \S+$", ""),
    ("split_feature", r"^\S+", "4"),
    ("split_feature", r"^\S+", "-1"),
    ("decision_type", r"\S+", "1"),
    ("decision_type", r" \S+$", ""),
    ("threshold", r" \S+$", ""),
    ("leaf_value", r" \S+$", ""),
    ("num_leaves", r".+", "500"),
    ("num_leaves", r".+", "-1"),
    ("cat_boundaries", r"^0", "-9"),
    ("cat_boundaries", r"\S+$", "99999"),
    ("cat_threshold", r"$", " 1"),
    ("num_cat", r".+", "999"),
    ("is_linear", r".+", "1"),
    ("tree_sizes", r"^\S+", "99999999"),
    ("tree_sizes", r" \S+$", ""),
    ("num_class", r".+", "1"),
    ("num_class", r".+", "0"),
    ("num_tree_per_iteration", r".+", "1"),
    ("objective", r"num_class:\d+", "num_class:1000"),
    ("max_feature_idx", r".+", "0"),
    ("max_feature_idx", r".+", "x"),
]


@pytest.mark.parametrize(("name", "found", "put"), CRAFTED_LIGHTGBM, ids=range(25))
def test_crafted_boosters_of_lightgbm(
    lightgbm_text: bytes, name: str, found: str, put: str
) -> None:
    assert check_lightgbm(lightgbm_text) == ""
    text = lightgbm_text.decode()
    crafted, n_changed = re.subn(
        rf"^({name}=)(.*)$",
        lambda line: line[1] + re.sub(found, put, line[2], count=1),
        text,
        flags=re.MULTILINE,
    )
    assert n_changed
    assert crafted != text
    sizes = [len(tree.encode()) for tree in re.findall(r"^Tree=.*?\n\n\n", crafted, re.M | re.S)]
    if name != "tree_sizes":  # the sizes are right: what is wrong is inside of a tree
        crafted = re.sub("^tree_sizes=.*$", f"tree_sizes={' '.join(map(str, sizes))}", crafted,
                         flags=re.M)  # fmt: skip
    assert check_lightgbm(crafted.encode())


def test_a_crafted_booster_is_refused_before_its_library_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, model in enumerate((XGBClassifier(n_estimators=2), LGBMClassifier(verbose=-1))):
        (tmp_path / str(number)).mkdir()
        folder = save(model.fit(NUMBERS, Y), tmp_path / str(number))
        (file,) = (folder / "extra_files").iterdir()
        file.write_bytes(file.read_bytes()[:200])
        monkeypatch.setattr("xgboost.Booster", lambda *_: pytest.fail("read"))
        monkeypatch.setattr("lightgbm.Booster", lambda *_, **__: pytest.fail("read"))
        refused(folder, f"{file.name} is not what .* writes: it is no booster")
