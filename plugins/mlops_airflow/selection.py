"""The tasks by which a training comes to what it fits: candidates, or the trials of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.operators.candidates import (
    TILE,
    ChooseCandidateOperator,
    FitCandidateOperator,
    ProposeCandidatesOperator,
)
from mlops_tasks.tuning import check_installed

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from mlops_tasks.specs import ModelSpec

__all__ = ["choose_among", "selection_functions", "selection_words"]


def selection_functions(model: ModelSpec) -> dict[str, str | None]:
    """Return the functions that are named for the choice, by where they are named.

    Raises
    ------
    SpecError
        If there is a search and Optuna is not installed.
    """
    found = {f"candidates {one.name!r}": one.estimator for one in model.candidates}
    if model.search is not None:
        check_installed()
        found["search"] = model.search.space if isinstance(model.search.space, str) else None
    return found


def selection_words(model: ModelSpec) -> str:
    """Return how the Dag comes to what it fits, for its documentation."""
    if not model.selects:
        return ""
    what = "trial of the search" if model.search else "candidate"
    return (
        f" each `candidate` measures a {what} on later parts of the training window, `choose` "
        "takes the best one, `train` fits it on all of the window,"
    )


def choose_among(model: ModelSpec, pin: XComArg) -> XComArg:
    """Wire candidates side by side, and the choice among them."""
    search = model.search
    limits: dict[str, Any] = {}
    if search is not None:
        limits["max_active_tis_per_dagrun"] = search.parallel
        limits |= {"pool": search.pool} if search.pool else {}
    proposed = ProposeCandidatesOperator(task_id="propose", model=model, pin=pin).output
    measured = (
        FitCandidateOperator.partial(
            task_id="candidate", model=model, pin=pin, map_index_template=TILE, **limits
        )
        .expand(candidate=proposed)
        .output
    )
    return ChooseCandidateOperator(
        task_id="choose", model=model, pin=pin, proposed=proposed, measured=measured
    ).output
