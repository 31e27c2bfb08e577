"""The gate's verdict on the scores of a binary model, as 0.1 called it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.gate.plan import GatePlan
from mlops_tasks.gate.verdict import judge
from mlops_tasks.problem_types import Outcomes

if TYPE_CHECKING:
    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import GateSpec

__all__ = ["judge_scores"]


def judge_scores(
    gate: GateSpec,
    target: Any,
    scores: Any,
    rival: Any,
    champion: RegisteredVersion | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Judge probabilities of the positive class, with targets 0 or 1; see `judge`."""
    ours, theirs = Outcomes(target, scores), None if rival is None else Outcomes(target, rival)
    return judge(GatePlan.make(gate, "binary", seed=seed), ours, theirs, champion)
