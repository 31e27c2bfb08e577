"""The types that a model may consist of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALLOWED_TYPES", "check_types", "refuse_types"]

# Compiled or private classes that skops does not know, of the estimators people use. A model's own
# MLmodel also carries such a list; it is never believed, whoever wrote the model wrote it too.
ALLOWED_TYPES = frozenset(
    {
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
    }
)


def check_types(model: Any) -> None:
    """Refuse to save a model that could not be loaded again under the allow-list.

    Parameters
    ----------
    model : estimator
        A fitted scikit-learn estimator.

    Raises
    ------
    UnsafeModelError
        If it holds a type outside `ALLOWED_TYPES`, by name.
    """
    import skops.io

    refuse_types(skops.io.get_untrusted_types(data=skops.io.dumps(model)), "the fitted model")


def refuse_types(types: Iterable[str], what: str) -> None:
    """Raise if one of some types is not allowed."""
    extra = sorted(set(types) - ALLOWED_TYPES)
    if extra:
        shown = f"{extra[:10]}{' and more' if len(extra) > 10 else ''}"
        raise UnsafeModelError(
            f"{what} holds types outside the allow-list: {shown[:1000]}. Use estimators whose "
            "types are in mlops_tasks.registry.modelfiles.ALLOWED_TYPES"
        )
