"""Categories that a fitted model knows, and rows that have others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["known_categories", "unseen_categories"]


def unseen_categories(
    model: Any, frame: pd.DataFrame, categorical: tuple[str, ...]
) -> dict[str, int]:
    """Count the rows whose category the model's encoder was not fitted on, by column with any.

    Missing values do not count.
    """
    known = known_categories(model)
    counts = {
        name: int((~frame[name].isin(known[name]) & frame[name].notna()).sum())
        for name in categorical
        if name in known
    }
    return {name: count for name, count in counts.items() if count}


def known_categories(model: Any) -> dict[str, Any]:
    """Return the categories that the encoders of a pipeline were fitted on, by column.

    Its first step is a ColumnTransformer; other models give no answer.
    """
    found: dict[str, Any] = {}
    for _, fitted, _ in getattr(_first(model), "transformers_", []):
        categories = getattr(_last(fitted), "categories_", ())
        names = getattr(fitted, "feature_names_in_", ())
        found |= dict(zip(map(str, names), categories, strict=False))
    return found


def _first(model: Any) -> Any:
    steps = getattr(model, "steps", None)
    return steps[0][1] if steps else model


def _last(transformer: Any) -> Any:
    steps = getattr(transformer, "steps", None)
    return steps[-1][1] if steps else transformer
