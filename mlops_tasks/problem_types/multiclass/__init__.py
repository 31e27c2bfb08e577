"""Several classes: a target that names one, predicted by one probability for each."""

from mlops_tasks.problem_types.multiclass.problem import Multiclass

__all__ = ["Multiclass"]
