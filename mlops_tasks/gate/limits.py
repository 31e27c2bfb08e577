"""Limits of the challenger itself: its calibration, and how much it has learnt by heart."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.gate.comparisons import percent, undefined
from mlops_tasks.gate.criteria import ALARM, CANNOT_TELL, FINE, Criterion
from mlops_tasks.gate.fairness import within
from mlops_tasks.gate.slices import of_rows
from mlops_tasks.problem_types.calibration import calibration
from mlops_tasks.problem_types.metrics import Interval, measure

if TYPE_CHECKING:
    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.problem_types import Outcomes

__all__ = ["calibration_criterion", "expected_calibration_error", "overfit_criterion"]

_N_BINS = 10
_WORDS = {FINE: "within", ALARM: "above", CANNOT_TELL: "too few rows to tell whether within"}


def calibration_criterion(plan: GatePlan, ours: Outcomes, most: float) -> Criterion:
    """Hold the expected calibration error against its limit."""
    confidence = plan.gate.confidence
    found = expected_calibration_error(ours, confidence=confidence)
    answer = within(found, most)
    return Criterion(
        name="expected_calibration_error",
        kind="calibration",
        answer=answer,
        text=f"expected calibration error {_shown(found, confidence)}, {_WORDS[answer]} {most:g}",
        value=found.value,
        lower=found.lower,
        upper=found.upper if math.isfinite(found.upper) else None,
        margin=most,
        confidence=confidence,
        failing=plan.failing("calibration"),
        n_rows=len(ours),
    )


def expected_calibration_error(outcomes: Outcomes, *, confidence: float) -> Interval:
    """Return the mean distance of prediction and observation over ten bins, with its interval.

    Parameters
    ----------
    outcomes : Outcomes
        The rows. Of several classes the likeliest one counts: its probability, and whether it is
        right.
    confidence : float
        Of the interval.

    Returns
    -------
    Interval
        In the unit of the prediction. As noise makes distances and no negative ones, the value is
        too high on few rows; the interval is right for them.

    Notes
    -----
    Bins have the same number of rows, by the prediction. Each has the interval of `calibration` at
    ``1 - (1 - confidence) / 10``, so all ten hold together (Bonferroni), and the bounds are the
    means of the least and of the largest distances that they allow.

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian
    binning, AAAI.
    """
    import numpy as np

    rows = outcomes
    if outcomes.y_pred.ndim == 2:
        right = (outcomes.decided == outcomes.y_true).astype(np.int64)
        rows = replace(outcomes, y_true=right, y_pred=outcomes.y_pred.max(axis=1), classes=())
    order = np.argsort(rows.y_pred, kind="stable")
    ends = np.zeros(3)
    for part in np.array_split(order, min(_N_BINS, len(order))):
        _, predicted, seen = calibration(
            of_rows(rows, part), confidence=1 - (1 - confidence) / _N_BINS
        )[0]
        distances = [abs(seen.lower - predicted), abs(seen.upper - predicted)]
        least = 0.0 if seen.lower <= predicted <= seen.upper else min(distances)
        ends += (
            len(part) / len(order) * np.array([abs(seen.value - predicted), least, max(distances)])
        )
    return Interval(*map(float, ends))


def overfit_criterion(plan: GatePlan, training: Outcomes, ours: Outcomes) -> Criterion:
    """Hold what the primary metric loses from training to evaluation against its limit.

    The interval of a difference of two samples from theirs (MOVER: Zou, Donner 2008, Construction
    of confidence limits about effect measures, Statistics in Medicine 27).
    """
    metric, gate = plan.metric, plan.gate
    seen, later = (
        measure(
            metric,
            rows,
            confidence=gate.confidence,
            n_bootstrap=gate.n_bootstrap,
            seed=plan.seed,
        )
        for rows in (training, ours)
    )
    failing = plan.failing("overfit")
    if math.isnan(seen.value) or math.isnan(later.value):
        return undefined(metric, "overfit", len(ours), failing)
    most = plan.resolved_overfit(seen.value)
    if not metric.greater_is_better:
        seen, later = later, seen
    gap = seen.value - later.value
    found = Interval(
        gap,
        gap - math.hypot(seen.value - seen.lower, later.upper - later.value),
        gap + math.hypot(seen.upper - seen.value, later.value - later.lower),
    )
    answer = within(found, most)
    return Criterion(
        name=metric.name,
        kind="overfit",
        answer=answer,
        text=f"{metric.title} on the training window better by {_shown(found, gate.confidence)}, "
        f"{_WORDS[answer]} {most:.4g}",
        value=found.value,
        lower=found.lower,
        upper=found.upper,
        margin=most,
        confidence=gate.confidence,
        failing=failing,
        n_rows=len(training),
    )


def _shown(found: Interval, confidence: float) -> str:
    return (
        f"{found.value:.4f}, {percent(confidence)} interval {found.lower:.4f} to {found.upper:.4f}"
    )
