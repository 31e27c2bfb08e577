"""Evaluate: challenger and champion on the same later rows, and the gate's verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.estimators import predict_scores
from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features.sql import model_frame
from mlops_tasks.features.windows import labelled_rows, split_days
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.intervals import check_scores, compare_scores, log_losses
from mlops_tasks.lake import TrainingPin
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days
from mlops_tasks.registry.tracking import IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.intervals import Comparison
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import GateSpec, ModelSpec

    Floats = npt.NDArray[np.float64]
    Target = npt.NDArray[np.int64]

__all__ = [
    "classification_metrics",
    "evaluate",
    "feature_importance",
    "judge",
]

_CLASS_ROWS = 1000


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
    _log(verdict, challenger, pin, tracking)
    importance = feature_importance(model, frame, target, seed=spec.random_state)
    profiles = pack_days(_score_profiles(spec, rows, scores))
    artifacts = {
        IMPORTANCE: tracking.log_json(challenger.run_id, IMPORTANCE, importance),
        SCORE_PROFILES: tracking.log_bytes(challenger.run_id, SCORE_PROFILES, profiles),
    }
    return replace(verdict, artifacts=artifacts)


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


def classification_metrics(target: Target, scores: Floats) -> dict[str, float]:
    """Measure probabilities against outcomes.

    Parameters
    ----------
    target : array of shape (n_samples,)
        0 or 1.
    scores : array of shape (n_samples,)
        Probability of class 1, in [0, 1].

    Returns
    -------
    dict of str to float
        ``log_loss`` in nats, ``brier`` in [0, 1], ``mean_score`` and ``y_share`` in [0, 1]; where
        both classes are present ``roc_auc`` and ``average_precision`` in [0, 1], too.

    Examples
    --------
    >>> import numpy as np
    >>> classification_metrics(np.array([0, 1]), np.array([0.2, 0.8]))["roc_auc"]
    1.0
    """
    from sklearn import metrics

    ranking = {}
    if 0 < target.sum() < len(target):
        ranking = {
            "roc_auc": float(metrics.roc_auc_score(target, scores)),
            "average_precision": float(metrics.average_precision_score(target, scores)),
        }
    return ranking | {
        "log_loss": float(log_losses(target, scores).mean()),
        "brier": float(((scores - target) ** 2).mean()),
        "mean_score": float(scores.mean()),
        "y_share": float(target.mean()),
    }


def feature_importance(
    model: Any, frame: pd.DataFrame, target: Target, *, seed: int = 0
) -> dict[str, float]:
    """Measure how much a model's ROC AUC falls when a feature's values are shuffled.

    Parameters
    ----------
    model : estimator
        Fitted classifier with ``predict_proba``.
    frame : DataFrame of shape (n_samples, n_features)
        Rows it was not trained on; of each class at most 1000 are drawn.
    target : array of shape (n_samples,)
        0 or 1, both present.
    seed : int, default 0
        Seed of draws and shuffles.

    Returns
    -------
    dict of str to float
        Loss in ROC AUC by feature, at least 0; all 0 if there is one class only.

    References
    ----------
    Breiman (2001), "Random forests", Machine Learning 45.
    """
    import numpy as np
    from sklearn.inspection import permutation_importance

    order = np.random.default_rng(seed).permutation(len(target))
    classes = [order[target[order] == label][:_CLASS_ROWS] for label in (0, 1)]
    chosen = order[np.isin(order, np.concatenate(classes))]
    if not all(len(rows) for rows in classes):
        return {str(name): 0.0 for name in frame.columns}
    found = permutation_importance(
        model,
        frame.iloc[chosen],
        target[chosen],
        scoring="roc_auc",
        n_repeats=1,  # it ranks columns, and each shuffle costs every training a prediction
        random_state=seed,
    )
    losses = zip(frame.columns, np.maximum(found.importances_mean, 0.0), strict=True)
    return {str(name): round(float(loss), 6) for name, loss in losses}


def _score_profiles(spec: ModelSpec, rows: pa.Table, scores: Floats) -> dict[str, Profile]:
    import pyarrow as pa

    scored = rows.select([spec.as_of]).append_column("score", pa.array(scores))
    return {
        day: Profile.of(part.to_batches(), part.schema, columns=["score"])
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
