"""The gate's verdict on a challenger, from scores on the same rows as the champion's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.binary.intervals import compare_scores
from mlops_tasks.problem_types.binary.metrics import check_scores, classification_metrics
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.binary.intervals import Comparison
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import GateSpec

    Floats = npt.NDArray[np.float64]
    Target = npt.NDArray[np.int64]

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
        Rows that both were scored on.
    challenger, champion : dict of str to float
        Metrics, plain finite floats; the champion's are None for a first one.
    champion_version : str or None
        The version it was compared with.
    difference : dict of str to float
        The interval that decided: ROC AUC, or what it is above the champion's; empty where it
        cannot be measured.
    log_loss_gap : dict of str to float
        Interval of the log loss above the champion's; empty where it cannot be measured.
    artifacts : dict of str to str
        SHA-256 of what the evaluation stored for later steps.
    champion_generation : int
        Which move of the champion made it that, see `Ledger.promote`; 0 for a first one.
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
    champion_generation: int = 0


def judge(
    gate: GateSpec,
    target: Target,
    scores: Floats,
    rival: Floats | None,
    champion: RegisteredVersion | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Give the gate's verdict from scores on the same rows.

    Parameters
    ----------
    gate : GateSpec
        The conditions.
    target : array of shape (n_samples,)
        0 or 1.
    scores, rival : array of shape (n_samples,)
        Probabilities of the challenger and of the champion; `rival` is None for a first one.
    champion : RegisteredVersion, optional
        Named in the verdict.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    Verdict
        With metrics of both and the intervals of their differences. "cannot_tell" where a class
        has fewer rows than ``gate.min_class_rows``, and where the ROC AUC is better but the rows
        are too few to tell whether the log loss is.

    Raises
    ------
    EstimatorError
        If a score is no probability.
    """
    check_scores(scores, "the challenger")
    if rival is not None:
        check_scores(rival, "the champion")
    found = None
    if (n_fewer := int(min(target.sum(), len(target) - target.sum()))) > 0:
        found = compare_scores(
            target,
            scores,
            rival,
            confidence=gate.confidence,
            n_bootstrap=gate.n_bootstrap,
            seed=seed,
        )
    if found is None or n_fewer < gate.min_class_rows:
        verdict, reason = "cannot_tell", _too_few(gate, target)
    else:
        verdict, reason = _weigh(gate, found)
    ours = classification_metrics(target, scores)
    if found is not None:
        ours |= {"roc_auc_lower": found.roc_auc.lower, "roc_auc_upper": found.roc_auc.upper}
    return Verdict(
        verdict=verdict,
        reason=reason,
        n_rows=len(target),
        challenger=ours,
        champion=None if rival is None else classification_metrics(target, rival),
        champion_version=None if champion is None else champion.version,
        champion_generation=0 if champion is None else champion.generation,
        difference=to_json(found.auc_gain or found.roc_auc) if found else {},
        log_loss_gap=to_json(found.log_loss_gap) if found and found.log_loss_gap else {},
    )


def _too_few(gate: GateSpec, target: Target) -> str:
    n_positive = int(target.sum())
    return (
        f"{n_positive} positive and {len(target) - n_positive} negative rows are too few to tell; "
        f"the gate needs at least {gate.min_class_rows} of each (min_class_rows), take a larger "
        "evaluation_days"
    )


def _weigh(gate: GateSpec, found: Comparison) -> tuple[str, str]:
    """Give the verdict on rows enough of both classes, and the reason."""
    gain = found.auc_gain or found.roc_auc
    floor = 0.0 if found.auc_gain else gate.min_value
    subject = "difference in ROC AUC to the champion" if found.auc_gain else "ROC AUC"
    better = gain.lower > floor
    reason = (
        f"{subject} {gain.value:+.4f}, {gate.confidence:.0%} interval {gain.lower:+.4f} to "
        f"{gain.upper:+.4f}, {'above' if better else 'not wholly above'} {floor:g}"
    )
    loss, allowed = found.log_loss_gap, gate.max_worse_log_loss
    if loss is None or loss.upper <= allowed:
        return "promote" if better else "keep", reason
    between = f"interval {loss.lower:+.4f} to {loss.upper:+.4f}, allowed {allowed:g}"
    if loss.lower > allowed:
        return "keep", f"{reason}; log loss worse by {loss.value:.4f}, {between}"
    if not better:
        return "keep", reason
    return "cannot_tell", (
        f"{reason}; log loss differs by {loss.value:+.4f}, {between}: too few rows to tell whether "
        "it is worse by more, take a larger evaluation_days"
    )
