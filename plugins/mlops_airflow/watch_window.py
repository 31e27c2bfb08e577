"""The tasks of a watch window after a promotion, beside those that score and monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow import assets
from mlops_airflow.operators.after_promotion import (
    CompareChampionsOperator,
    RollBackWorseOperator,
    ScoreShadowOperator,
)

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

__all__ = ["add_comparison", "add_shadow", "comparison_words", "shadow_words"]


def add_shadow(model: ModelSpec, scored: Any) -> None:
    """Let the champion before predict, too; nothing for a model without watch windows."""
    if model.after_promotion is not None:
        ScoreShadowOperator(task_id="shadow", model=model, scored=scored)


def add_comparison(model: ModelSpec) -> None:
    """Compare both, and roll back; nothing for a model without watch windows."""
    if model.after_promotion is None:
        return
    compared = CompareChampionsOperator(task_id="compare", model=model).output
    outlets = [assets.model_asset(model)]
    RollBackWorseOperator(task_id="roll_back", model=model, comparison=compared, outlets=outlets)


def shadow_words(model: ModelSpec) -> str:
    """Say in the Dag's documentation what `shadow` does."""
    watched = model.after_promotion
    if watched is None:
        return ""
    return (
        f"For {watched.window.words} after a promotion `shadow` predicts the same rows with the "
        "champion before; of that nothing is published."
    )


def comparison_words(model: ModelSpec) -> str:
    """Say in the Dag's documentation what `compare` and `roll_back` do."""
    watched = model.after_promotion
    if watched is None:
        return ""
    then = "returns to it" if watched.roll_back else "tells people"
    return (
        "While a new champion is watched, `compare` holds it against the one before on the same "
        f"rows, and `roll_back` {then} where the new one is shown to be worse."
    )
