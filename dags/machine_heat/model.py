"""The estimator of the machine heat model."""

from __future__ import annotations

from typing import Any


def build(*, categorical: tuple[str, ...], numeric: tuple[str, ...], random_state: int) -> Any:
    """Return scaled numbers and one-hot categories, then a ridge regression."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(categorical)),
        (StandardScaler(), list(numeric)),
    )
    return make_pipeline(encode, Ridge(random_state=random_state))
