"""Two classes: a target that is true or false, predicted by the probability of true."""

from mlops_tasks.problem_types.binary.problem import Binary

__all__ = ["Binary"]
