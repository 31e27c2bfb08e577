"""Realised performance, once labels are there: the gate's metric, and calibration."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.monitoring.results import Check
from mlops_tasks.monitoring.windows import beyond, sight_of
from mlops_tasks.problem_types import gate_metric, problem_type
from mlops_tasks.problem_types.calibration import calibration
from mlops_tasks.problem_types.metrics import Interval, measure
from mlops_tasks.problem_types.shifts import shift_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.monitoring.windows import Sight
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "CALIBRATION",
    "FAR",
    "METRIC_LEVEL",
    "allowed_loss",
    "at_gate",
    "performance_checks",
    "usual_loss",
]

CALIBRATION = "calibration_gap"
#: Of the bound for the worse.
METRIC_LEVEL = 0.01
_N_BOOTSTRAP = 200
_TINY = 1e-12
#: A loss that is explained by chance and larger than what is allowed by this factor hides too much.
FAR = 2.0


def performance_checks(
    spec: ModelSpec,
    outcomes: Outcomes,
    champion: RegisteredVersion,
    *,
    day_sizes: Sequence[int] | None = None,
) -> tuple[Check, Check]:
    """Compare the gate's metric with its value at the gate, and predicted with observed targets.

    Each alarms where it is worse by more than is allowed *and* by more than chance and days explain
    at 1.5 % in six weeks; fine is only said where the rows would show the smallest change that
    matters, see `sight_of`. Chance is that of these rows and, of the metric, of those of the gate
    (Zou, Donner 2008, Construction of confidence limits about effect measures: a general approach,
    Statistics in Medicine 27). What days do by themselves is taken from the days of the champion's
    evaluation, see `Movement`. `day_sizes` are the rows of each day of the window.
    """
    problem, limits = problem_type(spec.problem_type), spec.performance
    metric, sight = gate_metric(spec), sight_of(spec, champion)
    sizes = [len(outcomes)] if day_sizes is None else day_sizes
    if sight.stricter(sizes) is None:
        text = _few_rows(sight, sizes)
        return _unknown(metric.name, text), _unknown(CALIBRATION, text)
    gap = _gap_check(spec, outcomes, sight, sizes)
    if few := problem.too_few(outcomes, limits.min_class_rows):
        text = (
            f"{few} labels: too few to tell {metric.title}, at least "
            f"{problem.least(limits.min_class_rows)} are needed"
        )
        return _unknown(metric.name, text), gap
    return _metric_check(spec, metric, outcomes, champion, sight, sizes), gap


def _few_rows(sight: Sight, sizes: Sequence[int]) -> str:
    n, needed = sum(sizes), sight.rows_needed(sizes)
    why = "" if sight.min_rows else f", which show {sight.words}"
    return f"{n} labelled rows, fewer than {needed}{why}: too few rows to tell"


def _unknown(name: str, text: str) -> Check:
    return Check(name, None, 0.0, False, text)


def at_gate(metric: Metric, version: RegisteredVersion) -> Interval | None:
    """Return what the gate measured; None for a version that passed no gate of ours."""
    value = version.metrics.get(metric.name)
    if value is None:
        return None
    bounds = (version.metrics.get(f"{metric.name}_{end}", value) for end in ("lower", "upper"))
    return Interval(value, *bounds)


def _metric_check(
    spec: ModelSpec,
    metric: Metric,
    outcomes: Outcomes,
    champion: RegisteredVersion,
    sight: Sight,
    sizes: Sequence[int],
) -> Check:
    gate = at_gate(metric, champion)
    if gate is None:
        text = (
            f"cannot tell: the gate has measured no {metric.title} of this version to compare with"
        )
        return _unknown(metric.name, text)
    rows = outcomes if sight.movement is None else replace(outcomes, days=None)
    found = measure(metric, rows, confidence=1 - 2 * METRIC_LEVEL, n_bootstrap=_N_BOOTSTRAP)
    if math.isnan(found.value):
        text = f"{metric.title} is not defined on these {len(outcomes)} rows, nobody can tell; it "
        return _unknown(metric.name, f"{text}needs {metric.needs}")
    allowed, better = allowed_loss(spec, gate), metric.greater_is_better
    ours = found.upper - found.value if better else found.value - found.lower
    theirs = gate.value - gate.lower if better else gate.upper - gate.value
    if sight.movement is not None:  # both at the level that a window of this length has
        needed = sight.beyond_chance(sizes, sides=1)
        ours *= needed / beyond(METRIC_LEVEL)
        theirs *= needed / beyond((1 - spec.gate.confidence) / 2)
    chance = math.hypot(ours, theirs, _of_days(metric, champion, sight, sizes))
    limit = gate.value + (-1 if better else 1) * max(allowed, chance)
    alarm = found.value < limit if better else found.value > limit
    side = "below" if better else "above"
    text = (
        f"{metric.title} {found.value:.4f} on {len(outcomes)} labelled rows, {gate.value:.4f} at "
        f"the gate; alarm {side} {limit:.4f}{problem_type(spec.problem_type).note(outcomes)}"
    )
    if not alarm and not sight.min_rows and chance > FAR * (allowed or usual_loss(spec, gate)):
        text += (
            f": too few rows to tell, {max(allowed, chance):.4f} is what chance and days explain"
        )
        check = _unknown(metric.name, text)
    else:
        check = Check(metric.name, round(found.value, 4), round(limit, 4), alarm, text)
    return replace(check, lower=round(found.lower, 4), upper=round(found.upper, 4))


def _of_days(
    metric: Metric, champion: RegisteredVersion, sight: Sight, sizes: Sequence[int]
) -> float:
    """Return by how much the metric of a window is worse at most, for what its days have done."""
    day = champion.metrics.get(f"{metric.name}_of_day", 0.0)
    if sight.movement is None or not day:
        return 0.0
    needed = sight.beyond_chance(sizes, sides=1)
    return needed * replace(sight.movement, day=day).of_days(sizes)


def allowed_loss(spec: ModelSpec, gate: Interval) -> float:
    """Return by how much the metric may be worse than at the gate, in its own unit."""
    loss = spec.performance.max_loss
    return usual_loss(spec, gate) if loss is None else _in_unit(loss, gate)


def usual_loss(spec: ModelSpec, gate: Interval) -> float:
    """Return by how much it may be worse where the spec does not say."""
    return _in_unit(problem_type(spec.problem_type).max_loss, gate)


def _in_unit(loss: float | str, gate: Interval) -> float:
    if isinstance(loss, str):
        return float(loss.rstrip("%")) / 100 * abs(gate.value)
    return loss


def _gap_check(spec: ModelSpec, outcomes: Outcomes, sight: Sight, sizes: Sequence[int]) -> Check:
    """Return the check of the class, or of the mean, whose gap is largest beside its limit."""
    known = sight.movement
    rows = outcomes if known is None else replace(outcomes, days=None)
    parts = calibration(rows, confidence=1 - sight.level(sizes), at_their_word=known is not None)
    days = [0.0] * len(parts)
    if known is not None:
        of_days = sight.beyond_chance(sizes) * known.of_days(sizes)
        days = list(of_days * shift_scale(outcomes))
    stricter = sight.stricter(sizes) or 1.0
    checks = [
        _gap(spec, outcomes, *part, of_days=float(one), stricter=stricter)
        for part, one in zip(parts, days, strict=True)
    ]
    worst = max(checks, key=lambda one: (one.value or 0.0) / max(one.threshold, _TINY))
    if worst.alarm or sight.enough(sizes):
        return worst
    return _unknown(CALIBRATION, f"{_few_rows(sight, sizes)}; {worst.text}")


def _gap(
    spec: ModelSpec,
    outcomes: Outcomes,
    name: str,
    predicted: float,
    observed: Interval,
    *,
    of_days: float,
    stricter: float,
) -> Check:
    limits, problem = spec.performance, problem_type(spec.problem_type)
    gap = abs(predicted - observed.value)
    over = predicted > observed.value
    noise = observed.upper - observed.value if over else observed.value - observed.lower
    share = limits.max_relative_gap or problem.max_relative_gap
    allowed = problem.allowed_gap(outcomes, observed.value, share, limits.max_calibration_gap)
    ceiling = max(allowed, stricter * math.hypot(noise, of_days))
    text = (
        f"predicted {predicted:.4f}, observed {observed.value:.4f} {name} on {len(outcomes)} "
        f"labelled rows; alarm above a gap of {ceiling:.4f}"
    )
    return Check(CALIBRATION, round(gap, 4), round(ceiling, 4), gap > ceiling, text)
