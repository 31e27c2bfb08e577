"""Performance before there are labels: estimated, with an interval, and only while it keeps it.

It is blind to a change of concept: it takes predictions to mean what they have meant so far.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.monitoring.performance import FAR, METRIC_LEVEL, allowed_loss, at_gate, usual_loss
from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.monitoring.windows import beyond
from mlops_tasks.problem_types import gate_metric, problem_type
from mlops_tasks.problem_types.expected_metric import CONFIDENCE, expected_metric, unexpected_by_day
from mlops_tasks.problem_types.metrics.resampling import MIN_DAYS
from mlops_tasks.problem_types.shifts import Movement, lasting_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring.estimation_rows import EstimateRows
    from mlops_tasks.monitoring.labelled_predictions import LabelledPredictions
    from mlops_tasks.monitoring.windows import Sight
    from mlops_tasks.problem_types.metrics import Interval, Metric
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["BLIND", "MIN_KNOWN_ROWS", "compare_estimate", "estimate_check", "with_say"]

BLIND = (
    "an estimate is blind to concept change: it takes scores to mean what they meant where labels "
    "are known"
)
#: With fewer rows whose labels are known, or days, there is nothing to calibrate on.
MIN_KNOWN_ROWS, MIN_KNOWN_DAYS = 500, 3
#: An estimate loses its say where a smaller share of its intervals held, of
#: this number of windows at least.
_LEAST_HELD, _LEAST_WINDOWS = 0.8, 10
#: Newest windows that are looked back at.
LOOKED_BACK = 20


def estimate_check(
    spec: ModelSpec,
    window: EstimateRows,
    known: EstimateRows | None,
    champion: RegisteredVersion,
    sight: Sight,
    *,
    lake: Lake,
    known_at: str,
) -> Check:
    """Estimate the gate's metric on a window without labels, and compare it with the gate.

    It alarms where it is worse than at the gate by more than realised performance may be, and by
    more than the uncertainty of both at 1 %.
    """
    problem, metric = problem_type(spec.problem_type), gate_metric(spec)
    why = _too_few(spec, known)
    if known is None or why:
        text = (
            f"too few matured predictions to calibrate on, {why} of version {champion.version}; at "
            f"least {MIN_KNOWN_ROWS} rows of {MIN_KNOWN_DAYS} days are needed, with "
            f"{problem.least(spec.performance.min_class_rows)}"
        )
        return _unknown(metric, text)
    if sight.stricter(window.day_sizes) is None:
        return _unknown(metric, f"{window.n_rows} scored rows are too few to tell")
    gate = at_gate(metric, champion)
    if gate is None:
        return _unknown(metric, f"the gate has measured no {metric.title} of this version")
    features, theirs = (
        rows.features(spec, lake, known_at) if problem.expected_by_features else None
        for rows in (window, known)
    )
    targets = problem.expected_targets(known.outcomes, theirs)
    of_day = unexpected_by_day(metric, targets, known.outcomes, theirs, seed=spec.random_state)
    found = expected_metric(
        metric,
        targets,
        known.outcomes,
        window.outcomes,
        features,
        of_days=_of_days(metric, champion, of_day, window),
        n_days=1 / lasting_share(window.day_sizes, 0.0),
        seed=spec.random_state,
    )
    if math.isnan(found.value):
        return _unknown(metric, f"{metric.title} is not defined, it needs {metric.needs}")
    about = (
        f"on {window.n_rows} rows scored, calibrated on {known.n_rows} of {known.first} to "
        f"{known.last}"
    )
    return _judged(spec, metric, found, gate, about)


def with_say(check: Check, outcomes: Sequence[MonitorResult]) -> Check:
    """Let an estimate say nothing whose intervals have not held, and else how many have.

    `outcomes` are of the newest windows whose labels have come, see `compare_estimate`.
    """
    newest = [one for one in outcomes if one.checks[0].value is not None][-LOOKED_BACK:]
    n, held = len(newest), sum(not one.alarms for one in newest)
    if not n:
        return check
    kept = f"its {CONFIDENCE:.0%} intervals held the realised value in {held} of {n} windows"
    if n < _LEAST_WINDOWS or held >= _LEAST_HELD * n:
        return replace(check, text=f"{check.text}; {kept}")
    text = (
        f"{check.name}: the estimate has lost its say, {kept}, and {_LEAST_HELD:.0%} are needed; "
        f"without it: {check.text}"
    )
    return replace(check, value=None, alarm=False, text=text)


def compare_estimate(predictions: LabelledPredictions, estimate: MonitorResult) -> Check | None:
    """Compare an earlier estimate with what the same window was worth; None if nobody can.

    It alarms where the realised value lies outside of the interval. Its window must be among the
    predictions, with labels of `PerformanceSpec.min_coverage` of each partition.
    """
    import numpy as np

    spec, (said,) = predictions.spec, estimate.checks
    own = [key for key in predictions.days if key >= estimate.first]
    enough = spec.performance.min_coverage
    known = all(predictions.coverage[key] >= enough for key in own)
    if said.lower is None or said.upper is None or predictions.first > estimate.first or not known:
        return None
    metric = gate_metric(spec)
    sizes = [found.num_rows for found in predictions.days.values()]
    kept = np.repeat([key in own for key in predictions.days], sizes)
    value = metric.value(predictions.outcomes().part(kept))
    if math.isnan(value):
        return None
    outside = not said.lower <= value <= said.upper
    text = (
        f"{metric.title} was {value:.4f} from {estimate.first} on; the interval estimated before "
        f"labels has {'missed' if outside else 'held'} it"
    )
    near = said.upper if value > said.upper else said.lower
    return Check(said.name, round(value, 4), near, outside, text, None, said.lower, said.upper)


def _judged(spec: ModelSpec, metric: Metric, found: Interval, gate: Interval, about: str) -> Check:
    allowed, better = allowed_loss(spec, gate), metric.greater_is_better
    ours = found.upper - found.value if better else found.value - found.lower
    ours *= beyond(METRIC_LEVEL) / beyond((1 - CONFIDENCE) / 2)
    theirs = gate.value - gate.lower if better else gate.upper - gate.value
    chance = math.hypot(ours, theirs)
    limit = gate.value + (-1 if better else 1) * max(allowed, chance)
    alarm = found.value < limit if better else found.value > limit
    text = (
        f"{metric.title} estimated without labels at {found.value:.4f} {about}; {gate.value:.4f} "
        f"at the gate, alarm {'below' if better else 'above'} {limit:.4f}; blind to concept change"
    )
    value: float | None = round(found.value, 4)
    if not alarm and chance > FAR * (allowed or usual_loss(spec, gate)):
        value, text = None, f"{text}: too uncertain to tell"
    lower, upper = round(found.lower, 4), round(found.upper, 4)
    return Check(metric.name, value, round(limit, 4), alarm, text, None, lower, upper)


def _too_few(spec: ModelSpec, known: EstimateRows | None) -> str:
    """Say what there is where it is too little to calibrate on; empty where it will do."""
    import numpy as np

    if known is None:
        return "0 rows"
    days = known.outcomes.days
    n_days = 0 if days is None else len(np.unique(days))
    if known.n_rows < MIN_KNOWN_ROWS or n_days < MIN_KNOWN_DAYS:
        return f"{known.n_rows} rows of {n_days} days"
    few = problem_type(spec.problem_type).too_few(known.outcomes, spec.performance.min_class_rows)
    return few and f"{few} labels"


def _of_days(
    metric: Metric, champion: RegisteredVersion, of_day: float | None, window: EstimateRows
) -> float | None:
    """Return how much days move the metric of a window by themselves; None of too few days."""
    movement = Movement.of_metrics(champion.metrics)
    if of_day is None:
        if movement is None or movement.n_days < MIN_DAYS:
            return None
        of_day = champion.metrics.get(f"{metric.name}_of_day", 0.0)
    lasting = movement.lasting if movement else 0.0
    return of_day * math.sqrt(lasting_share(window.day_sizes, lasting))


def _unknown(metric: Metric, text: str) -> Check:
    return Check(metric.name, None, 0.0, False, f"{metric.name}: cannot estimate it, {text}")
