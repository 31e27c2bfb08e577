"""The gate and what monitoring compares: metrics, limits, costs and threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, FINE, CheckResult
from mlops_tasks.gate import GatePlan
from mlops_tasks.gate.groups import find_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.specs import ModelSpec

__all__ = ["check_gate"]


def check_gate(look: Sample) -> Iterator[CheckResult]:
    """Look for limits that no model can pass, or none can break."""
    spec = look.spec
    try:
        plan = GatePlan.of(spec)
        metric = plan.metric
    except Exception as error:
        yield refused(look, "gate", "gate.metric and costs", error)
        return
    found = [*_wrong(spec, metric), *_slices(look, plan)]
    yield from found
    if not found:
        text = f"{metric.title}, {'more' if metric.greater_is_better else 'less'} is better"
        yield CheckResult("gate", "gate.metric", FINE, text)


def _wrong(spec: ModelSpec, metric: Metric) -> Iterator[CheckResult]:
    floor = spec.gate.min_value
    best = metric.high if metric.greater_is_better else metric.low
    if floor is not None and not _is_better(metric, best, floor):
        yield CheckResult(
            "gate",
            "gate.min_value",
            ALARM,
            f"a first champion must be better than {floor:g}, and {metric.title} goes from "
            f"{metric.low:g} to {metric.high:g}",
            "choose a value inside of that range",
        )
    loss, span = spec.performance.max_loss, metric.high - metric.low
    if isinstance(loss, float | int) and math.isfinite(span) and loss >= span:
        yield CheckResult(
            "gate",
            "performance.max_loss",
            ALARM,
            f"{metric.title} cannot be worse by {loss:g}, its range is {span:g}: no alarm ever",
            "choose a smaller loss",
        )
    if spec.costs is not None and not metric.of_decisions and metric.name != "expected_cost":
        text = f"costs are not part of {metric.title}; for that take metric='expected_cost'"
        yield CheckResult("gate", "costs", FINE, text)
    if spec.threshold != type(spec).model_fields["threshold"].default and (
        spec.problem_type != "binary"
    ):
        yield CheckResult(
            "gate",
            "threshold",
            ALARM,
            f"a {spec.problem_type} model has no threshold",
            "leave it out: classes are decided by the largest probability or the least cost",
        )
    n_columns = len(spec.categorical) + len(spec.numeric) + 2 * len(spec.text) + 1
    if spec.retrain.min_drifted > n_columns:
        yield CheckResult(
            "gate",
            "retrain.min_drifted",
            ALARM,
            f"{spec.retrain.min_drifted} columns at once make a cause, and only {n_columns} are "
            "compared: drift would never be one",
            f"choose at most {n_columns}",
        )


def _slices(look: Sample, plan: GatePlan) -> Iterator[CheckResult]:
    """Look for slices that are none, and for fairness of fewer than two groups."""
    try:
        groups = find_groups(look.spec, look.features) if plan.gate.slices else []
    except Exception as error:
        yield refused(look, "gate", "gate.slices", error)
        return
    for one in groups:
        if one.name in plan.gate.fairness and len(one.labels) + one.left_out < 2:
            yield CheckResult(
                "gate",
                f"gate.fairness {one.name}",
                ALARM,
                f"the newest rows have {len(one.labels) + one.left_out} group of {one.name!r}, and "
                "two are needed: the gate could never tell",
                "choose a slice with groups, or leave the limit out",
            )


def _is_better(metric: Metric, value: float, than: float) -> bool:
    return value > than if metric.greater_is_better else value < than
