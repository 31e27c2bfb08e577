"""Realised performance, once labels are there: the gate's metric, and calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.monitoring.results import Check
from mlops_tasks.problem_types import gate_metric, problem_type
from mlops_tasks.problem_types.calibration import calibration
from mlops_tasks.problem_types.metrics import Interval, measure

if TYPE_CHECKING:
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["CALIBRATION", "performance_checks"]

CALIBRATION = "calibration_gap"
#: Two-sided; one bound of it is asked for, at 95 %.
_METRIC_CONFIDENCE = 0.90
_GAP_CONFIDENCE = 0.99
_N_BOOTSTRAP = 200
_TINY = 1e-12


def performance_checks(
    spec: ModelSpec, outcomes: Outcomes, champion: RegisteredVersion
) -> tuple[Check, Check]:
    """Compare the gate's metric with its value at the gate, and predicted with observed targets.

    Both limits leave room for sampling error. That of the metric is the 95 % bound of `measure` on
    these rows, joined with the bound at the gate, where rows may have been few as well (Zou, Donner
    2008, Construction of confidence limits about effect measures: a general approach, Statistics in
    Medicine 27). That of the observed targets is their 99 % interval, over all classes, by which
    none or all rows of a class are no proof either.
    """
    problem, limits = problem_type(spec.problem_type), spec.performance
    metric = gate_metric(spec)
    if len(outcomes) < limits.min_rows:
        text = f"{len(outcomes)} labelled rows, fewer than {limits.min_rows}: too few rows to tell"
        return _unknown(metric.name, text), _unknown(CALIBRATION, text)
    gap = _gap_check(spec, outcomes)
    if few := problem.too_few(outcomes, limits.min_class_rows):
        text = (
            f"{few} labels: too few to tell {metric.title}, at least "
            f"{problem.least(limits.min_class_rows)} are needed"
        )
        return _unknown(metric.name, text), gap
    return _metric_check(spec, metric, outcomes, _at_gate(metric, champion)), gap


def _unknown(name: str, text: str) -> Check:
    return Check(name, None, 0.0, False, text)


def _at_gate(metric: Metric, version: RegisteredVersion) -> Interval | None:
    """Return what the gate measured; None for a version that passed no gate of ours."""
    value = version.metrics.get(metric.name)
    if value is None:
        return None
    bounds = (version.metrics.get(f"{metric.name}_{end}", value) for end in ("lower", "upper"))
    return Interval(value, *bounds)


def _metric_check(
    spec: ModelSpec, metric: Metric, outcomes: Outcomes, gate: Interval | None
) -> Check:
    if gate is None:
        text = (
            f"cannot tell: the gate has measured no {metric.title} of this version to compare with"
        )
        return _unknown(metric.name, text)
    found = measure(metric, outcomes, confidence=_METRIC_CONFIDENCE, n_bootstrap=_N_BOOTSTRAP)
    if math.isnan(found.value):
        text = f"{metric.title} is not defined on these {len(outcomes)} rows, nobody can tell; it "
        return _unknown(metric.name, f"{text}needs {metric.needs}")
    allowed = _allowed(spec, gate)
    if metric.greater_is_better:
        limit = (
            gate.value - allowed - math.hypot(found.upper - found.value, gate.value - gate.lower)
        )
        alarm, side = found.value < limit, "below"
    else:
        limit = (
            gate.value + allowed + math.hypot(found.value - found.lower, gate.upper - gate.value)
        )
        alarm, side = found.value > limit, "above"
    text = (
        f"{metric.title} {found.value:.4f} on {len(outcomes)} labelled rows, {gate.value:.4f} at "
        f"the gate; alarm {side} {limit:.4f}{problem_type(spec.problem_type).note(outcomes)}"
    )
    return Check(metric.name, round(found.value, 4), round(limit, 4), alarm, text)


def _allowed(spec: ModelSpec, gate: Interval) -> float:
    """Return by how much the metric may be worse than at the gate, in its own unit."""
    loss = spec.performance.max_loss
    if loss is None:
        loss = problem_type(spec.problem_type).max_loss
    if isinstance(loss, str):
        return float(loss.rstrip("%")) / 100 * abs(gate.value)
    return loss


def _gap_check(spec: ModelSpec, outcomes: Outcomes) -> Check:
    """Return the check of the class, or of the mean, whose gap is largest beside its limit."""
    parts = calibration(outcomes, confidence=_GAP_CONFIDENCE)
    checks = [_gap(spec, outcomes, *part) for part in parts]
    return max(checks, key=lambda one: (one.value or 0.0) / max(one.threshold, _TINY))


def _gap(
    spec: ModelSpec, outcomes: Outcomes, name: str, predicted: float, observed: Interval
) -> Check:
    limits, problem = spec.performance, problem_type(spec.problem_type)
    gap = abs(predicted - observed.value)
    over = predicted > observed.value
    noise = observed.upper - observed.value if over else observed.value - observed.lower
    share = limits.max_relative_gap or problem.max_relative_gap
    allowed = problem.allowed_gap(outcomes, observed.value, share, limits.max_calibration_gap)
    ceiling = allowed + noise
    text = (
        f"predicted {predicted:.4f}, observed {observed.value:.4f} {name} on {len(outcomes)} "
        f"labelled rows; alarm above a gap of {ceiling:.4f}"
    )
    return Check(CALIBRATION, round(gap, 4), round(ceiling, 4), gap > ceiling, text)
