"""What differs between kinds of targets, one package each; nothing else branches on the kind."""

from mlops_tasks.problem_types.base import LABEL, TARGET, ProblemType
from mlops_tasks.problem_types.binary.problem import Binary
from mlops_tasks.problem_types.multiclass.problem import Multiclass
from mlops_tasks.problem_types.outcomes import Outcomes
from mlops_tasks.problem_types.regression.problem import Regression

__all__ = ["LABEL", "PROBLEM_TYPES", "TARGET", "Outcomes", "ProblemType", "problem_type"]

PROBLEM_TYPES: dict[str, ProblemType] = {
    one.name: one for one in (Binary(), Multiclass(), Regression())
}


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
    return PROBLEM_TYPES[name]
