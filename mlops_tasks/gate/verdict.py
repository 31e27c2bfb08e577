"""The gate's verdict on a challenger, from predictions for the same rows as the champion's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.gate.comparisons import beside_champion, beside_floor
from mlops_tasks.gate.criteria import Criterion, conclude
from mlops_tasks.problem_types.metrics import measure
from mlops_tasks.registry.versions import LeakSuspect  # noqa: TC001 (read when rebuilt from JSON)
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Interval
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a challenger, and on what evidence.

    Attributes
    ----------
    verdict : str
        ``"promote"``, ``"keep"``, ``"ask"`` or ``"cannot_tell"``.
    reason : str
        In one sentence.
    n_rows : int
        Rows that both were asked about.
    challenger, champion : dict of str to float
        Metrics, plain finite floats; the champion's are None for a first one.
    champion_version : str or None
        The version it was compared with.
    difference : dict of str to float
        Interval of the primary metric, of what the challenger is better by or, of a first one with
        a floor, its own; empty where it cannot be measured.
    artifacts : dict of str to str
        SHA-256 of what the evaluation stored for later steps, the whole report among it.
    metric : str
        The primary metric.
    champion_generation : int
        Which move of the champion made it that, see `Ledger.promote`; 0 for a first one.
    assumed : dict of str to int
        By table, how many pinned days are only assumed to have been known as of the training.
    suspects : tuple of LeakSuspect
        Features that may leak the label, those that the spec allows among them, see `hold_back`.
    criteria : tuple of Criterion
        What was asked, and the answers: superiority first.
    worst_slices : tuple of Criterion
        Groups of rows in which the challenger is worst beside the champion, found and not judged.
    report : str
        Address of the page, relative to the lake.
    plan : str
        Digest of the plan that was registered before anything was scored.
    """

    verdict: str
    reason: str
    n_rows: int
    challenger: dict[str, float]
    champion: dict[str, float] | None
    champion_version: str | None
    difference: dict[str, float]
    artifacts: dict[str, str] = field(default_factory=dict)
    metric: str = "roc_auc"
    champion_generation: int = 0
    assumed: dict[str, int] = field(default_factory=dict)
    suspects: tuple[LeakSuspect, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    worst_slices: tuple[Criterion, ...] = ()
    plan: str = ""
    report: str = ""


def judge(
    plan: GatePlan,
    ours: Outcomes,
    rival: Outcomes | None,
    champion: RegisteredVersion | None = None,
    *,
    further: Sequence[Criterion] = (),
) -> Verdict:
    """Give the gate's verdict from predictions for the same rows.

    Parameters
    ----------
    plan : GatePlan
        The conditions, with the metrics of the model's problem type.
    ours, rival : Outcomes
        Of the challenger and of the champion; `rival` is None for a first one.
    champion : RegisteredVersion, optional
        Named in the verdict.
    further : sequence of Criterion
        What else was asked: slices, fairness, limits.

    Returns
    -------
    Verdict
        See `conclude`. "cannot_tell" also where the rows are too few, see ``gate.min_class_rows``,
        or the primary metric is not defined on them.

    Raises
    ------
    EstimatorError
        If a prediction is none, such as no probability.
    """
    plan.problem.check_predictions(ours, "the challenger")
    if rival is not None:
        plan.problem.check_predictions(rival, "the champion")
    compared = beside_floor(plan, ours) if rival is None else beside_champion(plan, ours, rival)
    criteria = (*compared, *further)
    verdict, reason = conclude(criteria, approval=plan.gate.approval == "always")
    if few := plan.problem.too_few(ours, plan.gate.min_class_rows):
        verdict, reason = "cannot_tell", _too_few(plan, few)
    elif compared[0].value is None:
        verdict, reason = "cannot_tell", f"{compared[0].text}; take a larger evaluation window"
    return Verdict(
        verdict=verdict,
        reason=reason,
        n_rows=len(ours),
        challenger=_metrics(plan, ours) | _bounds(plan, ours),
        champion=None if rival is None else _metrics(plan, rival),
        champion_version=None if champion is None else champion.version,
        champion_generation=0 if champion is None else champion.generation,
        difference=_interval(compared[0]),
        metric=plan.metric.name,
        criteria=criteria,
    )


def _too_few(plan: GatePlan, few: str) -> str:
    least = plan.problem.least(plan.gate.min_class_rows)
    return (
        f"{few} rows are too few to tell; the gate needs at least {least} (min_class_rows), take "
        "a larger evaluation window"
    )


def _bounds(plan: GatePlan, ours: Outcomes) -> dict[str, float]:
    """Return the interval of the primary metric, which monitoring compares with later."""
    gate, name = plan.gate, plan.metric.name
    settings = {"confidence": gate.confidence, "n_bootstrap": gate.n_bootstrap, "seed": plan.seed}
    found: Interval = measure(plan.metric, ours, **settings)  # type: ignore[arg-type]
    if math.isnan(found.value):
        return {}
    return {f"{name}_lower": found.lower, f"{name}_upper": found.upper}


def _interval(one: Criterion) -> dict[str, float]:
    if one.value is None:
        return {}
    return to_json({"value": one.value, "lower": one.lower, "upper": one.upper})


def _metrics(plan: GatePlan, outcomes: Outcomes) -> dict[str, float]:
    metrics = {metric.name: metric for metric in (*plan.reported, *plan.metrics)}
    found = {name: one.value(outcomes) for name, one in metrics.items()}
    finite = {name: value for name, value in found.items() if math.isfinite(value)}
    return finite | plan.problem.describe_outcomes(outcomes)
