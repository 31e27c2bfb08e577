"""The estimator of the support ticket model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.pipeline import Pipeline


def build(
    *, categorical: Sequence[str], numeric: Sequence[str], text: Sequence[str], random_state: int
) -> Pipeline:
    """Return word weights of each text and one-hot categories, then a logistic regression."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    words = [(name, TfidfVectorizer(ngram_range=(1, 2), min_df=3), name) for name in text]
    categories = ("categories", OneHotEncoder(handle_unknown="ignore"), list(categorical))
    encode = ColumnTransformer([*words, categories])
    return Pipeline(
        [("encode", encode), ("model", LogisticRegression(C=3.0, random_state=random_state))]
    )
