"""What decisions cost on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.problem_types.costs import costs_of_rows
from mlops_tasks.problem_types.metrics.means import BoundedMean
from mlops_tasks.problem_types.metrics.metric import Metric

if TYPE_CHECKING:
    from mlops_tasks.problem_types.costs import Costs
    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

__all__ = ["EXPECTED_COST", "expected_cost"]

EXPECTED_COST = "expected_cost"


def expected_cost(problem_type: str, costs: Costs | None) -> Metric:
    """Return the metric of these costs."""
    if costs is None:
        raise SpecError(
            f"{EXPECTED_COST!r} needs costs, and the spec has none: add them, as "
            'costs={"false_alarm": 1, "miss": 20}'
        )

    def prepare(outcomes: Outcomes) -> Statistic:
        return BoundedMean(costs_of_rows(outcomes, costs), costs.low, costs.high)

    return Metric(
        EXPECTED_COST,
        problem_type,
        "expected cost",
        prepare,
        greater_is_better=False,
        low=costs.low,
        high=costs.high,
        of_decisions=problem_type == "binary",
    )
