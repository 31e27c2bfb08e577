"""Candidates, searches, embargo and split as they are written in a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import Duration
from mlops_tasks.specs import CandidateSpec, LabelSpec, SearchSpec
from mlops_tasks.specs.selection import Choice, Range
from tests.unit.orders import deliveries_dataset, project

if TYPE_CHECKING:
    from pathlib import Path

TWO = ({"params": {"trees__max_depth": 2}}, {"params": {"trees__max_depth": 3}})


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"params": {"trees__max_depth": 3, "trees__max_features": None}}, None),
        ({"estimator": "shop.model:forest"}, "forest"),
        ({"estimator": "shop.model:forest", "params": {"max_depth": 3}}, "forest, max_depth=3"),
        ({}, "as in the spec"),
        ({"name": "shallow", "params": {"max_depth": 3}}, "shallow"),
    ],
)
def test_a_candidate_is_named_by_what_it_differs_in(
    fields: dict[str, Any], name: str | None
) -> None:
    assert CandidateSpec(**fields).name == (name or "max_depth=3, max_features=None")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ((2, 8), Range(2, 8)),
        ((0.1, 1), Range(0.1, 1)),
        ((1e-4, 1.0, "log"), Range(1e-4, 1.0, log=True)),
        (["gini", None, 3, True], Choice(("gini", None, 3, True))),
    ],
)
def test_a_space_is_written_in_plain_words(written: Any, meant: Range | Choice) -> None:
    found = SearchSpec(space={"depth": written}).space
    assert found == {"depth": meant}
    assert isinstance(meant, Choice) or meant.whole == (meant.low == 2)


@pytest.mark.parametrize(
    "written",
    [
        (8, 2),
        (2, 2),
        (0.0, 1.0, "log"),
        (1, 2, "linear"),
        (True, 3),
        (1, float("inf")),
        ["gini"],
        [(1, 2), 3],
        "2 to 8",
        (1, 2, 3, 4),
        {"low": 1},
    ],
)
def test_what_is_no_range_is_refused(written: Any) -> None:
    with pytest.raises(SpecError, match=r"space: 'depth' must be a range \(2, 8\) or"):
        SearchSpec(space={"depth": written})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"candidates": TWO[:1]}, "candidates: a single one leaves nothing to choose"),
        ({"candidates": (TWO[0], TWO[0])}, r"candidates: \['max_depth=2'\] are there twice"),
        ({"candidates": TWO, "search": {"a": (1, 2)}}, "candidates and search are both given"),
        ({"search": {}}, "space: must name at least one parameter"),
        (
            {"search": {"space": {"a": (1, 2)}, "trials": 3}},
            r"trials: no such field; did you mean 'n_trials'",
        ),
        ({"search": {"space": {"a": (1, 2)}, "n_trials": 1}}, "n_trials: Input should be greater"),
        ({"search": {"space": {"a": (1, 2)}, "time_budget": "0h"}}, "longer than nothing"),
        ({"search": "nowhere"}, "must name a function"),
        (
            {"candidates": ({"params": {"a b": 1}}, TWO[0])},
            "params: 'a b' is no name of a parameter",
        ),
        (
            {"candidates": ({"params": {"a": [1]}}, TWO[0])},
            "params: 'a' must be a number, a text, a bool or None, not list",
        ),
        ({"split": "shuffled"}, "split: Input should be 'time' or 'random'"),
        ({"split": "random", "embargo": "2d"}, "embargo: 2d is a gap in time"),
    ],
)
def test_what_cannot_be_chosen_among_is_refused(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(SpecError, match=match):
        project(tmp_path, **changes)


def test_the_embargo_is_the_labels_delay_by_default(tmp_path: Path) -> None:
    label = LabelSpec(dataset=deliveries_dataset(tmp_path, delay="3d"), target="minutes_late > 10")
    fields = project(tmp_path).model_dump(include={"name"})
    spec = project(tmp_path, **fields, label=label)
    assert spec.embargo == Duration(0, "d"), "the project's own says that there is none"
    plain = {name: getattr(spec, name) for name in type(spec).model_fields if name != "embargo"}
    assert type(spec)(**plain).embargo == Duration(3, "d")
    assert type(spec)(**plain | {"split": "random"}).embargo == Duration(0, "d")
    assert not spec.selects
    assert project(tmp_path, search={"trees__max_depth": (2, 4)}).selects
