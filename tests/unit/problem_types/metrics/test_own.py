"""A function of the project as a metric: what it must be, and errors that say so."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mlops_tasks.exceptions import EstimatorError, SpecError
from mlops_tasks.problem_types.metrics import find_metric, measure
from mlops_tasks.problem_types.outcomes import Outcomes


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("shop_metrics")
    monkeypatch.setitem(sys.modules, "shop_metrics", module)
    return module


def waste(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
    return float(np.average(np.maximum(y_pred - y_true, 0), weights=sample_weight))


ROWS = Outcomes(np.array([1.0, 2.0, 3.0, 8.0] * 10), np.array([2.0, 2.0, 1.0, 9.0] * 10))


def test_a_function_of_the_project_is_a_metric(project: ModuleType) -> None:
    def own(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        return waste(y_true, y_pred, sample_weight=sample_weight)

    own.greater_is_better, own.low = False, 0  # type: ignore[attr-defined]
    project.daily_waste = own  # type: ignore[attr-defined]
    metric = find_metric("shop_metrics:daily_waste", "regression")
    assert (metric.name, metric.title) == ("shop_metrics:daily_waste", "daily waste")
    assert (metric.greater_is_better, metric.low, metric.high) == (False, 0.0, np.inf)
    assert metric.value(ROWS) == 0.5
    found = measure(metric, ROWS)
    assert found.lower < 0.5 < found.upper


def test_it_must_say_which_way_is_better(project: ModuleType) -> None:
    project.waste = lambda y_true, y_pred, sample_weight: 0.0  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match=r"`waste.greater_is_better = True` \(or False\)"):
        find_metric("shop_metrics:waste", "regression")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:waste", "ModuleNotFoundError: No module named 'no_such_module'; name a"),
        ("shop_metrics:wast", "AttributeError: .*'wast'; name a function as"),
        ("shop_metrics:number", "cannot be called as"),
        ("shop_metrics:unweighted", "cannot be called as .*resamples are drawn by weights"),
    ],
)
def test_what_cannot_be_called_is_refused(project: ModuleType, name: str, said: str) -> None:
    project.number = 3  # type: ignore[attr-defined]
    project.unweighted = lambda y_true, y_pred: 0.0  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match=said):
        find_metric(name, "regression")


@pytest.mark.parametrize("bound", [True, "0", float("nan")])
def test_a_bound_is_a_number(project: ModuleType, bound: Any) -> None:
    def own(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        return 0.0

    own.greater_is_better, own.high = True, bound  # type: ignore[attr-defined]
    project.own = own  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match="its attribute 'high' is"):
        find_metric("shop_metrics:own", "regression")


@pytest.mark.parametrize(
    "wrong", [lambda: 1 / 0, lambda: "much", lambda: None], ids=["raises", "text", "None"]
)
def test_an_error_in_it_names_it_and_the_rows(project: ModuleType, wrong: Any) -> None:
    def own(y_true: Any, y_pred: Any, *, sample_weight: Any) -> Any:
        return wrong()

    own.greater_is_better = True  # type: ignore[attr-defined]
    project.own = own  # type: ignore[attr-defined]
    metric = find_metric("shop_metrics:own", "regression")
    with pytest.raises(EstimatorError, match=r"'shop_metrics:own' fails on 40 rows, .*\(40,\)"):
        metric.value(ROWS)


def test_where_it_is_nan_there_is_no_interval(project: ModuleType) -> None:
    def own(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        return float("nan")

    own.greater_is_better = True  # type: ignore[attr-defined]
    project.own = own  # type: ignore[attr-defined]
    found = measure(find_metric("shop_metrics:own", "regression"), ROWS)
    assert np.isnan([found.value, found.lower, found.upper]).all()


def test_memory_that_is_missing_is_no_error_of_the_project(project: ModuleType) -> None:
    def own(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        raise MemoryError

    own.greater_is_better = True  # type: ignore[attr-defined]
    project.own = own  # type: ignore[attr-defined]
    with pytest.raises(MemoryError):
        find_metric("shop_metrics:own", "regression").value(ROWS)
