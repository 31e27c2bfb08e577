"""How the partitions there are become a training and an evaluation."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.features.training_windows import TrainingWindows, cut_windows
from mlops_tasks.partitions import Duration
from mlops_tasks.specs import LabelSpec
from tests.unit.orders import day, deliveries_dataset, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec


@pytest.fixture
def model(tmp_path: Path) -> ModelSpec:
    """Return a model that says nothing of an embargo: its labels come after three days."""
    label = LabelSpec(dataset=deliveries_dataset(tmp_path, delay="3d"), target="minutes_late > 10")
    whole = project(tmp_path / "project", label=label, train="10d", evaluation="2d")
    plain = {name: getattr(whole, name) for name in type(whole).model_fields if name != "embargo"}
    model = type(whole)(**plain)
    assert (model.embargo, "embargo" in model.model_fields_set) == (Duration(3, "d"), False)
    return model


def days(*numbers: int) -> list[str]:
    return [day(number) for number in numbers]


def test_the_embargo_lies_between_the_windows(
    model: ModelSpec, caplog: pytest.LogCaptureFixture
) -> None:
    found = cut_windows(model, days(*range(20)))
    assert found.train == tuple(days(*range(5, 15)))
    assert found.evaluation == tuple(days(18, 19))
    assert (str(found.embargo), found.missing, caplog.text) == ("3d", {}, "")


@pytest.mark.parametrize(
    ("n_days", "embargo", "n_trained"),
    [(8, "3d", 3), (7, "2d", 3), (6, "2d", 2), (5, "1d", 2), (4, "1d", 1), (3, "0d", 1)],
)
def test_by_default_it_takes_no_more_than_half_of_a_short_history(
    model: ModelSpec, caplog: pytest.LogCaptureFixture, n_days: int, embargo: str, n_trained: int
) -> None:
    with caplog.at_level(logging.WARNING):
        found = cut_windows(model, days(*range(n_days)))
    assert found.train == tuple(days(*range(n_trained)))
    assert found.evaluation == tuple(days(n_days - 2, n_days - 1))
    assert str(found.embargo) == embargo
    told = "the label's delay of 3 days, would take more than half of the history" in caplog.text
    assert told == (embargo != "3d")
    if told:
        assert f"{day(0)} to {day(n_days - 3)}; it is {found.embargo.words}" in caplog.text


def test_one_that_is_written_down_is_kept(model: ModelSpec, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"train": "10d", "evaluation": "2d"}
    asked = project(tmp_path / "asked", embargo="3d", **changes)
    assert cut_windows(asked, days(*range(5))).train == ()
    none = project(tmp_path / "none", embargo="0d", **changes)
    assert cut_windows(none, days(*range(5))).train == tuple(days(0, 1, 2))


def test_what_is_missing_is_not_made_up_for(model: ModelSpec) -> None:
    there = [number for number in range(20) if number not in (6, 14, 18)]
    found = cut_windows(model, days(*there))
    assert found.train == tuple(days(5, *range(7, 14)))
    assert found.evaluation == tuple(days(19))
    assert found.missing == {"train": tuple(days(6, 14)), "evaluation": tuple(days(18))}
    assert cut_windows(model, []) == TrainingWindows()
    assert cut_windows(model, days(0, 1)).train == ()
