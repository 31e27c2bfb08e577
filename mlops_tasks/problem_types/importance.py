"""How much each feature matters to a fitted estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.problem_types.base import ProblemType

    Array = npt.NDArray[Any]

__all__ = ["feature_importance", "rows_by_class"]

_CLASS_ROWS = 1000


def feature_importance(
    problem: ProblemType, model: Any, frame: pd.DataFrame, target: Array, *, seed: int = 0
) -> dict[str, float]:
    """Measure how much a model loses when a feature's values are shuffled.

    In the scorer of the problem type: ROC AUC, log loss of the classes, or R². By feature, at least
    0; all 0 where nothing can be lost, as with one class only. At most 1,000 rows of each of two
    classes, or 2,000 rows, are drawn, which the model must not have been trained on. Breiman
    (2001), "Random forests", Machine Learning 45.
    """
    import numpy as np
    from sklearn.inspection import permutation_importance

    chosen = problem.importance_rows(target, np.random.default_rng(seed))
    if not len(chosen):
        return {str(name): 0.0 for name in frame.columns}
    found = permutation_importance(
        model,
        frame.iloc[chosen],
        target[chosen],
        scoring=problem.importance_scorer(model),
        n_repeats=1,  # it ranks columns, and each shuffle costs every training a prediction
        random_state=seed,
    )
    losses = zip(frame.columns, np.maximum(found.importances_mean, 0.0), strict=True)
    return {str(name): round(float(loss), 6) for name, loss in losses}


def rows_by_class(target: Array, classes: Iterable[Any], random: np.random.Generator) -> Array:
    """Draw at most 1,000 rows of each of two classes; none unless every class has some."""
    import numpy as np
    import pandas as pd

    order = random.permutation(len(target))
    codes, labels = pd.factorize(target)  # numbers are compared much faster than text
    number_of = dict(zip(labels, range(len(labels)), strict=True))
    shuffled = codes[order]
    drawn = [order[shuffled == number_of.get(label, -2)][:_CLASS_ROWS] for label in classes]
    if not all(len(rows) for rows in drawn):
        return order[:0]
    return order[np.isin(order, np.concatenate(drawn))]
