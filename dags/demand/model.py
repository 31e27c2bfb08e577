"""The estimator of the demand model."""

from typing import Any


def build(*, categorical: tuple[str, ...], numeric: tuple[str, ...], random_state: int) -> Any:
    """Return boosted trees with the loss of counts; categories get the mean of their sales."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import TargetEncoder

    folds = KFold(5, shuffle=True, random_state=random_state)
    encode = make_column_transformer(
        (TargetEncoder(target_type="continuous", cv=folds), list(categorical)),
        ("passthrough", list(numeric)),
    )
    trees = HistGradientBoostingRegressor(
        loss="poisson", max_iter=150, min_samples_leaf=30, random_state=random_state
    )
    return make_pipeline(encode, trees)
