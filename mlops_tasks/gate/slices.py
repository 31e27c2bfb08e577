"""Groups of rows, and whether a challenger is shown to be worse in one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.gate.comparisons import not_worse, span, undefined, worse_words
from mlops_tasks.gate.criteria import ALARM, CANNOT_TELL, FINE, Criterion
from mlops_tasks.gate.holm import holm_levels
from mlops_tasks.problem_types.metrics.resampling import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.problem_types.metrics.estimate import Estimate

    Codes = npt.NDArray[np.int64]

__all__ = ["Groups", "of_rows", "slice_criteria"]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The groups of one slice that are large enough to be judged.

    Attributes
    ----------
    name : str
        Of the slice.
    labels : tuple of str
        Of the groups, the largest first.
    codes : array of shape (n_samples,)
        Group of each row, from 0; -1 where it is in none.
    left_out : int
        Groups that are too small, or too many.
    """

    name: str
    labels: tuple[str, ...]
    codes: Codes
    left_out: int = 0

    @property
    def values(self) -> npt.NDArray[np.object_]:
        """The label of each row; None where it is in no group."""
        import numpy as np

        return np.array([*self.labels, None], dtype=object)[self.codes]

    def rows(self, label: str) -> Codes:
        """Return the rows of one group."""
        import numpy as np

        return np.flatnonzero(self.codes == self.labels.index(label))


def of_rows(outcomes: Outcomes, rows: Codes) -> Outcomes:
    """Return some of the rows."""
    return replace(
        outcomes,
        y_true=outcomes.y_true[rows],
        y_pred=outcomes.y_pred[rows],
        days=None if outcomes.days is None else outcomes.days[rows],
        weights=None if outcomes.weights is None else outcomes.weights[rows],
    )


def slice_criteria(
    plan: GatePlan, slices: Sequence[Groups], ours: Outcomes, rival: Outcomes
) -> list[Criterion]:
    """Look for harm in each group and metric, at one level over all of them (Holm).

    Parameters
    ----------
    plan : GatePlan
        With the margins.
    slices : sequence of Groups
        The groups.
    ours, rival : Outcomes
        Of the challenger and of the champion.

    Returns
    -------
    list of Criterion
        An alarm where the challenger is shown to be worse by more than the margin. That is the only
        thing that counts: of a small group nobody can tell, mostly.
    """
    asked = [one for one in _asked(plan, slices, ours, rival)]
    judged = [one for one in asked if not math.isnan(one.found.value)]
    first = [one.found.flipped().level(one.margin) for one in judged]
    # Resamples that reach the level of all together are drawn only where there may be harm.
    finest = 1 - 2 * plan.level / max(len(judged), 1)
    for place, one in enumerate(judged):
        if first[place] < plan.level:
            one.found = _estimate(plan, one, ours, rival, finest)
            first[place] = one.found.flipped().level(one.margin)
    for one, level in zip(judged, holm_levels(first, plan.level), strict=True):
        one.confidence = 1 - 2 * level
    return [_criterion(plan, one) for one in asked]


@dataclass(slots=True)
class _Asked:
    metric: Metric
    group: str
    rows: Codes
    margin: float
    found: Estimate
    confidence: float


def _asked(
    plan: GatePlan, slices: Sequence[Groups], ours: Outcomes, rival: Outcomes
) -> Iterable[_Asked]:
    for groups in slices:
        for label in groups.labels:
            rows = groups.rows(label)
            mine, theirs = of_rows(ours, rows), of_rows(rival, rows)
            for metric in plan.metrics:
                found = estimate(metric, mine, theirs, **_how(plan, plan.gate.confidence))
                margin = plan.margin(metric, theirs)
                name = f"{groups.name}={label}"
                yield _Asked(metric, name, rows, margin, found, plan.gate.confidence)


def _estimate(
    plan: GatePlan, one: _Asked, ours: Outcomes, rival: Outcomes, confidence: float
) -> Estimate:
    mine, theirs = of_rows(ours, one.rows), of_rows(rival, one.rows)
    return estimate(one.metric, mine, theirs, **_how(plan, confidence))


def _how(plan: GatePlan, confidence: float) -> dict[str, Any]:
    return {"confidence": confidence, "n_bootstrap": plan.gate.n_bootstrap, "seed": plan.seed}


def _criterion(plan: GatePlan, one: _Asked) -> Criterion:
    name, n_rows = f"{one.metric.name} in {one.group}", len(one.rows)
    gain, failing = one.found.interval(one.confidence), plan.failing("slice")
    if math.isnan(gain.value):
        missing = undefined(one.metric, "slice", n_rows, failing)
        return replace(missing, name=name, text=f"{one.group}: {missing.text}")
    answer = not_worse(gain, one.margin)
    title = f"{one.metric.title} in {one.group}"
    words = {
        FINE: worse_words(title, FINE, one.margin),
        ALARM: worse_words(title, ALARM, one.margin),
        CANNOT_TELL: f"{title} not shown to be worse by more than {one.margin:.4g}",
    }[answer]
    return Criterion(
        name=name,
        kind="slice",
        answer=answer,
        text=f"{words}: {gain.value:+.4f}, {span(gain, one.confidence)}, {n_rows} rows",
        value=gain.value,
        lower=gain.lower,
        upper=gain.upper,
        margin=-one.margin,
        confidence=one.confidence,
        failing=failing,
        n_rows=n_rows,
    )
