"""What is other with a challenger than with the champion: importance, and predictions by slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types import Outcomes, ProblemType

    Texts = npt.NDArray[np.object_]

__all__ = ["ImportanceChange", "PredictionChange", "importance_changes", "prediction_changes"]

ALL = "all rows"
_MOST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class ImportanceChange:
    """How much a feature matters to both; None to one that does not have it."""

    feature: str
    challenger: float | None
    champion: float | None


@dataclass(frozen=True, slots=True)
class PredictionChange:
    """How the predictions of a group of rows differ.

    Attributes
    ----------
    slice, group : str
        What the rows are grouped by, and which group; all rows first.
    n_rows : int
        Rows of the group.
    share_changed : float
        Share of them whose decision is another one; of numbers, whose prediction moved by more
        than the champion's mean absolute error.
    mean_challenger, mean_champion, mean_true : float or None
        Mean prediction of both, and of the truth; None of several classes, whose mean says nothing.
    """

    slice: str
    group: str
    n_rows: int
    share_changed: float
    mean_challenger: float | None
    mean_champion: float | None
    mean_true: float | None


def importance_changes(
    challenger: Mapping[str, float], champion: Mapping[str, float] | None
) -> tuple[ImportanceChange, ...]:
    """Put the importance of both side by side, what matters most to either first."""
    old = champion or {}
    found = [
        ImportanceChange(name, challenger.get(name), old.get(name))
        for name in dict.fromkeys((*challenger, *old))
    ]
    return tuple(
        sorted(found, key=lambda one: (-max(one.challenger or 0, one.champion or 0), one.feature))
    )


def prediction_changes(
    problem: ProblemType,
    ours: Outcomes,
    rival: Outcomes,
    slices: Mapping[str, Texts],
    *,
    min_rows: int,
) -> tuple[PredictionChange, ...]:
    """Compare the predictions of both for all rows, and group by group.

    Parameters
    ----------
    problem : ProblemType
        Of both.
    ours, rival : Outcomes
        Of the challenger and of the champion, for the same rows.
    slices : mapping of str to array of str
        By name the group of each row; None for rows of no group.
    min_rows : int
        Smaller groups are left out.

    Returns
    -------
    tuple of PredictionChange
        All rows first, then for each slice the groups in which most changed, at most eight.
    """
    import numpy as np

    changed = problem.changed(ours, rival)
    found = [_change(ALL, "", np.ones(len(ours), dtype=bool), changed, ours, rival)]
    for name, groups in slices.items():
        names, counts = np.unique([str(g) for g in groups if g is not None], return_counts=True)
        large = names[counts >= min_rows]
        each = [_change(name, str(group), groups == group, changed, ours, rival) for group in large]
        found += sorted(each, key=lambda one: -one.share_changed)[:_MOST_GROUPS]
    return tuple(found)


def _change(
    name: str,
    group: str,
    inside: npt.NDArray[np.bool_],
    changed: npt.NDArray[np.bool_],
    ours: Outcomes,
    rival: Outcomes,
) -> PredictionChange:
    means: list[float | None] = [None, None, None]
    if ours.y_pred.ndim == 1:
        values = (ours.y_pred, rival.y_pred, ours.y_true)
        means = [float(f"{float(one[inside].mean()):.6g}") for one in values]
    return PredictionChange(
        slice=name,
        group=group,
        n_rows=int(inside.sum()),
        share_changed=round(float(changed[inside].mean()), 6),
        mean_challenger=means[0],
        mean_champion=means[1],
        mean_true=means[2],
    )
