"""Fit a candidate: on parts of the training window, measured on later parts of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EstimatorError, SpecError
from mlops_tasks.features import labelled_rows
from mlops_tasks.problem_types import gate_metric
from mlops_tasks.tuning import (
    Candidate,
    CandidateResult,
    FoldScore,
    candidate_spec,
    goodness,
    measure_fold,
    selection_folds,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning import Fold, Studies, Trial

__all__ = ["fit_candidate"]


def fit_candidate(
    spec: ModelSpec,
    pin: TrainingPin,
    candidate: Candidate,
    *,
    lake: Lake,
    tracking: Tracking,
    studies: Studies | None = None,
) -> CandidateResult:
    """Measure one candidate inside the training window and log it as a child of the training's run.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    pin : TrainingPin
        From `pin_training_data`; its evaluation window is not read.
    candidate : Candidate
        From `propose`.
    lake, tracking : Lake, Tracking
        Where data and runs are.
    studies : Studies, optional
        Where a search is kept.

    Returns
    -------
    CandidateResult
        Of a trial that an earlier attempt has finished, what it found; of one that it has begun,
        only the folds that are missing are measured.

    Raises
    ------
    EstimatorError
        If a candidate that the spec names cannot be fitted. Of a trial it is refused instead, and
        the search goes on.
    NoLabelsError
        If there is nothing to learn from, or to measure on.
    """
    trial = None
    if candidate.study:
        if studies is None or spec.search is None:
            raise SpecError(f"model {spec.name!r}: {candidate.name} is of a search, give studies=")
        trial = studies.trial(candidate.study, candidate.number, spec.search, spec.random_state)
        if not trial.over and not trial.scores and trial.out_of_time:
            reason = f"the time budget of {spec.search.time_budget.words} was used up before"
            return _result(candidate, "out of time", reason=reason)
        candidate = replace(candidate, params=trial.params, name=_name(candidate, trial.params))
    folds = selection_folds(spec, pin)
    if trial is not None and trial.over:
        return _found(spec, candidate, trial, folds)
    for one in dict.fromkeys(pin.pins):
        lake.table(one.table).verify_pin(one)
    rows = labelled_rows(spec, pin, pin.train, lake=lake)
    with tracking.run(
        spec.name, candidate.name, digest=_digest(pin, candidate), parent_id=candidate.run_id
    ) as run_id:
        found = replace(_measured(spec, candidate, rows, folds, trial), run_id=run_id)
        _log(spec, found, tracking)
    return found


def _measured(
    spec: ModelSpec,
    candidate: Candidate,
    rows: pa.Table,
    folds: tuple[Fold, ...],
    trial: Trial | None,
) -> CandidateResult:
    """Measure fold by fold; a trial is told, and may be ended early."""
    model, metric = candidate_spec(spec, candidate), gate_metric(spec)
    scores: list[FoldScore] = list(trial.scores) if trial else []
    for number, fold in enumerate(folds):
        if number >= len(scores):
            try:
                scores.append(measure_fold(model, rows, fold))
            except EstimatorError as error:
                if trial is None:
                    raise
                trial.refuse(str(error))
                return _result(candidate, "refused", scores, reason=str(error))
        values = [one.value for one in scores if one.value is not None]
        if len(values) < len(scores):
            reason = f"{metric.name} is not defined on {' to '.join(scores[-1].measured)}"
            if trial is not None:
                trial.refuse(reason)
            return _result(candidate, "refused", scores, reason=reason)
        if trial is not None:
            early = trial.report(tuple(scores), goodness(metric, fmean(values)))
            if number + 1 < len(folds) and (early or trial.out_of_time):
                reason = "worse than the median of the others" if early else "out of time"
                trial.prune(f"{reason} after {number + 1} of {len(folds)} parts")
                return _result(candidate, "pruned", scores, reason=trial.reason)
    value = fmean(values)
    if trial is not None:
        trial.finish(goodness(metric, value))
    return _result(candidate, "measured", scores, value=value)


def _found(
    spec: ModelSpec, candidate: Candidate, trial: Trial, folds: tuple[Fold, ...]
) -> CandidateResult:
    """Return what an earlier attempt has found."""
    scores = trial.scores
    values = [one.value for one in scores if one.value is not None]
    if trial.pruned:
        return _result(candidate, "pruned", scores, reason=trial.reason)
    if trial.reason or len(values) < len(folds):
        return _result(candidate, "refused", scores, reason=trial.reason)
    return _result(candidate, "measured", scores, value=fmean(values))


def _result(
    candidate: Candidate,
    state: str,
    scores: list[FoldScore] | tuple[FoldScore, ...] = (),
    *,
    value: float | None = None,
    reason: str = "",
) -> CandidateResult:
    return CandidateResult(
        number=candidate.number,
        name=candidate.name,
        estimator=candidate.estimator,
        params=candidate.params,
        state=state,  # type: ignore[arg-type]
        value=value,
        scores=tuple(scores),
        reason=reason,
    )


def _name(candidate: Candidate, params: dict[str, object]) -> str:
    """Name a trial by its parameters."""
    if not params:
        return f"{candidate.name}: as in the spec"
    shown = (
        f"{name.rpartition('__')[2]}={f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in params.items()
    )
    return f"{candidate.name}: {', '.join(shown)}"


def _digest(pin: TrainingPin, candidate: Candidate) -> str:
    about = [pin.digest, candidate.number, candidate.estimator, candidate.params]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _log(spec: ModelSpec, found: CandidateResult, tracking: Tracking) -> None:
    metric = gate_metric(spec).name
    params = {"estimator": found.estimator, "random_state": str(spec.random_state)}
    params |= {name: str(value) for name, value in found.params.items()}
    metrics = {
        f"selection_{metric}_{number + 1}": one.value
        for number, one in enumerate(found.scores)
        if one.value is not None
    }
    if found.value is not None:
        metrics[f"selection_{metric}"] = found.value
    metrics["fit_s"] = sum(one.seconds for one in found.scores)
    tags = {"mlops.candidate": found.state, "mlops.candidate_reason": found.reason}
    tracking.log_batch(found.run_id, params=params, metrics=metrics, tags=tags)
