"""skops files crafted with names that are allowed, for something that they are not allowed for."""

from __future__ import annotations

import io
import json
import os
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
from sklearn.compose import make_column_selector
from sklearn.ensemble import VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks._authoring import transformers
from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.inspection import inspect_weights
from mlops_tasks.registry.modelfiles.schema import check_nodes, read_nodes

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.default_rng(1).normal(size=(100, 2))
Y = (X[:, 0] > 0).astype(int)
CLIP = "benchmarks._authoring.transformers.clip"


def save(folder: Path, model: Any) -> Path:
    skops.io.dump(model, folder / "model.skops")
    return folder


def refused(folder: Path, match: str, project: frozenset[str] = frozenset()) -> None:
    with pytest.raises(UnsafeModelError, match=match):
        inspect_weights(folder, project)


def fitted(model: Any) -> Any:
    return model.fit(X, Y)


def run(*_: Any, **__: Any) -> Any:
    raise AssertionError("code of the file has run")


@pytest.mark.parametrize(
    "held",
    [os.system, run, partial(os.system, "true"), "x".join, os.path.join, eval, getattr, np.load],
    ids=range(8),
)
@pytest.mark.parametrize(
    "place",
    [
        lambda held: FunctionTransformer(held),
        lambda held: SelectKBest(held),
        lambda held: GridSearchCV(LogisticRegression(), {}, scoring=held),
        lambda held: make_scorer_of(held),
        lambda held: KNeighborsClassifier(metric=held),
        lambda held: VotingClassifier([("a", held)]),
        lambda held: selector_of(held),
    ],
    ids=["function", "score", "scoring", "scorer", "metric", "voting", "selector"],
)
def test_functions_that_are_not_allowed(tmp_path: Path, held: Any, place: Any) -> None:
    """In each place of an allowed type that holds a function."""
    model = make_pipeline(place(held), LogisticRegression())
    refused(save(tmp_path, model), "outside the allow-list|is no plain skops file")


def make_scorer_of(held: Any) -> Any:
    search = GridSearchCV(LogisticRegression(), {})
    search.scorer_ = make_scorer(lambda *_: 0)
    search.scorer_._score_func = held
    return search


def selector_of(held: Any) -> Any:
    selector = make_column_selector("x")
    selector.pattern = held
    return GridSearchCV(selector, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [("operator.methodcaller", None), ("builtins.eval", None), ("builtins.getattr", None)],
)
def test_names_of_the_standard_library(tmp_path: Path, name: str, value: None) -> None:
    module, _, function = name.rpartition(".")
    change(save(tmp_path, FunctionTransformer(np.log1p)), "numpy.log1p", module, function)
    refused(tmp_path, "outside the allow-list|no plain skops file|no skops file")


def change(folder: Path, found: str, module: str, name: str) -> None:
    """Give the objects of one name another one."""

    def rename(state: Any) -> Any:
        if isinstance(state, list):
            return [rename(one) for one in state]
        if not isinstance(state, dict):
            return state
        made = {key: rename(value) for key, value in state.items()}
        if f"{made.get('__module__')}.{made.get('__class__')}" == found:
            made |= {"__module__": module, "__class__": name}
        return made

    rewrite(folder, rename)


def rewrite(folder: Path, how: Any) -> None:
    path = folder / "model.skops"
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["schema.json"] = json.dumps(how(json.loads(contents["schema.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


CALLED: list[Any] = []


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """An allowed function of the project that tells when it is called."""
    CALLED.clear()

    def clip(*asked: Any, **named: Any) -> Any:
        CALLED.append((asked, named))
        return {}

    monkeypatch.setattr(transformers, "clip", clip)
    return CALLED


MODULE, FUNCTION = CLIP.rsplit(".", 1)


@pytest.mark.parametrize(
    ("loader", "found"),
    [
        ("ListNode", "builtins.list"),
        ("TupleNode", "builtins.tuple"),
        ("DictNode", "builtins.dict"),
        ("NdArrayNode", "numpy.float64"),
        ("RandomStateNode", "numpy.random.mtrand.RandomState"),
        ("TypeNode", "builtins.str"),
    ],
)
def test_an_allowed_function_is_never_called_in_the_place_of_a_container(
    tmp_path: Path, spied: list[Any], loader: str, found: str
) -> None:
    """skops calls whatever trusted name a list is said to be, with what the file says is in it."""
    model = LogisticRegression(random_state=np.random.RandomState(1), C=np.float64(2.0))
    model.things = [("a", 1), {"b": 2}]
    save(tmp_path, fitted(model))
    assert loader in {node.loader for node in read_nodes(tmp_path / "model.skops")}
    change(tmp_path, found, MODULE, FUNCTION)
    refused(tmp_path, "is no plain skops file", frozenset({CLIP}))
    assert spied == []


@pytest.mark.parametrize(
    "loader",
    ["ConstructorFromReduceNode", "MethodNode", "OperatorFuncNode", "CachedNode", "NoNode"],
)
def test_other_ways_to_make_an_object(tmp_path: Path, spied: list[Any], loader: str) -> None:
    save(tmp_path, FunctionTransformer(np.log1p))
    made = {
        "__loader__": loader, "__module__": MODULE, "__class__": FUNCTION,
        "content": {"__loader__": "JsonNode", "__module__": "builtins", "__class__": "list",
                    "content": "[1]"},
    }  # fmt: skip

    def insert(state: Any) -> Any:
        state["content"]["content"]["func"] = made
        return state

    rewrite(tmp_path, insert)
    refused(tmp_path, "skops file", frozenset({CLIP}))
    assert spied == []


def test_the_types_of_keys_are_types(tmp_path: Path, spied: list[Any]) -> None:
    save(tmp_path, fitted(LogisticRegression()))
    function = {"__loader__": "FunctionNode", "__module__": MODULE, "__class__": FUNCTION}

    def insert(state: Any) -> Any:
        state["content"]["key_types"]["content"][0] = function
        return state

    rewrite(tmp_path, insert)
    refused(tmp_path, "whose keys are made by something else than types", frozenset({CLIP}))
    assert spied == []


def test_an_object_under_the_number_of_another_one(tmp_path: Path, spied: list[Any]) -> None:
    """skops takes what it made first under a number, whatever is written the second time."""
    save(tmp_path, fitted(LogisticRegression()))
    function = {"__loader__": "FunctionNode", "__module__": MODULE, "__class__": FUNCTION}
    functions = {
        "__loader__": "ListNode", "__module__": "builtins", "__class__": "list", "__id__": 1,
        "content": [function] * 9,
    }  # fmt: skip

    def insert(state: Any) -> Any:
        attributes = state["content"]
        inner = json.loads(json.dumps(attributes))
        inner["key_types"]["__id__"] = 1
        inner["__id__"] = 2
        attributes["content"] = {"first": functions, "second": inner}
        attributes["key_types"]["content"] = attributes["key_types"]["content"][:2]
        return state

    rewrite(tmp_path, insert)
    refused(tmp_path, "holds two objects under one number", frozenset({CLIP}))
    assert spied == []


def test_missing_values_of_a_dictionary_are_not_made_by_a_function(tmp_path: Path) -> None:
    from collections import defaultdict

    model = LogisticRegression()
    model.things = defaultdict(transformers.clip, a=1)
    refused(save(tmp_path, model), "missing values are made by", frozenset({CLIP}))
    model.things = defaultdict(int, a=1)
    inspect_weights(save(tmp_path, fitted(model)))


def test_a_partial_is_of_one_function_only(tmp_path: Path) -> None:
    model = FunctionTransformer(partial(transformers.clip, 1))
    refused(save(tmp_path, model), "which may call anything", frozenset({CLIP}))


def test_an_older_protocol_has_other_rules(tmp_path: Path) -> None:
    save(tmp_path, fitted(LogisticRegression()))
    for protocol in (0, 1, 3, None, "2"):
        rewrite(tmp_path, lambda state, protocol=protocol: state | {"protocol": protocol})
        refused(tmp_path, "protocol")


def test_classes_and_functions_are_not_exchanged(tmp_path: Path) -> None:
    save(tmp_path, FunctionTransformer(np.log1p))
    change(tmp_path, "numpy.log1p", "sklearn.utils._bunch", "Bunch")
    refused(tmp_path, "a class, as a function")


def test_places_are_named() -> None:
    model = make_pipeline(SelectKBest(), LogisticRegression(C=np.float64(1)))
    nodes = read_nodes(io.BytesIO(skops.io.dumps(model)))
    check_nodes(nodes)
    where = {node.name.rsplit(".", 1)[1]: node.where for node in nodes}
    assert where["Pipeline"] == "the model"
    assert where["SelectKBest"] == "Pipeline.steps"
    assert where["f_classif"] == "SelectKBest.score_func"
    assert where["float64"] == "LogisticRegression.C"
