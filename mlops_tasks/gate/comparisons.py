"""A challenger beside the champion, or beside a floor: is it better, and is it no worse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.gate.criteria import ALARM, CANNOT_TELL, FINE, Criterion
from mlops_tasks.gate.holm import holm_levels
from mlops_tasks.problem_types.metrics.resampling import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Interval, Metric
    from mlops_tasks.problem_types.metrics.estimate import Estimate

__all__ = [
    "beside_champion",
    "beside_floor",
    "not_worse",
    "percent",
    "span",
    "undefined",
    "worse_words",
]


def beside_champion(plan: GatePlan, ours: Outcomes, rival: Outcomes) -> list[Criterion]:
    """Compare on the same rows: superiority first, then each metric that was not shown better."""
    finest = 1 - 2 * plan.level / len(plan.superiority)
    found = {
        metric.name: estimate(
            metric,
            ours,
            rival,
            confidence=finest if metric in plan.superiority else plan.gate.confidence,
            n_bootstrap=plan.gate.n_bootstrap,
            seed=plan.seed,
        )
        for metric in plan.metrics
    }
    better = list(_superiority(plan, found, len(ours)))
    shown = {one.name for one in better if one.answer == FINE}
    alone = len(plan.metrics) == 1
    rest = [metric for metric in plan.metrics if metric.name not in shown and not alone]
    return [
        *better,
        *(_non_inferiority(plan, metric, found[metric.name], rival, len(ours)) for metric in rest),
    ]


def _superiority(plan: GatePlan, found: dict[str, Estimate], n_rows: int) -> Iterable[Criterion]:
    levels = holm_levels([found[one.name].level(0.0) for one in plan.superiority], plan.level)
    for metric, level in zip(plan.superiority, levels, strict=True):
        confidence = 1 - 2 * level
        one = found[metric.name].interval(confidence)
        if math.isnan(one.value):
            yield undefined(metric, "superiority", n_rows)
            continue
        is_better = one.lower > 0
        yield Criterion(
            name=metric.name,
            kind="superiority",
            answer=FINE if is_better else ALARM,
            text=f"{_gain_words(metric.title, one.value)}, {span(one, confidence)}, "
            f"{'above' if is_better else 'not wholly above'} 0",
            value=one.value,
            lower=one.lower,
            upper=one.upper,
            margin=0.0,
            confidence=confidence,
            n_rows=n_rows,
        )


def _gain_words(title: str, gain: float) -> str:
    """Say which of the two is better: nobody should have to read a minus sign for it."""
    if gain < 0:
        return f"{title} worse than the champion's: gain {gain:+.4f}"
    return f"{title} better than the champion's by {gain:+.4f}"


def _non_inferiority(
    plan: GatePlan, metric: Metric, found: Estimate, rival: Outcomes, n_rows: int
) -> Criterion:
    one, failing = found.interval(plan.gate.confidence), plan.failing("non_inferiority")
    if math.isnan(one.value):
        return undefined(metric, "non_inferiority", n_rows, failing)
    margin = plan.margin(metric, rival)
    answer = not_worse(one, margin)
    return Criterion(
        name=metric.name,
        kind="non_inferiority",
        answer=answer,
        text=f"{worse_words(metric.title, answer, margin)}: gain {one.value:+.4f}, "
        f"{span(one, plan.gate.confidence)}",
        value=one.value,
        lower=one.lower,
        upper=one.upper,
        margin=-margin,
        confidence=plan.gate.confidence,
        failing=failing,
        n_rows=n_rows,
    )


def not_worse(gain: Interval, margin: float) -> str:
    """Answer whether an interval of what is gained shows a loss of at most, or of more than that.

    Rounded as draws are, so that the gap that is just allowed passes.
    """
    if round(gain.lower + margin, 12) >= 0:
        return FINE
    return ALARM if round(gain.upper + margin, 12) < 0 else CANNOT_TELL


def worse_words(title: str, answer: str, margin: float) -> str:
    """Say what `not_worse` has found."""
    return {
        FINE: f"{title} not worse by more than {margin:.4g}",
        ALARM: f"{title} worse by more than {margin:.4g}",
        CANNOT_TELL: f"too few rows to tell whether {title} is worse by more than {margin:.4g}",
    }[answer]


def beside_floor(plan: GatePlan, ours: Outcomes) -> list[Criterion]:
    """Hold a first model against the gate's floor, or against a constant."""
    metric, gate = plan.metric, plan.gate
    naive = plan.problem.naive(ours) if gate.min_value is None else None
    found = estimate(
        metric,
        ours,
        naive,
        confidence=gate.confidence,
        n_bootstrap=gate.n_bootstrap,
        seed=plan.seed,
    )
    one = found.interval(gate.confidence)
    if math.isnan(one.value):
        return [undefined(metric, "floor", len(ours))]
    floor, side = gate.min_value or 0.0, "above"
    if naive is None and not metric.greater_is_better:
        side = "below"
    is_better = one.lower > floor if side == "above" else one.upper < floor
    subject = f"{metric.title} {one.value:+.4f}"
    if naive is not None:
        subject = f"{metric.title} better than a constant's by {one.value:+.4f}"
    where = side if is_better else f"not wholly {side}"
    return [
        Criterion(
            name=metric.name,
            kind="floor",
            answer=FINE if is_better else ALARM,
            text=f"{subject}, {span(one, gate.confidence)}, {where} {floor:g}",
            value=one.value,
            lower=one.lower,
            upper=one.upper,
            margin=floor,
            confidence=gate.confidence,
            n_rows=len(ours),
        )
    ]


def undefined(metric: Metric, kind: str, n_rows: int, failing: str = "veto") -> Criterion:
    """Return the criterion of a metric that the rows do not define."""
    text = f"{metric.title} is not defined on these {n_rows} rows, it needs {metric.needs}"
    return Criterion(metric.name, kind, CANNOT_TELL, text, failing=failing, n_rows=n_rows)


def span(one: Interval, confidence: float) -> str:
    """Show an interval with its confidence."""
    return f"{percent(confidence)} interval {one.lower:+.4f} to {one.upper:+.4f}"


def percent(share: float) -> str:
    """Show a confidence with as many digits as it needs."""
    return f"{100 * share:.5g}%"
