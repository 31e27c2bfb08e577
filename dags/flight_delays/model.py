"""The estimator of the flight delay model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.pipeline import Pipeline


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Pipeline:
    """Return the unfitted pipeline: target-encoded categories, then boosted trees.

    Parameters
    ----------
    categorical, numeric : sequence of str
        Feature columns. Missing numbers are learned as such; unknown categories get the mean.
    random_state : int
        Seed of folds and trees.

    Returns
    -------
    Pipeline
        A classifier whose types are all in the allow-list of safe model files.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder

    # A category is encoded by rows of other folds, or its own target would leak into it.
    folds = StratifiedKFold(5, shuffle=True, random_state=random_state)
    encode = ColumnTransformer(
        [
            ("categories", TargetEncoder(cv=folds), list(categorical)),
            ("numbers", "passthrough", list(numeric)),
        ]
    )
    trees = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=80,
        max_leaf_nodes=15,
        min_samples_leaf=80,
        random_state=random_state,
    )
    return Pipeline([("encode", encode), ("trees", trees)])
