"""What is other with a challenger than with the champion: importance, and predictions by slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types import Outcomes, ProblemType

    Texts = npt.NDArray[np.object_]
    Floats = npt.NDArray[np.float64]

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
    import pandas as pd

    changed = problem.changed(ours, rival).astype("float64")
    columns = [changed]
    if ours.y_pred.ndim == 1:
        columns += [one.astype("float64") for one in (ours.y_pred, rival.y_pred, ours.y_true)]
    found = [_change(ALL, "", len(ours), [float(one.mean()) for one in columns])]
    for name, groups in slices.items():
        codes, labels = pd.factorize(groups)  # None is in no group
        found += _groups(name, codes, [str(one) for one in labels], columns, min_rows)
    return tuple(found)


def _groups(
    name: str,
    codes: npt.NDArray[np.int64],
    labels: Sequence[str],
    columns: Sequence[Floats],
    min_rows: int,
) -> list[PredictionChange]:
    import numpy as np

    inside, n = codes >= 0, len(labels)
    counts = np.bincount(codes[inside], minlength=n)
    sums = [np.bincount(codes[inside], weights=one[inside], minlength=n) for one in columns]
    found = [
        _change(name, labels[i], int(counts[i]), [float(one[i] / counts[i]) for one in sums])
        for i in map(int, np.flatnonzero(counts >= min_rows))
    ]
    return sorted(found, key=lambda one: (-one.share_changed, one.group))[:_MOST_GROUPS]


def _change(name: str, group: str, n_rows: int, means: Sequence[float]) -> PredictionChange:
    shown = [float(f"{one:.6g}") for one in means]
    challenger, champion, true = shown[1:] if len(shown) > 1 else (None, None, None)
    return PredictionChange(name, group, n_rows, shown[0], challenger, champion, true)
