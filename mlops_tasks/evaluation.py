"""Evaluate: challenger and champion on the same later rows, and the gate's verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import model_frame
from mlops_tasks.profile_store import pack_days
from mlops_tasks.profiles import Profile
from mlops_tasks.tracking import IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.types import TrainingPin, Verdict
from mlops_tasks.windows import labelled_rows, split_days

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import GateSpec, ModelSpec
    from mlops_tasks.tracking import Tracking
    from mlops_tasks.types import RegisteredVersion, TrainResult

    Floats = npt.NDArray[np.float64]

__all__ = [
    "Interval",
    "bootstrap_auc",
    "classification_metrics",
    "evaluate",
    "feature_importance",
    "judge",
]

_IMPORTANCE_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap confidence interval."""

    value: float
    lower: float
    upper: float


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
        the gate's floor. Otherwise "keep": ties keep the champion.

    Raises
    ------
    LeakageError
        If a model was trained on days of the evaluation window.
    """
    rows = labelled_rows(spec, pin, pin.evaluation, lake=lake)
    target = rows.column("y").to_numpy()
    _refuse_overlap("challenger", pin.train[1], pin)
    model = tracking.load(challenger.model_uri, challenger.digest)
    frame = model_frame(spec, model, rows)
    scores = model.predict_proba(frame)[:, 1]
    rival = None
    if champion is not None:
        trained = TrainingPin.from_json(json.loads(tracking.read_artifact(champion, PIN_FILE)))
        _refuse_overlap(f"champion version {champion.version}", trained.train[1], pin)
        old = tracking.load(champion.model_uri, champion.digest)
        rival = old.predict_proba(model_frame(spec, old, rows))[:, 1]
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
    target: npt.NDArray[np.int64],
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
        0 or 1, both present.
    scores, rival : array of shape (n_samples,)
        Probabilities of the challenger and of the champion; `rival` is None for a first one.
    champion : RegisteredVersion, optional
        Named in the verdict.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    Verdict
        With metrics of both and the difference's interval.
    """
    interval = bootstrap_auc(target, scores, rival, gate=gate, seed=seed)
    ours = classification_metrics(target, scores)
    theirs = None if rival is None else classification_metrics(target, rival)
    floor = gate.min_value if theirs is None else 0.0
    better = interval.lower > floor
    loss_gap = 0.0 if theirs is None else ours["log_loss"] - theirs["log_loss"]
    calibrated = loss_gap <= gate.max_worse_log_loss
    subject = "ROC AUC" if theirs is None else "difference in ROC AUC to the champion"
    reason = (
        f"{subject} {interval.value:+.4f}, {gate.confidence:.0%} interval {interval.lower:+.4f} to "
        f"{interval.upper:+.4f}, {'above' if better else 'not wholly above'} {floor:g}"
    )
    if not calibrated:
        reason += f"; log loss worse by {loss_gap:.4f}, allowed {gate.max_worse_log_loss:g}"
    return Verdict(
        verdict="promote" if better and calibrated else "keep",
        reason=reason,
        n_rows=len(target),
        challenger=dict(ours),
        champion=None if theirs is None else dict(theirs),
        champion_version=None if champion is None else champion.version,
        difference={"value": interval.value, "lower": interval.lower, "upper": interval.upper},
    )


def classification_metrics(target: npt.NDArray[np.int64], scores: Floats) -> dict[str, float]:
    """Measure probabilities against outcomes.

    Parameters
    ----------
    target : array of shape (n_samples,)
        0 or 1, both present.
    scores : array of shape (n_samples,)
        Probability of class 1, in [0, 1].

    Returns
    -------
    dict of str to float
        ``roc_auc`` and ``average_precision`` in [0, 1], ``log_loss`` in nats, ``brier`` in [0, 1],
        ``mean_score`` and ``y_share`` in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> classification_metrics(np.array([0, 1]), np.array([0.2, 0.8]))["roc_auc"]
    1.0
    """
    from sklearn import metrics

    return {
        "roc_auc": float(metrics.roc_auc_score(target, scores)),
        "average_precision": float(metrics.average_precision_score(target, scores)),
        "log_loss": float(metrics.log_loss(target, scores)),
        "brier": float(metrics.brier_score_loss(target, scores)),
        "mean_score": float(scores.mean()),
        "y_share": float(target.mean()),
    }


def bootstrap_auc(
    target: npt.NDArray[np.int64],
    scores: Floats,
    rival: Floats | None = None,
    *,
    gate: GateSpec,
    seed: int = 0,
) -> Interval:
    """Bootstrap the ROC AUC, or its paired difference to a rival on the same rows.

    Parameters
    ----------
    target, scores, rival
        As for `judge`.
    gate : GateSpec
        ``n_bootstrap`` and ``confidence``.
    seed : int, default 0
        Seed of the resampling.

    Returns
    -------
    Interval
        Point value and percentile interval. Resamples without both classes are left out.

    Notes
    -----
    Rows are resampled in pairs, so what is hard for both models cancels. Scores are ranked once;
    a resample only counts how often each row was drawn. O(n_bootstrap n).

    References
    ----------
    Efron, Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    import numpy as np

    generator, n_rows = np.random.default_rng(seed), len(target)
    models = [_RankedScores(target, each) for each in (scores, rival) if each is not None]

    def gap(times: Floats) -> float:
        values = [model.roc_auc(times) for model in models]
        return values[0] - (values[1] if rival is not None else 0.0)

    value = gap(np.ones(n_rows))
    draws = [
        gap(np.bincount(generator.integers(0, n_rows, n_rows), minlength=n_rows).astype(float))
        for _ in range(gate.n_bootstrap)
    ]
    tail = (1 - gate.confidence) / 2
    lower, upper = np.nanquantile(draws, [tail, 1 - tail])
    return Interval(value, float(lower), float(upper))


class _RankedScores:
    """The groups of equal scores of one model, in ascending order."""

    def __init__(self, target: npt.NDArray[np.int64], scores: Floats) -> None:
        import numpy as np

        _, self.group = np.unique(scores, return_inverse=True)
        self.n_groups = int(self.group.max()) + 1
        self.target = target

    def roc_auc(self, times: Floats) -> float:
        """Return the ROC AUC with each row taken so many times; NaN if one class is missing.

        The share of pairs of a positive and a negative row in which the positive one scores
        higher, ties counting half: Hanley, McNeil (1982), Radiology 143.
        """
        import numpy as np

        positive = np.bincount(self.group, times * self.target, self.n_groups)
        negative = np.bincount(self.group, times * (1 - self.target), self.n_groups)
        pairs = positive.sum() * negative.sum()
        if not pairs:
            return float(np.nan)
        return float(positive @ (np.cumsum(negative) - negative / 2) / pairs)


def feature_importance(
    model: Any, frame: pd.DataFrame, target: npt.NDArray[np.int64], *, seed: int = 0
) -> dict[str, float]:
    """Measure how much a model's ROC AUC falls when a feature's values are shuffled.

    Parameters
    ----------
    model : estimator
        Fitted classifier with ``predict_proba``.
    frame : DataFrame of shape (n_samples, n_features)
        Rows it was not trained on; of more than 2000, so many are drawn.
    target : array of shape (n_samples,)
        0 or 1, both present.
    seed : int, default 0
        Seed of draws and shuffles.

    Returns
    -------
    dict of str to float
        Loss in ROC AUC by feature, at least 0; all 0 if the draw has one class only.

    References
    ----------
    Breiman (2001), "Random forests", Machine Learning 45.
    """
    import numpy as np
    from sklearn.inspection import permutation_importance

    chosen = np.random.default_rng(seed).permutation(len(target))[:_IMPORTANCE_ROWS]
    if len(np.unique(target[chosen])) < 2:
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
        metrics={f"eval_{name}": value for name, value in verdict.challenger.items()},
        tags={
            "mlops.verdict": verdict.verdict,
            "mlops.verdict_reason": verdict.reason,
            "mlops.evaluation": "..".join(pin.evaluation),
        },
        model_id=challenger.model_id,
    )
    rival = {f"champion_{name}": value for name, value in (verdict.champion or {}).items()}
    tracking.log_batch(challenger.run_id, metrics=rival)
