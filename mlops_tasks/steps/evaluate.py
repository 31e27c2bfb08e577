"""Evaluate: challenger and champion on the same later rows, and the gate's verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import days_of_rows, labelled_rows, model_frame, split_days
from mlops_tasks.gate import hold_back, judge
from mlops_tasks.lake import TrainingPin
from mlops_tasks.problem_types import TARGET, gate_metric, problem_type
from mlops_tasks.problem_types.importance import feature_importance
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days
from mlops_tasks.registry.champions import load_version
from mlops_tasks.registry.tracking import IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Coverage
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["evaluate"]


def evaluate(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    challenger: TrainResult,
    champion: RegisteredVersion | None,
    *,
    lake: Lake,
    tracking: Tracking,
) -> Verdict:
    """Score challenger and champion on the pinned evaluation window and judge.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model, with its gate.
    pin : TrainingPin
        The evaluation window; it lies after the challenger's training window.
    challenger : TrainResult
        The newly trained model.
    champion : RegisteredVersion or None
        The version in production; None for a first one.
    lake, tracking : Lake, Tracking
        Where data and models are.

    Returns
    -------
    Verdict
        "promote" if the challenger is better in the gate's metric by the whole interval of the
        paired difference, and no worse than allowed in log loss; a first champion must be better
        than the gate's floor, or than a constant. "cannot_tell" when the rows are too few,
        otherwise "keep": ties keep the champion, and so do leak suspects of the challenger's
        training that the spec does not allow.

    Raises
    ------
    LeakageError
        If a model was trained on days of the evaluation window.
    """
    problem = problem_type(spec.problem_type)
    rows = labelled_rows(spec, pin, pin.evaluation, lake=lake, learn=False)
    _refuse_overlap("challenger", pin, pin)
    model = tracking.load(challenger.model_uri, challenger.digest)
    frame = model_frame(spec, model, rows)
    predictions = problem.predict(spec, model, frame)
    days = days_of_rows(spec, rows)
    ours = problem.outcomes(spec, rows.column(TARGET), predictions, days)
    rival = None
    if champion is not None:
        trained = from_json(TrainingPin, json.loads(tracking.read_artifact(champion, PIN_FILE)))
        _refuse_overlap(f"champion version {champion.version}", trained, pin)
        old = load_version(champion, tracking=tracking)
        theirs = problem.predict(spec, old, model_frame(spec, old, rows))
        rival = problem.outcomes(spec, rows.column(TARGET), theirs, days)
    verdict = judge(spec.gate, gate_metric(spec), ours, rival, champion, seed=spec.random_state)
    verdict = _limited(verdict, pin.coverage("evaluation", spec.calendar))
    verdict = hold_back(verdict, challenger.suspects, spec.allow_leak_suspects)
    _log(verdict, challenger, pin, tracking)
    target = rows.column(TARGET).to_numpy(zero_copy_only=False)
    importance = feature_importance(problem, model, frame, target, seed=spec.random_state)
    profiles = pack_days(_prediction_profiles(spec, rows, predictions))
    artifacts = {
        IMPORTANCE: tracking.log_json(challenger.run_id, IMPORTANCE, importance),
        SCORE_PROFILES: tracking.log_bytes(challenger.run_id, SCORE_PROFILES, profiles),
    }
    return replace(verdict, artifacts=artifacts, assumed=pin.assumed)


def _limited(verdict: Verdict, coverage: Coverage) -> Verdict:
    """Conclude nothing from a window of which less than half is there."""
    if coverage.enough:
        return verdict
    return replace(verdict, verdict="cannot_tell", reason=f"of the evaluation {coverage.text}")


def _prediction_profiles(
    spec: ModelSpec | TableModel, rows: pa.Table, predictions: Mapping[str, pa.Array]
) -> dict[str, Profile]:
    names = problem_type(spec.problem_type).profiled
    scored = rows.select([spec.as_of])
    for name in names:
        scored = scored.append_column(name, predictions[name])
    return {
        day: Profile.of(part.to_batches(), part.schema, columns=names)
        for day, part in split_days(spec, scored).items()
    }


def _refuse_overlap(who: str, trained: TrainingPin, pin: TrainingPin) -> None:
    if pin.random is not None and trained.random == pin.random:
        return  # the same rows were kept from both, whatever the windows
    if trained.train[1] >= pin.evaluation[0]:
        raise LeakageError(
            f"the {who} was trained on days up to {trained.train[1]}, the evaluation begins on "
            f"{pin.evaluation[0]}: it would be judged on what it has seen. Train as of a later "
            "day"
        )


def _log(verdict: Verdict, challenger: TrainResult, pin: TrainingPin, tracking: Tracking) -> None:
    tracking.log_batch(
        challenger.run_id,
        metrics={f"eval_{name}": value for name, value in verdict.challenger.items()}
        | {"eval_n_rows": float(verdict.n_rows)},
        tags={
            "mlops.verdict": verdict.verdict,
            "mlops.verdict_reason": verdict.reason,
            "mlops.evaluation": "..".join(pin.evaluation),
        },
        model_id=challenger.model_id,
    )
    rival = {f"champion_{name}": value for name, value in (verdict.champion or {}).items()}
    tracking.log_batch(challenger.run_id, metrics=rival)
