"""What differs between kinds of targets, one package each; nothing else branches on the kind."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.base import LABEL, TARGET, ProblemType
from mlops_tasks.problem_types.costs import Costs
from mlops_tasks.problem_types.metrics import find_metric
from mlops_tasks.problem_types.outcomes import Outcomes

if TYPE_CHECKING:
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.specs import EstimatorSpec

__all__ = [
    "LABEL",
    "PROBLEM_TYPES",
    "TARGET",
    "Outcomes",
    "ProblemType",
    "gate_metric",
    "problem_type",
]


#: The names of all.
PROBLEM_TYPES = ("binary", "multiclass", "regression")


@cache
def problem_type(name: str) -> ProblemType:
    """Return the problem type that a spec names.

    Parameters
    ----------
    name : str
        ``binary``, ``multiclass`` or ``regression``.

    Returns
    -------
    ProblemType
        What every step asks about the kind of its target.

    Examples
    --------
    >>> problem_type("regression").metric
    'mae'
    """
    # Looked up late: they bring numpy, which the parsing of Dags must do without.
    from mlops_tasks.problem_types.binary.problem import Binary
    from mlops_tasks.problem_types.multiclass.problem import Multiclass
    from mlops_tasks.problem_types.regression.problem import Regression

    return next(one() for one in (Binary, Multiclass, Regression) if one.name == name)


def gate_metric(spec: EstimatorSpec) -> Metric:
    """Return the metric that the gate judges by, and monitoring after it.

    Parameters
    ----------
    spec : EstimatorSpec
        The model; of its problem type unless its gate names another.

    Returns
    -------
    Metric
        With the model's costs, if it is the expected cost.

    Raises
    ------
    SpecError
        If there is no such metric of the problem type, or the costs are none.
    """
    costs = None if spec.costs is None else Costs.of(spec.costs, spec.problem_type)
    name = spec.gate.metric or problem_type(spec.problem_type).metric
    return find_metric(name, spec.problem_type, costs)
