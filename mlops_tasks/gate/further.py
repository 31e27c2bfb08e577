"""All that is asked beside the comparison of whole windows: slices, fairness, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.gate.fairness import fairness_criteria
from mlops_tasks.gate.limits import calibration_criterion, overfit_criterion
from mlops_tasks.gate.slices import slice_criteria

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.gate.criteria import Criterion
    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.gate.slices import Groups
    from mlops_tasks.problem_types import Outcomes

__all__ = ["further_criteria"]


def further_criteria(
    plan: GatePlan,
    groups: Sequence[Groups],
    ours: Outcomes,
    rival: Outcomes | None,
    *,
    training: Outcomes | None = None,
) -> list[Criterion]:
    """Ask what the spec asks beside the metrics of all rows.

    Parameters
    ----------
    plan : GatePlan
        The model's gate.
    groups : sequence of Groups
        Its slices, from `find_groups`.
    ours, rival : Outcomes
        Of the challenger and of the champion; without one, slices cannot be worse.
    training : Outcomes, optional
        Of the challenger on its training window, if ``max_overfit_gap`` is set.

    Returns
    -------
    list of Criterion
        Slices, fairness, calibration, overfit gap.
    """
    gate, found = plan.gate, []
    if rival is not None:
        found += slice_criteria(plan, groups, ours, rival)
    found += fairness_criteria(plan, groups, ours)
    if gate.max_calibration_error is not None:
        found.append(calibration_criterion(plan, ours, gate.max_calibration_error))
    if training is not None:
        found.append(overfit_criterion(plan, training, ours))
    return found
