"""Choose: of all candidates, the one that is fitted on the whole training window."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EstimatorError
from mlops_tasks.problem_types import gate_metric
from mlops_tasks.tuning import Choice, goodness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning import CandidateResult

__all__ = ["choose"]


def choose(spec: ModelSpec, results: Sequence[CandidateResult], *, run_id: str = "") -> Choice:
    """Choose the candidate with the best mean of the gate's metric; of equals, the first.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    results : sequence of CandidateResult
        From `fit_candidate`, in any order.
    run_id : str, optional
        The MLflow run of the training.

    Returns
    -------
    Choice
        With the reason, and everything that was tried.

    Raises
    ------
    EstimatorError
        If none could be measured.
    """
    metric = gate_metric(spec)
    ordered = sorted(results, key=lambda one: one.number)
    measured = [(one, one.value) for one in ordered if one.value is not None]
    if not measured:
        why = "; ".join(f"{one.name} was {one.state}: {one.reason}" for one in ordered[:3])
        raise EstimatorError(
            f"model {spec.name!r}: none of {len(ordered)} candidates could be measured inside the "
            f"training window, so there is nothing to train. {why}"
        )
    best, value = max(measured, key=lambda pair: goodness(metric, pair[1]))  # the first of equals
    return Choice(
        number=best.number,
        name=best.name,
        estimator=best.estimator,
        params=best.params,
        metric=metric.name,
        value=value,
        reason=_reason(spec, best, value, ordered),
        run_id=run_id,
        candidates=tuple(ordered),
    )


def _reason(
    spec: ModelSpec, best: CandidateResult, value: float, ordered: list[CandidateResult]
) -> str:
    """Say in one sentence why it was chosen, and what became of the others."""
    metric = gate_metric(spec)
    parts = "1 part" if len(best.scores) == 1 else f"{len(best.scores)} parts"
    text = f"{best.name}: best {metric.name}, {value:.4f} in the mean of {parts} of the training"
    first = ordered[0]
    if first is not best and first.value is not None:
        gain = goodness(metric, value) - goodness(metric, first.value)
        text += f", better by {gain:.4f} than {first.name}"
    others = Counter(one.state for one in ordered)
    said = ", ".join(f"{n} {state}" for state, n in others.items())
    return f"{text}; of {len(ordered)} candidates {said}"
