"""The benchmark of what can be brought, on few rows: that it measures, not what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._authoring import grains, problem_types
from benchmarks._authoring.shortened import MODELS, write_projects

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_step_of_each_problem_type_is_held_against_two_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(problem_types, "QUICK_ROWS", 400)
    monkeypatch.setattr(problem_types, "QUICK_PASSES", 1)
    found = problem_types.measure(quick=True)
    head, *rows = found.tables["Processor seconds of each step"]
    assert list(head) == ["step", "binary", "multiclass", "regression"]
    steps = [row[0] for row in rows]
    assert {"pin", "train", "evaluate", "score", "drift", "performance", "labels"} <= set(steps)
    assert [one.what for one in found.figures] == [
        f"{step}, {name}" for name in ("50 classes", "a number") for step in steps
    ]
    assert all(one.required == "under 1.3" for one in found.figures)
    assert all(one.value for one in found.figures)


def test_hours_are_held_against_days_and_the_last_against_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grains, "QUICK_N", 6)
    found = grains.measure(quick=True)
    clock, _, ratio, hourly, daily = found.figures
    assert clock.peer == "daily"
    assert clock.value
    assert clock.peer_value
    assert ratio.required == hourly.required == daily.required == "under 1.3"
    ((head, *rows),) = found.tables.values()
    assert list(head[1:]) == ["hour, first 2", "hour, last 2", "day, first 2", "day, last 2"]
    assert len(rows) == 7


def test_the_projects_that_are_mutated_are_cut_down_from_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DEMAND", "TICKETS", "MACHINES"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}_SOURCE", "")
    assert write_projects(tmp_path).keys() == MODELS.keys()
    for name, one in MODELS.items():
        there = [file for file in one.files if (tmp_path / "dags" / file).is_file()]
        assert f"{name}/spec.py" in there
