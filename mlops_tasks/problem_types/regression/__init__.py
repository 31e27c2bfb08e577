"""A number: a target that is measured or counted, predicted by a number."""

from mlops_tasks.problem_types.regression.problem import Regression

__all__ = ["Regression"]
