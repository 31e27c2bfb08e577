"""Evaluate: challenger and champion on the same later rows, and the gate's verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import labelled_rows, model_frame, split_days
from mlops_tasks.gate import judge
from mlops_tasks.lake import TrainingPin
from mlops_tasks.problem_types.binary.classes import SCORE
from mlops_tasks.problem_types.binary.estimator import predict_scores
from mlops_tasks.problem_types.binary.importance import feature_importance
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days
from mlops_tasks.registry.tracking import IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Coverage
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import ModelSpec

    Floats = npt.NDArray[np.float64]

__all__ = ["evaluate"]


def evaluate(
    spec: ModelSpec,
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
    spec : ModelSpec
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
        "promote" if the whole interval of the paired difference in ROC AUC lies above zero and
        the log loss is not worse than allowed; a first champion must have its whole interval above
        the gate's floor. "cannot_tell" when the rows are too few, otherwise "keep": ties keep the
        champion.

    Raises
    ------
    LeakageError
        If a model was trained on days of the evaluation window.
    """
    rows = labelled_rows(spec, pin, pin.evaluation, lake=lake, n_classes=1)
    target = rows.column("y").to_numpy()
    _refuse_overlap("challenger", pin.train[1], pin)
    model = tracking.load(challenger.model_uri, challenger.digest)
    frame = model_frame(spec, model, rows)
    scores = predict_scores(spec, model, frame)
    rival = None
    if champion is not None:
        trained = from_json(TrainingPin, json.loads(tracking.read_artifact(champion, PIN_FILE)))
        _refuse_overlap(f"champion version {champion.version}", trained.train[1], pin)
        old = tracking.load(champion.model_uri, champion.digest)
        rival = predict_scores(spec, old, model_frame(spec, old, rows))
    verdict = judge(spec.gate, target, scores, rival, champion, seed=spec.random_state)
    verdict = _limited(verdict, pin.coverage("evaluation", spec.calendar))
    _log(verdict, challenger, pin, tracking)
    importance = feature_importance(model, frame, target, seed=spec.random_state)
    profiles = pack_days(_score_profiles(spec, rows, scores))
    artifacts = {
        IMPORTANCE: tracking.log_json(challenger.run_id, IMPORTANCE, importance),
        SCORE_PROFILES: tracking.log_bytes(challenger.run_id, SCORE_PROFILES, profiles),
    }
    return replace(verdict, artifacts=artifacts)


def _limited(verdict: Verdict, coverage: Coverage) -> Verdict:
    """Conclude nothing from a window of which less than half is there."""
    if coverage.enough:
        return verdict
    return replace(verdict, verdict="cannot_tell", reason=f"of the evaluation {coverage.text}")


def _score_profiles(spec: ModelSpec, rows: pa.Table, scores: Floats) -> dict[str, Profile]:
    import pyarrow as pa

    scored = rows.select([spec.as_of]).append_column(SCORE, pa.array(scores))
    return {
        day: Profile.of(part.to_batches(), part.schema, columns=[SCORE])
        for day, part in split_days(spec, scored).items()
    }


def _refuse_overlap(who: str, trained_until: str, pin: TrainingPin) -> None:
    if trained_until >= pin.evaluation[0]:
        raise LeakageError(
            f"the {who} was trained on days up to {trained_until}, the evaluation begins on "
            f"{pin.evaluation[0]}: it would be judged on what it has seen. Train as of a later "
            "night"
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
