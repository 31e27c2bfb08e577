"""What a target that names one of several classes asks of every step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.base import LABEL, ProblemType
from mlops_tasks.problem_types.curves import confusion, mean_curve
from mlops_tasks.problem_types.estimator import ask, probabilities
from mlops_tasks.problem_types.importance import rows_by_class
from mlops_tasks.problem_types.multiclass.columns import class_of, column_of, probability_columns
from mlops_tasks.problem_types.outcomes import Outcomes
from mlops_tasks.problem_types.probabilities import check_probabilities
from mlops_tasks.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.problem_types.base import Array
    from mlops_tasks.problem_types.curves import Confusion, Curve
    from mlops_tasks.profiles import CategoryProfile
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["Multiclass"]

PREDICTED, CONFIDENCE = "predicted_class", "confidence"
_TEXTS = ("VARCHAR", "ENUM")
_N_NAMED, _MAX_SHIFTS = 5, 3


class Multiclass(ProblemType):
    """One of several classes; each has a probability, and the likeliest one is predicted."""

    name = "multiclass"
    target_form = "a text or an integer that names the class; write CAST(<column> AS VARCHAR)"
    estimator_kind = "classifier: the label is one of several classes"
    method = "predict_proba"
    metric = "log_loss"
    guard = "log_loss"
    reported = ("log_loss", "accuracy", "balanced_accuracy", "f1_macro")
    derived_columns = frozenset({CONFIDENCE})
    profiled = (PREDICTED, CONFIDENCE)

    def target_cast(self, sql_type: str) -> str | None:
        return (
            "VARCHAR"
            if sql_type.startswith(_TEXTS) or sql_type.endswith(("INT", "INTEGER"))
            else None
        )

    def wrong_target(self, expression: str) -> str:
        return ""

    def learnable(self, spec: EstimatorSpec, target: Array) -> str:
        found = sorted(set(target))  # of texts faster than np.unique
        if len(found) < 2:
            return f"of {len(found)} class, and at least two are needed"
        if len(found) > spec.max_classes:
            return (
                f"of {len(found)} classes, such as {', '.join(found[:_N_NAMED])}, and at most "
                f"{spec.max_classes} are expected: is it an identifier? Map rare classes to "
                "one in the target, or raise LabelSpec.max_classes"
            )
        return ""

    def describe_target(self, target: Array) -> dict[str, float]:
        counts = Counter(target).values()
        return {
            "n_classes": len(counts),
            "largest_class_share": round(max(counts) / len(target), 4),
            "smallest_class_share": round(min(counts) / len(target), 4),
        }

    def target_classes(self, target: Array) -> Array:
        known = {name: code for code, name in enumerate(sorted(set(target)))}
        return _array([known[name] for name in target], "int64")

    def target_numbers(self, target: Array) -> list[Array]:
        largest = Counter(target).most_common(_N_NAMED)
        return [_array([one == name for one in target], "float64") for name, _ in largest]

    def fits(self, model: Any) -> bool:
        from sklearn.base import is_classifier

        return bool(is_classifier(model))

    def classes(self, model: Any) -> tuple[str, ...]:
        return tuple(str(name) for name in model.classes_)

    def fields(self, model: Any) -> list[pa.Field]:
        import pyarrow as pa

        return [
            pa.field(PREDICTED, pa.string()),
            pa.field(CONFIDENCE, pa.float64()),
            *(pa.field(column_of(name), pa.float64()) for name in self.classes(model)),
        ]

    def predict(self, spec: EstimatorSpec, model: Any, frame: pd.DataFrame) -> dict[str, pa.Array]:
        import numpy as np
        import pyarrow as pa

        names, answer = self.classes(model), ask(spec, model, frame, self.method)
        found = probabilities(spec, model, answer, len(frame), len(names))
        likeliest = found.argmax(axis=1)
        columns = np.ascontiguousarray(found.T)  # as they are kept: then none is copied once more
        return {
            PREDICTED: pa.array(names, pa.string()).take(pa.array(likeliest)),
            CONFIDENCE: pa.array(found[np.arange(len(found)), likeliest]),
            **{column_of(name): pa.array(columns[i]) for i, name in enumerate(names)},
        }

    def outcomes(
        self,
        spec: EstimatorSpec,
        target: pa.ChunkedArray,
        predictions: Mapping[str, Any],
        days: Array | None = None,
    ) -> Outcomes:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        # Columns of classes that this version does not know are null, in every row of it.
        columns = [
            name
            for name in probability_columns(_names(predictions))
            if predictions[name].null_count < len(target) or not len(target)
        ]
        classes = tuple(class_of(name) for name in columns)
        codes = pc.fill_null(pc.index_in(target, pa.array(classes, pa.string())), -1)
        # One class after the other in memory: much faster to gather than row after row.
        scores = np.empty((len(columns), len(target)))
        for place, name in enumerate(columns):
            scores[place] = predictions[name].to_numpy(zero_copy_only=False)
        return Outcomes(codes.to_numpy().astype(np.int64), scores.T, days, classes=classes)

    def check_predictions(self, outcomes: Outcomes, who: str) -> None:
        check_probabilities(outcomes.y_pred, who)

    def naive(self, outcomes: Outcomes) -> Outcomes:
        import numpy as np

        counts = np.bincount(outcomes.y_true[outcomes.y_true >= 0], minlength=len(outcomes.classes))
        shares = np.tile(counts / max(counts.sum(), 1), (len(outcomes), 1))
        return Outcomes(outcomes.y_true, shares, outcomes.days, classes=outcomes.classes)

    def too_few(self, outcomes: Outcomes, min_class_rows: int) -> str:
        import numpy as np

        counts = np.unique(outcomes.y_true, return_counts=True)[1]
        enough = int((counts >= min_class_rows).sum())
        if enough >= 2:
            return ""
        return f"{len(outcomes)} rows, with {enough} classes of at least {min_class_rows},"

    def describe_outcomes(self, outcomes: Outcomes) -> dict[str, float]:
        unseen = int((outcomes.y_true < 0).sum())
        return {"unseen_class_share": unseen / len(outcomes)} if unseen else {}

    def note(self, outcomes: Outcomes) -> str:
        unseen = int((outcomes.y_true < 0).sum())
        return f"; {unseen} of a class that is new since the training" if unseen else ""

    def importance_rows(self, target: Array, random: np.random.Generator) -> Array:
        import numpy as np

        classes = sorted(set(target))
        if len(classes) < 2:
            return np.empty(0, np.int64)
        return rows_by_class(target, classes, random)[:2000]

    def importance_scorer(self, model: Any) -> Any:
        import numpy as np

        known = {name: code for code, name in enumerate(self.classes(model))}

        def minus_log_loss(model: Any, frame: Any, target: Any) -> float:
            found = model.predict_proba(frame)
            codes = np.array([known.get(name, -1) for name in target])
            likely = np.where(codes < 0, 0.0, found[np.arange(len(codes)), codes])
            return float(np.log(np.maximum(likely, np.finfo(float).eps)).mean())

        return minus_log_loss

    def explained(self, model: Any, frame: pd.DataFrame) -> Array:
        import numpy as np

        return np.asarray(model.predict_proba(frame), dtype=np.float64)

    def changed(self, ours: Outcomes, rival: Outcomes) -> Array:
        import numpy as np

        names = [_array(one.classes, "object")[one.decided] for one in (ours, rival)]
        return np.not_equal(*names)

    def curves(self, outcomes: Outcomes) -> tuple[Curve, ...]:
        right = (outcomes.decided == outcomes.y_true).astype("float64")
        return (mean_curve("calibration", outcomes.y_pred.max(axis=1), right),)

    def confusion(self, outcomes: Outcomes) -> Confusion:
        import numpy as np

        names = (*outcomes.classes, "(new class)")
        true = np.where(outcomes.y_true < 0, len(names) - 1, outcomes.y_true)
        return confusion(names, true, outcomes.decided)

    def profile_labels(self, targets: pa.ChunkedArray) -> Profile:
        import pyarrow as pa

        rows = pa.table({LABEL: targets.cast(pa.string())})
        return Profile.of(rows.to_batches(), rows.schema, categorical=[LABEL])

    def describe_labels(self, profiles: tuple[Profile, Profile]) -> str:
        old, new = (_shares(one, LABEL) for one in profiles)
        shifts = sorted(old | new, key=lambda name: -abs(new.get(name, 0) - old.get(name, 0)))
        shown = ", ".join(
            f"{name} {100 * old.get(name, 0):.3g} % → {100 * new.get(name, 0):.3g} %"
            for name in shifts[:_MAX_SHIFTS]
        )
        return f"{LABEL} shares {shown}"

    def describe_predictions(self, predictions: Profile, threshold: float) -> str:
        shares = _shares(predictions, PREDICTED)
        shown = ", ".join(f"{name} {share:.1%}" for name, share in list(shares.items())[:_N_NAMED])
        more = len(shares) - _N_NAMED
        return f"predicted {shown}" + (f" and {more} more classes" if more > 0 else "")


def _array(values: Sequence[Any], kind: str) -> Array:
    import numpy as np

    return np.array(values, dtype=kind)


def _names(predictions: Mapping[str, Any]) -> list[str]:
    return list(getattr(predictions, "column_names", predictions))


def _shares(profile: Profile, column: str) -> dict[str, float]:
    found: CategoryProfile = profile.columns[column]  # type: ignore[assignment]
    present = max(found.n - found.n_null, 1)
    return {str(name): count / present for name, count in found.counts.items()}
