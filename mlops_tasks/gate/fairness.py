"""Whether groups of people are treated alike: differences between groups, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mlops_tasks.gate.comparisons import percent
from mlops_tasks.gate.criteria import ALARM, CANNOT_TELL, FINE, Criterion
from mlops_tasks.gate.slices import of_rows
from mlops_tasks.problem_types.metrics import Interval, Metric, find_metric, measure
from mlops_tasks.problem_types.metrics.means import BoundedMean
from mlops_tasks.problem_types.metrics.row_values import hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.gate.slices import Groups
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics.statistic import Statistic

__all__ = ["fairness_criteria", "within"]

_TITLES = {
    "equalized_odds_difference": "equalised odds difference",
    "demographic_parity_difference": "demographic parity difference",
    "error_gap": "gap of the mean error",
}


def fairness_criteria(plan: GatePlan, slices: Sequence[Groups], ours: Outcomes) -> list[Criterion]:
    """Hold the differences between groups against the limits of the spec.

    Parameters
    ----------
    plan : GatePlan
        With the limits.
    slices : sequence of Groups
        The groups of each slice that has limits.
    ours : Outcomes
        Of the challenger.

    Returns
    -------
    list of Criterion
        One for each limit.

    Notes
    -----
    Values are those of fairlearn. Each rate of each group (of true ones found, of false ones taken
    for true, of all that are decided to be true, or a mean error) has an interval, all of one
    limit together of the stated confidence (Bonferroni), and the difference lies between the
    largest lower and the smallest upper bound on the one side, and the largest upper and the
    smallest lower one on the other.

    References
    ----------
    Hardt, Price, Srebro (2016), Equality of opportunity in supervised learning, NeurIPS.
    Weerts et al. (2023), Fairlearn: assessing and improving fairness of AI systems, JMLR 24.
    """
    known = {groups.name: groups for groups in slices}
    return [
        _criterion(plan, known[name], ours, limit, most)
        for name, limits in plan.gate.fairness.items()
        for limit, most in limits.items()
    ]


def within(interval: Interval, most: float) -> str:
    """Answer whether a whole interval lies within a limit, or wholly beyond it."""
    if interval.upper <= most:
        return FINE
    return ALARM if interval.lower > most else CANNOT_TELL


def _criterion(
    plan: GatePlan, groups: Groups, ours: Outcomes, limit: str, most: float
) -> Criterion:
    name, title = f"{limit} of {groups.name}", f"{_TITLES[limit]} of {groups.name}"
    failing, confidence = plan.failing("fairness"), plan.gate.confidence
    if len(groups.labels) < 2:
        text = (
            f"{title}: {len(groups.labels)} group of at least {plan.gate.min_slice_rows} rows, and "
            "two are needed"
        )
        return Criterion(name, "fairness", CANNOT_TELL, text, margin=most, failing=failing)
    found = _difference(plan, groups, ours, limit)
    answer = CANNOT_TELL if math.isnan(found.upper) else within(found, most)
    words = {FINE: "within", ALARM: "above", CANNOT_TELL: "too few rows to tell whether within"}
    more = f"; {groups.left_out} smaller groups not judged" if groups.left_out else ""
    return Criterion(
        name=name,
        kind="fairness",
        answer=answer,
        text=f"{title} {found.value:.4f}, {percent(confidence)} interval {found.lower:.4f} to "
        f"{found.upper:.4f}, {words[answer]} {most:g}{more}",
        value=_plain(found.value),
        lower=_plain(found.lower),
        upper=_plain(found.upper),
        margin=most,
        confidence=confidence,
        failing=failing,
        n_rows=int((groups.codes >= 0).sum()),
    )


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


class _Rate(NamedTuple):
    """A mean over some rows, those with a true class or all, that groups are compared by."""

    metric: Metric
    label: int | None


def _difference(plan: GatePlan, groups: Groups, ours: Outcomes, limit: str) -> Interval:
    rates = _rates(plan, limit)
    level = (1 - plan.gate.confidence) / (len(rates) * len(groups.labels))
    spans = [
        _spread(
            [
                measure(
                    rate.metric,
                    of_rows(ours, _rows(groups, label, ours, rate.label)),
                    confidence=1 - level,
                    n_bootstrap=plan.gate.n_bootstrap,
                    seed=plan.seed,
                )
                for label in groups.labels
            ]
        )
        for rate in rates
    ]
    if any(math.isnan(one.value) for one in spans):
        return Interval(math.nan, math.nan, math.nan)
    lower, upper = max(one.lower for one in spans), max(one.upper for one in spans)
    return Interval(_value(groups, ours, limit), lower, upper)


def _rows(groups: Groups, label: str, ours: Outcomes, true: int | None) -> npt.NDArray[np.int64]:
    rows = groups.rows(label)
    return rows if true is None else rows[ours.y_true[rows] == true]


def _spread(found: Sequence[Interval]) -> Interval:
    if any(math.isnan(one.value) for one in found):
        return Interval(math.nan, math.nan, math.nan)
    values = [one.value for one in found]
    apart = max(one.lower for one in found) - min(one.upper for one in found)
    return Interval(
        max(values) - min(values),
        max(apart, 0.0),
        max(one.upper for one in found) - min(one.lower for one in found),
    )


def _rates(plan: GatePlan, limit: str) -> list[_Rate]:
    kind = plan.problem.name
    if limit == "error_gap":
        error = find_metric("mae", kind) if kind == "regression" else _mean("error", kind, _wrong)
        return [_Rate(error, None)]
    chosen = _mean("selection", kind, _selected)
    if limit == "demographic_parity_difference":
        return [_Rate(chosen, None)]
    return [_Rate(chosen, 1), _Rate(chosen, 0)]


def _mean(name: str, kind: str, prepare: object) -> Metric:
    return Metric(name, kind, name, prepare)  # type: ignore[arg-type]


def _wrong(outcomes: Outcomes) -> Statistic:
    return BoundedMean(1.0 - hits(outcomes), 0.0, 1.0)


def _selected(outcomes: Outcomes) -> Statistic:
    return BoundedMean(outcomes.decided.astype("float64"), 0.0, 1.0)


def _value(groups: Groups, ours: Outcomes, limit: str) -> float:
    """Return the difference as fairlearn has it."""
    import numpy as np
    from fairlearn.metrics import (
        MetricFrame,
        demographic_parity_difference,
        equalized_odds_difference,
    )

    rows = np.flatnonzero(groups.codes >= 0)
    known, codes = of_rows(ours, rows), groups.codes[rows]
    if limit == "error_gap":
        is_number = known.y_pred.ndim == 1 and not known.classes and known.y_true.dtype.kind == "f"
        errors = np.abs(known.y_pred - known.y_true) if is_number else known.decided != known.y_true
        frame = MetricFrame(
            metrics=lambda _, wrong: float(np.mean(wrong)),
            y_true=errors,
            y_pred=errors,
            sensitive_features=codes,
        )
        return float(frame.difference())
    function = {
        "equalized_odds_difference": equalized_odds_difference,
        "demographic_parity_difference": demographic_parity_difference,
    }[limit]
    return float(function(known.y_true, known.decided, sensitive_features=codes))
