"""The estimator of the machine failure model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.pipeline import Pipeline


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Pipeline:
    """Return scaled numbers and one-hot categories, then a logistic regression."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encode = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(categorical)),
            ("numbers", StandardScaler(), list(numeric)),
        ]
    )
    return Pipeline([("encode", encode), ("model", LogisticRegression(random_state=random_state))])
