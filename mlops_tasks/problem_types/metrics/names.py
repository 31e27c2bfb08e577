"""Metrics by the names that a spec gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.problem_types.metrics.binary import BINARY
from mlops_tasks.problem_types.metrics.expected_cost import EXPECTED_COST, expected_cost
from mlops_tasks.problem_types.metrics.multiclass import MULTICLASS
from mlops_tasks.problem_types.metrics.own import own_metric
from mlops_tasks.problem_types.metrics.regression import REGRESSION
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from mlops_tasks.problem_types.costs import Costs
    from mlops_tasks.problem_types.metrics.metric import Metric

__all__ = ["find_metric", "metric_names"]

_CATALOGUES = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}


def find_metric(name: str, problem_type: str, costs: Costs | None = None) -> Metric:
    """Return the metric of a name.

    Parameters
    ----------
    name : str
        One of `metric_names`, with a number or a class where they have one (``"f0.5"``,
        ``"recall[billing]"``), or a function of the project, ``"package.module:function"``.
    problem_type : str
        ``"binary"``, ``"multiclass"`` or ``"regression"``.
    costs : Costs, optional
        What mistakes cost, for ``"expected_cost"``.

    Returns
    -------
    Metric
        Ready to be measured.

    Raises
    ------
    SpecError
        If there is no such metric of the problem type; the message names those there are. If it
        is the expected cost and there are no costs.

    Examples
    --------
    >>> find_metric("recall_at_precision_0.9", "binary").title
    'recall at a precision of 0.9'
    """
    if ":" in name:
        return own_metric(name, problem_type)
    if name == EXPECTED_COST and problem_type != "regression":
        return expected_cost(problem_type, costs)
    if metric := _CATALOGUES[problem_type].find(name):
        return metric
    elsewhere = [kind for kind, catalogue in _CATALOGUES.items() if catalogue.find(name)]
    where = f" (it is one of {' and '.join(elsewhere)})" if elsewhere else ""
    raise SpecError(
        f"{name!r} is no metric of {problem_type}{where}; "
        f"{did_you_mean(name, metric_names(problem_type))}, or a function of your own, "
        "'package.module:function'"
    )


def metric_names(problem_type: str) -> list[str]:
    """Return the names of the metrics of a problem type.

    Parameters
    ----------
    problem_type : str
        ``"binary"``, ``"multiclass"`` or ``"regression"``.

    Returns
    -------
    list of str
        Names; what is in angle brackets stands for a number or a class.

    Examples
    --------
    >>> metric_names("regression")[:3]
    ['mae', 'rmse', 'mape']
    """
    names = _CATALOGUES[problem_type].names
    return names if problem_type == "regression" else [*names, EXPECTED_COST]
