"""The gate's verdict on a challenger, from predictions for the same rows as the champion's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.metrics import Interval, compare, find_metric, measure
from mlops_tasks.registry.versions import LeakSuspect  # noqa: TC001 (read when rebuilt from JSON)
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from mlops_tasks.problem_types import Outcomes, ProblemType
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import GateSpec

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a challenger, and on what evidence.

    Attributes
    ----------
    verdict : str
        ``"promote"``, ``"keep"`` or ``"cannot_tell"``.
    reason : str
        In one sentence.
    n_rows : int
        Rows that both were asked about.
    challenger, champion : dict of str to float
        Metrics, plain finite floats; the champion's are None for a first one.
    champion_version : str or None
        The version it was compared with.
    difference : dict of str to float
        The interval that decided: the gate's metric, or by how much it is better than the
        champion's or, of a first one, than a constant; empty where it cannot be measured.
    log_loss_gap : dict of str to float
        Interval of the log loss above the champion's; empty where it is not looked at.
    artifacts : dict of str to str
        SHA-256 of what the evaluation stored for later steps.
    metric : str
        The metric that decided.
    champion_generation : int
        Which move of the champion made it that, see `Ledger.promote`; 0 for a first one.
    assumed : dict of str to int
        By table, how many pinned days are only assumed to have been known as of the training.
    suspects : tuple of LeakSuspect
        Features that may leak the label, those that the spec allows among them, see `hold_back`.
    """

    verdict: str
    reason: str
    n_rows: int
    challenger: dict[str, float]
    champion: dict[str, float] | None
    champion_version: str | None
    difference: dict[str, float]
    log_loss_gap: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    metric: str = "roc_auc"
    champion_generation: int = 0
    assumed: dict[str, int] = field(default_factory=dict)
    suspects: tuple[LeakSuspect, ...] = ()


def judge(
    gate: GateSpec,
    metric: Metric,
    ours: Outcomes,
    rival: Outcomes | None,
    champion: RegisteredVersion | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Give the gate's verdict from predictions for the same rows.

    Parameters
    ----------
    gate : GateSpec
        The conditions.
    metric : Metric
        What they are judged by, of the model's problem type.
    ours, rival : Outcomes
        Of the challenger and of the champion; `rival` is None for a first one.
    champion : RegisteredVersion, optional
        Named in the verdict.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    Verdict
        With metrics of both and the intervals of their differences. "cannot_tell" where the rows
        are too few, see ``gate.min_class_rows``, the metric is not defined on them, or the metric
        is better but the rows are too few to tell whether the log loss is.

    Raises
    ------
    EstimatorError
        If a prediction is none, such as no probability.
    """
    problem = problem_type(metric.problem_type)
    problem.check_predictions(ours, "the challenger")
    if rival is not None:
        problem.check_predictions(rival, "the champion")
    evidence = _evidence(gate, problem, metric, ours, rival, seed)
    if few := problem.too_few(ours, gate.min_class_rows):
        verdict, reason = "cannot_tell", _too_few(gate, few, problem)
    elif evidence is None:
        verdict, reason = "cannot_tell", _undefined(metric, len(ours))
    else:
        verdict, reason = _weigh(gate, metric, evidence)
    measured = _metrics(problem, metric, ours)
    if evidence is not None:
        bounds = evidence.value.lower, evidence.value.upper
        measured |= dict(zip((f"{metric.name}_lower", f"{metric.name}_upper"), bounds, strict=True))
    return Verdict(
        verdict=verdict,
        reason=reason,
        n_rows=len(ours),
        challenger=measured,
        champion=None if rival is None else _metrics(problem, metric, rival),
        champion_version=None if champion is None else champion.version,
        champion_generation=0 if champion is None else champion.generation,
        difference=to_json(evidence.decisive) if evidence else {},
        log_loss_gap=to_json(evidence.loss) if evidence and evidence.loss else {},
        metric=metric.name,
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the rows say: the metric, by how much it is better, and the log loss by how much worse.

    ``gain`` is None where the metric itself is held against the gate's floor.
    """

    value: Interval
    gain: Interval | None
    rival: str
    loss: Interval | None

    @property
    def decisive(self) -> Interval:
        return self.gain or self.value


def _evidence(
    gate: GateSpec,
    problem: ProblemType,
    metric: Metric,
    ours: Outcomes,
    rival: Outcomes | None,
    seed: int,
) -> _Evidence | None:
    """Measure; None where the metric is not defined on these rows."""
    how: dict[str, Any] = {
        "confidence": gate.confidence,
        "n_bootstrap": gate.n_bootstrap,
        "seed": seed,
    }
    value = measure(metric, ours, **how)
    if math.isnan(value.value):
        return None
    if rival is None and gate.min_value is not None:
        return _Evidence(value, None, "", None)
    other, name = (problem.naive(ours), "a constant") if rival is None else (rival, "the champion")
    gain, loss = compare(metric, ours, other, **how), None
    if rival is not None and problem.guard and problem.guard != metric.name:
        better = compare(find_metric(problem.guard, problem.name), ours, rival, **how)
        loss = Interval(-better.value, -better.upper, -better.lower)
    return _Evidence(value, gain, name, loss)


def _metrics(problem: ProblemType, metric: Metric, outcomes: Outcomes) -> dict[str, float]:
    names = [name for name in problem.reported if name != metric.name]
    metrics = {name: find_metric(name, problem.name) for name in names}
    found = {name: one.value(outcomes) for name, one in (metrics | {metric.name: metric}).items()}
    finite = {name: value for name, value in found.items() if math.isfinite(value)}
    return finite | problem.describe_outcomes(outcomes)


def _too_few(gate: GateSpec, few: str, problem: ProblemType) -> str:
    return (
        f"{few} rows are too few to tell; the gate needs at least "
        f"{problem.least(gate.min_class_rows)} (min_class_rows), take a larger evaluation window"
    )


def _undefined(metric: Metric, n_rows: int) -> str:
    return (
        f"{metric.title} is not defined on these {n_rows} rows, it needs {metric.needs}; take a "
        "larger evaluation window"
    )


def _weigh(gate: GateSpec, metric: Metric, found: _Evidence) -> tuple[str, str]:
    """Give the verdict on rows enough, and the reason."""
    better, reason = _is_better(gate, metric, found)
    loss, allowed = found.loss, gate.max_worse_log_loss
    if loss is None or loss.upper <= allowed:
        return "promote" if better else "keep", reason
    between = f"interval {loss.lower:+.4f} to {loss.upper:+.4f}, allowed {allowed:g}"
    if loss.lower > allowed:
        return "keep", f"{reason}; log loss worse by {loss.value:.4f}, {between}"
    if not better:
        return "keep", reason
    return "cannot_tell", (
        f"{reason}; log loss differs by {loss.value:+.4f}, {between}: too few rows to tell whether "
        "it is worse by more, take a larger evaluation window"
    )


def _is_better(gate: GateSpec, metric: Metric, found: _Evidence) -> tuple[bool, str]:
    """Return whether the whole interval is on the better side, and say so."""
    one = found.decisive
    span = f"{gate.confidence:.0%} interval {one.lower:+.4f} to {one.upper:+.4f}"
    if found.gain is not None:
        better = one.lower > 0
        subject = f"{metric.title} better than {found.rival}'s by {one.value:+.4f}"
        return better, f"{subject}, {span}, {'above' if better else 'not wholly above'} 0"
    floor = gate.min_value or 0.0
    side = "above" if metric.greater_is_better else "below"
    better = one.lower > floor if metric.greater_is_better else one.upper < floor
    where = side if better else f"not wholly {side}"
    return better, f"{metric.title} {one.value:+.4f}, {span}, {where} {floor:g}"
