"""What a target that is true or false asks of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.base import LABEL, ProblemType
from mlops_tasks.problem_types.binary.classes import (
    PREDICTED,
    SCORE,
    positive_share,
    profile_labels,
    with_classes,
)
from mlops_tasks.problem_types.curves import confusion, mean_curve, ranking_curves
from mlops_tasks.problem_types.estimator import ask, probabilities
from mlops_tasks.problem_types.importance import rows_by_class
from mlops_tasks.problem_types.outcomes import Outcomes
from mlops_tasks.problem_types.probabilities import check_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.problem_types.base import Array
    from mlops_tasks.problem_types.curves import Confusion, Curve
    from mlops_tasks.profiles import Profile
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["Binary"]


class Binary(ProblemType):
    """True or false; the score is the probability of true."""

    name = "binary"
    target_form = "true or false, or 0 and 1; write a condition, such as <column> > 0"
    estimator_kind = "classifier: the label is true or false"
    method = "predict_proba"
    metric = "roc_auc"
    guard = "log_loss"
    max_loss = 0.05
    reported = ("roc_auc", "average_precision", "log_loss", "brier")
    derived_columns = frozenset({PREDICTED})
    profiled = (SCORE,)

    def target_cast(self, sql_type: str) -> str | None:
        return "BIGINT" if sql_type == "BOOLEAN" or sql_type.endswith(("INT", "INTEGER")) else None

    def wrong_target(self, expression: str) -> str:
        return f"{expression} NOT IN (0, 1)"

    def learnable(self, spec: EstimatorSpec, target: Array) -> str:
        n_positive = int(target.sum())
        return "" if 0 < n_positive < len(target) else "of 1 of the 2 classes that are needed"

    def describe_target(self, target: Array) -> dict[str, float]:
        return {"y_share": round(float(target.mean()), 4)}

    def target_classes(self, target: Array) -> Array:
        return target.astype("int64")

    def target_numbers(self, target: Array) -> list[Array]:
        return [target.astype("float64")]

    def fits(self, model: Any) -> bool:
        from sklearn.base import is_classifier

        return bool(is_classifier(model))

    def fields(self, model: Any) -> list[pa.Field]:
        import pyarrow as pa

        return [pa.field(SCORE, pa.float64())]

    def predict(self, spec: EstimatorSpec, model: Any, frame: pd.DataFrame) -> dict[str, pa.Array]:
        import pyarrow as pa

        found = probabilities(spec, model, ask(spec, model, frame, self.method), len(frame), 2)
        return {SCORE: pa.array(found[:, 1])}

    def outcomes(
        self,
        spec: EstimatorSpec,
        target: pa.ChunkedArray,
        predictions: Mapping[str, Any],
        days: Array | None = None,
    ) -> Outcomes:
        scores = predictions[SCORE].to_numpy(zero_copy_only=False)
        return Outcomes(target.to_numpy(), scores, days, threshold=spec.threshold)

    def check_predictions(self, outcomes: Outcomes, who: str) -> None:
        check_probabilities(outcomes.y_pred, who)

    def naive(self, outcomes: Outcomes) -> Outcomes:
        import numpy as np

        share = np.full(len(outcomes), outcomes.y_true.mean())
        return Outcomes(outcomes.y_true, share, outcomes.days, threshold=outcomes.threshold)

    def too_few(self, outcomes: Outcomes, min_class_rows: int) -> str:
        n_positive = int(outcomes.y_true.sum())
        n_negative = len(outcomes) - n_positive
        if min(n_positive, n_negative) >= min_class_rows:
            return ""
        return f"{n_positive} positive and {n_negative} negative"

    def describe_outcomes(self, outcomes: Outcomes) -> dict[str, float]:
        return {
            "mean_score": float(outcomes.y_pred.mean()),
            "y_share": float(outcomes.y_true.mean()),
        }

    def importance_rows(self, target: Array, random: np.random.Generator) -> Array:
        return rows_by_class(target, (0, 1), random)

    def importance_scorer(self, model: Any) -> Any:
        return "roc_auc"

    def explained(self, model: Any, frame: pd.DataFrame) -> Array:
        import numpy as np

        return np.asarray(model.predict_proba(frame)[:, 1:], dtype=np.float64)

    def changed(self, ours: Outcomes, rival: Outcomes) -> Array:
        import numpy as np

        return np.not_equal(ours.decided, rival.decided)

    def curves(self, outcomes: Outcomes) -> tuple[Curve, ...]:
        true = outcomes.y_true.astype("float64")
        ranking = ranking_curves(outcomes.y_true, outcomes.y_pred)
        return (*ranking, mean_curve("calibration", outcomes.y_pred, true))

    def confusion(self, outcomes: Outcomes) -> Confusion:
        return confusion(("false", "true"), outcomes.y_true.astype("int64"), outcomes.decided)

    def compared(self, predictions: Profile, threshold: float) -> Profile:
        return with_classes(predictions, threshold)

    def profile_labels(self, targets: pa.ChunkedArray) -> Profile:
        return profile_labels(targets)

    def describe_labels(self, profiles: tuple[Profile, Profile]) -> str:
        old, new = (positive_share(one.columns[LABEL]) for one in profiles)  # type: ignore[arg-type]
        return f"{LABEL} share {100 * old:.3g} % → {100 * new:.3g} %"

    def describe_predictions(self, predictions: Profile, threshold: float) -> str:
        return f"mean score {predictions.columns[SCORE].mean:.5g}"  # type: ignore[union-attr]
