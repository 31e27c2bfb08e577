"""A metric: what it is called, which way is better, what it needs and how it is calculated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a problem type.

    Attributes
    ----------
    name, problem_type : str
        As written in a spec.
    title : str
        As people say it.
    prepare : callable
        Takes `Outcomes`, returns the `Statistic`, None where it is not defined.
    greater_is_better : bool, default True
        The direction. Bias is best at 0: `compare` takes its distance from 0.
    low, high : float, default 0 and 1
        The range; infinite where there is no bound.
    needs : str
        What the rows must have for it to be defined; empty where one row will do.
    of_decisions : bool, default False
        Whether it judges decided classes, and so depends on the threshold.
    """

    name: str
    problem_type: str
    title: str
    prepare: Callable[[Outcomes], Statistic | None] = field(repr=False)
    greater_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    needs: str = ""
    of_decisions: bool = False

    def value(self, outcomes: Outcomes, weights: npt.NDArray[np.float64] | None = None) -> float:
        """Calculate it on some rows; NaN where it is not defined, see `needs`."""
        statistic = self.prepare(outcomes) if len(outcomes) else None
        if statistic is None:
            return math.nan
        return statistic.seen(outcomes.sample_weights if weights is None else weights)
