"""All that explains a challenger beside the champion, as one record of plain numbers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_tasks.gate.explanation.changes import (
    ImportanceChange,
    PredictionChange,
    importance_changes,
    prediction_changes,
)
from mlops_tasks.gate.explanation.dependence import Dependence, partial_dependences
from mlops_tasks.gate.explanation.pins import PinChange, pin_changes
from mlops_tasks.gate.explanation.reasons import RowReasons, row_reasons
from mlops_tasks.gate.explanation.sampling import BACKGROUND_ROWS, DEPENDENCE_ROWS, REASON_ROWS
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.curves import Confusion, Curve  # noqa: TC001 (rebuilt from JSON)
from mlops_tasks.problem_types.importance import feature_importance

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["Explanation", "Side", "explain"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: a fitted model, rows as it is asked with, their outcomes, and its pin."""

    model: Any
    frame: pd.DataFrame
    outcomes: Outcomes
    pin: TrainingPin


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a challenger predicts as it does, and what is other than with the champion.

    Attributes
    ----------
    importance : tuple of ImportanceChange
        What matters most first.
    dependence : tuple of Dependence
        Of the challenger.
    reasons : tuple of RowReasons
        Of a few of its predictions.
    reasons_by : str
        How their effects were measured.
    predictions : tuple of PredictionChange
        Beside the champion's; empty for a first model.
    curves, champion_curves : tuple of Curve
        How good both are along their predictions.
    confusion, champion_confusion : Confusion or None
        Rows by true and decided class; None of numbers.
    pins : tuple of PinChange
        What both were trained on.
    limits : str
        How many rows were looked at, at most.
    notes : tuple of str
        What could not be explained, and why.
    """

    importance: tuple[ImportanceChange, ...]
    dependence: tuple[Dependence, ...]
    reasons: tuple[RowReasons, ...]
    reasons_by: str
    predictions: tuple[PredictionChange, ...]
    curves: tuple[Curve, ...]
    champion_curves: tuple[Curve, ...]
    confusion: Confusion | None
    champion_confusion: Confusion | None
    pins: tuple[PinChange, ...]
    limits: str
    notes: tuple[str, ...] = ()


def explain(
    spec: EstimatorSpec,
    challenger: Side,
    champion: Side | None,
    target: npt.NDArray[Any],
    *,
    slices: Mapping[str, npt.NDArray[np.object_]] | None = None,
    min_slice_rows: int = 100,
    shap: bool = False,
) -> Explanation:
    """Explain a challenger on rows that neither was trained on.

    Parameters
    ----------
    spec : EstimatorSpec
        The model; what its `hides` says is not shown.
    challenger, champion : Side
        The two; no champion for a first model.
    target : array of shape (n_rows,)
        Of the rows.
    slices : mapping of str to array of str, optional
        By name the group of each row; by default those of the categorical features.
    min_slice_rows : int, default 100
        Smaller groups are not shown.
    shap : bool, default False
        Whether reasons are Shapley values, by the library of this name.

    Returns
    -------
    Explanation
        Deterministic by the spec's seed. What an estimator refuses is noted and fails nothing.
    """
    problem, seed = problem_type(spec.problem_type), spec.random_state
    frame = challenger.frame
    hidden = {str(name) for name in frame.columns if spec.hides(str(name))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of estimators asked for rows that are no training's
        ours = feature_importance(problem, challenger.model, frame, target, seed=seed)
        theirs = None
        if champion is not None:
            old = champion.model, champion.frame
            theirs = feature_importance(problem, *old, target, seed=seed)
        what: dict[str, Any] = {"hidden": hidden, "texts": set(spec.text), "seed": seed}
        dependence = partial_dependences(problem, challenger.model, frame, ours, **what)
        reasons, how, notes = _reasons(spec, challenger.model, frame, shap=shap, **what)
    groups = _categories(spec, frame) if slices is None else slices
    mine, rival = challenger.outcomes, champion.outcomes if champion else None
    return Explanation(
        importance=importance_changes(ours, theirs),
        dependence=dependence,
        reasons=reasons,
        reasons_by=how,
        predictions=()
        if rival is None
        else prediction_changes(problem, mine, rival, groups, min_rows=min_slice_rows),
        curves=problem.curves(mine),
        champion_curves=() if rival is None else problem.curves(rival),
        confusion=problem.confusion(mine),
        champion_confusion=None if rival is None else problem.confusion(rival),
        pins=pin_changes(challenger.pin, champion.pin if champion else None),
        limits=(
            f"importance on at most 2000 rows, partial dependence on {DEPENDENCE_ROWS}, reasons of "
            f"{REASON_ROWS} rows beside {BACKGROUND_ROWS}, drawn with seed {seed}; all else on all "
            f"{len(frame)} rows"
        ),
        notes=notes,
    )


def _reasons(
    spec: EstimatorSpec, model: Any, frame: pd.DataFrame, **what: Any
) -> tuple[tuple[RowReasons, ...], str, tuple[str, ...]]:
    problem = problem_type(spec.problem_type)
    ask = partial(problem.explained, model)
    try:
        reasons, how = row_reasons(ask, frame, problem.classes(model) or ("",), **what)
    except MemoryError:
        raise
    except Exception as error:  # an estimator may refuse what only an explanation asks of it
        return (), "", (f"no reasons of single predictions: {type(error).__name__}",)
    return reasons, how, ()


def _categories(spec: EstimatorSpec, frame: pd.DataFrame) -> dict[str, npt.NDArray[np.object_]]:
    """Return the categories of each row, of features that may be shown."""
    import numpy as np

    names = [name for name in spec.categorical if name in frame and not spec.hides(name)]
    return {
        name: np.array([v if isinstance(v, str) else None for v in frame[name]], dtype=object)
        for name in names
    }
