"""What a target that is a number asks of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mlops_tasks.exceptions import EstimatorError
from mlops_tasks.problem_types.base import LABEL, ProblemType
from mlops_tasks.problem_types.curves import mean_curve, quantile_curve
from mlops_tasks.problem_types.estimator import ask
from mlops_tasks.problem_types.expected_targets import ScaledResiduals
from mlops_tasks.problem_types.outcomes import Outcomes
from mlops_tasks.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.problem_types.base import Array
    from mlops_tasks.problem_types.curves import Curve
    from mlops_tasks.problem_types.expected_targets import ExpectedTargets
    from mlops_tasks.profiles import NumericProfile
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["Regression"]

PREDICTION, LOWER, UPPER = "prediction", "prediction_lower", "prediction_upper"
_NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL")
_IMPORTANCE_ROWS = 2000


class Regression(ProblemType):
    """A number, counts and skewed ones included; the prediction is a number, too.

    An estimator that has ``predict_interval``, which gives a lower and an upper bound for each row,
    has its interval published beside the prediction.
    """

    name = "regression"
    target_form = "a finite number; write CAST(<column> AS DOUBLE)"
    estimator_kind = "regressor: the label is a number"
    method = "predict"
    metric = "mae"
    guard = ""
    max_relative_gap = 0.05
    smallest_change = 0.1
    reported = ("mae", "rmse", "r2", "bias")
    profiled = (PREDICTION,)
    expected_by_features = True

    def target_cast(self, sql_type: str) -> str | None:
        return (
            "DOUBLE"
            if sql_type.startswith(_NUMBERS) or sql_type.endswith(("INT", "INTEGER"))
            else None
        )

    def wrong_target(self, expression: str) -> str:
        return f"NOT isfinite({expression})"

    def learnable(self, spec: EstimatorSpec, target: Array) -> str:
        return "" if target.min() < target.max() else f"and all of them are {target[0]:g}"

    def describe_target(self, target: Array) -> dict[str, float]:
        return {
            "y_mean": float(f"{target.mean():.6g}"),
            "y_min": float(f"{target.min():.6g}"),
            "y_max": float(f"{target.max():.6g}"),
        }

    def target_classes(self, target: Array) -> Array:
        import numpy as np

        fifths = np.unique(np.quantile(target, (0.2, 0.4, 0.6, 0.8)))
        found = np.searchsorted(fifths, target)  # a value that many rows have is in one class
        return np.unique(found, return_inverse=True)[1]

    def target_numbers(self, target: Array) -> list[Array]:
        return [target.astype("float64")]

    def fits(self, model: Any) -> bool:
        from sklearn.base import is_regressor

        return bool(is_regressor(model))

    def fields(self, model: Any) -> list[pa.Field]:
        import pyarrow as pa

        return [pa.field(name, pa.float64()) for name in (PREDICTION, LOWER, UPPER)]

    def predict(self, spec: EstimatorSpec, model: Any, frame: pd.DataFrame) -> dict[str, pa.Array]:
        import pyarrow as pa

        who = f"model {spec.name!r}, estimator {spec.estimator!r}: {type(model).__name__}"
        found = ask(spec, model, frame, self.method)
        _check_numbers(found, (len(frame),), who)
        if not hasattr(model, "predict_interval"):
            unknown = pa.nulls(len(frame), pa.float64())
            return {PREDICTION: pa.array(found), LOWER: unknown, UPPER: unknown}
        bounds = ask(spec, model, frame, "predict_interval")
        _check_numbers(bounds, (len(frame), 2), f"{who}.predict_interval")
        lower, upper = bounds[:, 0], bounds[:, 1]
        if (lower > upper).any():
            raise EstimatorError(f"{who}.predict_interval: a lower bound lies above its upper one")
        return {PREDICTION: pa.array(found), LOWER: pa.array(lower), UPPER: pa.array(upper)}

    def outcomes(
        self,
        spec: EstimatorSpec,
        target: pa.ChunkedArray,
        predictions: Mapping[str, Any],
        days: Array | None = None,
    ) -> Outcomes:
        found = predictions[PREDICTION].to_numpy(zero_copy_only=False)
        return Outcomes(target.to_numpy(), found, days)

    def check_predictions(self, outcomes: Outcomes, who: str) -> None:
        _check_numbers(outcomes.y_pred, (len(outcomes),), who)

    def naive(self, outcomes: Outcomes) -> Outcomes:
        import numpy as np

        middle = np.full(len(outcomes), np.median(outcomes.y_true))
        return Outcomes(outcomes.y_true, middle, outcomes.days)

    def expected_targets(self, known: Outcomes, features: pd.DataFrame | None) -> ExpectedTargets:
        return ScaledResiduals(known, features)

    def too_few(self, outcomes: Outcomes, min_class_rows: int) -> str:
        return "" if len(outcomes) >= 2 * min_class_rows else f"{len(outcomes)}"

    def least(self, min_class_rows: int) -> str:
        return f"{2 * min_class_rows} of them"

    def describe_outcomes(self, outcomes: Outcomes) -> dict[str, float]:
        return {
            "mean_prediction": float(outcomes.y_pred.mean()),
            "y_mean": float(outcomes.y_true.mean()),
        }

    def allowed_gap(self, outcomes: Outcomes, observed: float, share: float, most: float) -> float:
        import numpy as np

        return share * float(np.abs(outcomes.y_true).mean())

    def as_shift(self, change: float) -> float:
        return change

    def change_words(self, change: float) -> str:
        return f"targets larger or smaller by {100 * change:g} %"

    def importance_rows(self, target: Array, random: np.random.Generator) -> Array:
        if len(target) < 2 or target.min() == target.max():
            return random.permutation(0)
        return random.permutation(len(target))[:_IMPORTANCE_ROWS]

    def importance_scorer(self, model: Any) -> Any:
        return "r2"

    def explained(self, model: Any, frame: pd.DataFrame) -> Array:
        import numpy as np

        return np.asarray(model.predict(frame), dtype=np.float64).reshape(-1, 1)

    def changed(self, ours: Outcomes, rival: Outcomes) -> Array:
        """Return which predictions moved by more than the rival's mean absolute error."""
        import numpy as np

        error = float(np.abs(rival.y_true - rival.y_pred).mean())
        return np.asarray(np.abs(ours.y_pred - rival.y_pred) > error)

    def curves(self, outcomes: Outcomes) -> tuple[Curve, ...]:
        residuals = outcomes.y_true - outcomes.y_pred
        actual = mean_curve("actual", outcomes.y_pred, outcomes.y_true)
        return actual, quantile_curve("residuals", residuals)

    def profile_labels(self, targets: pa.ChunkedArray) -> Profile:
        import pyarrow as pa

        rows = pa.table({LABEL: targets.cast(pa.float64())})
        return Profile.of(rows.to_batches(), rows.schema)

    def describe_labels(self, profiles: tuple[Profile, Profile]) -> str:
        old, new = (cast("NumericProfile", one.columns[LABEL]) for one in profiles)
        return f"mean {LABEL} {old.mean:.5g} → {new.mean:.5g}"

    def describe_predictions(self, predictions: Profile, threshold: float) -> str:
        found = cast("NumericProfile", predictions.columns[PREDICTION])
        span = f"{found.minimum:.5g} to {found.maximum:.5g}"
        return f"mean prediction {found.mean:.5g}, {span}"


def _check_numbers(found: Any, shape: tuple[int, ...], who: str) -> None:
    import numpy as np

    if found.shape != shape:
        raise EstimatorError(
            f"{who} gives {found.shape} for {shape[0]} rows, and must give "
            + ("one number" if len(shape) == 1 else "a lower and an upper bound")
            + " for each row"
        )
    if wrong := int((~np.isfinite(found)).sum()):
        raise EstimatorError(
            f"{who} gives {wrong} of {shape[0]} rows a prediction that is NaN or infinite; let the "
            "estimator impute what is missing"
        )
