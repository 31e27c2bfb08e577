"""Why single rows got their prediction: what each feature's value added to it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mlops_tasks.figures import short_number
from mlops_tasks.gate.explanation.sampling import (
    BACKGROUND_ROWS,
    DEPENDENCE_ROWS,
    REASON_ROWS,
    drawn,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]
    Ask = Callable[[pd.DataFrame], Floats]

__all__ = ["Reason", "RowReasons", "row_reasons"]

_MOST = 5
_REPLACED = (
    "each effect: the prediction, less its mean when the feature's value is replaced by those of "
    f"{BACKGROUND_ROWS} other rows"
)
_SHAPLEY = f"Shapley values (shap) beside {BACKGROUND_ROWS} other rows; they sum to the difference"
_ABSENT = (
    "; Shapley values were asked for, and shap is not installed: "
    "pip install 'mlops-airflow[explanations]'"
)
# Orders in which shap replaces the features of a row, forth and back.
_ORDERS = 4
# Rounding is no reason.
_NOTHING, _LONG = 1e-9, 40


@dataclass(frozen=True, slots=True)
class Reason:
    """What one feature added to a prediction; ``value`` is empty where it must not be shown."""

    feature: str
    value: str
    effect: float


@dataclass(frozen=True, slots=True)
class RowReasons:
    """One prediction and its strongest reasons; the row itself is named by nothing.

    ``of`` is the class whose probability it is; ``usual`` the mean of the rows beside.
    """

    of: str
    prediction: float
    usual: float
    reasons: tuple[Reason, ...]


def row_reasons(
    ask: Ask,
    frame: pd.DataFrame,
    classes: Sequence[str],
    *,
    hidden: Collection[str],
    texts: Collection[str],
    shap: bool,
    seed: int,
) -> tuple[tuple[RowReasons, ...], str]:
    """Explain the predictions of a few rows, from the lowest to the highest.

    Parameters
    ----------
    ask : callable
        Gives the numbers of which each row's largest one is explained, (n_rows, n_numbers).
    frame : DataFrame
        Rows as the model is asked with; keys are not among its columns.
    classes : sequence of str
        What the numbers are called; one for a single one.
    hidden, texts : collection of str
        Features whose values are not shown; a free text may hold anything.
    shap : bool
        Whether Shapley values are wanted.
    seed : int
        Of the rows beside.

    Returns
    -------
    tuple of (tuple of RowReasons, str)
        At most 8 rows, and how the effects were measured. Of a model with any hidden feature no
        value is shown: together values of a row may tell whose it is.
    """
    import numpy as np

    known = frame.iloc[drawn(len(frame), DEPENDENCE_ROWS, seed)]
    rows = known.iloc[spread(ask(known).max(axis=1), REASON_ROWS)]
    beside = frame.iloc[drawn(len(frame), BACKGROUND_ROWS, seed)]
    predicted = ask(rows)
    how, measure = _REPLACED, _replaced
    if shap and find_spec("shap") is None:
        how = _REPLACED + _ABSENT
    elif shap:
        how, measure = _SHAPLEY, _shapley
    of = predicted.argmax(axis=1)
    effects = measure(ask, rows, beside, of, seed)
    usual = ask(beside).mean(axis=0)
    shown = [str(name) not in texts and not hidden for name in frame.columns]
    found = tuple(
        RowReasons(
            of=classes[of[i]],
            prediction=round(float(predicted[i, of[i]]), 6),
            usual=round(float(usual[of[i]]), 6),
            reasons=_strongest(rows.iloc[i], effects[i], shown),
        )
        for i in np.argsort(predicted.max(axis=1), kind="stable")
    )
    return found, how


def _strongest(row: pd.Series, effects: Floats, shown: Sequence[bool]) -> tuple[Reason, ...]:
    order = sorted(range(len(effects)), key=lambda i: -abs(effects[i]))[:_MOST]
    return tuple(
        Reason(
            feature=str(row.index[i]),
            value=_said(row.iloc[i]) if shown[i] else "",
            effect=round(float(effects[i]), 6),
        )
        for i in order
        if abs(effects[i]) > _NOTHING
    )


def _said(value: Any) -> str:
    """Say a value as briefly as it still means the same; a number is rounded."""
    if isinstance(value, str):
        return value if len(value) <= _LONG else f"{value[: _LONG - 1]}…"
    return "missing" if value != value else short_number(value)


def _replaced(ask: Ask, some: pd.DataFrame, beside: pd.DataFrame, of: Places, seed: int) -> Floats:
    """Return by how much each prediction falls when one value is replaced, (n_some, n_features)."""
    import numpy as np
    import pandas as pd

    n, n_beside, width = len(some), len(beside), some.shape[1]
    repeated = some.iloc[np.repeat(np.arange(n), n_beside)].reset_index(drop=True)
    others = beside.iloc[np.tile(np.arange(n_beside), n)].reset_index(drop=True)
    asked = pd.concat([repeated.assign(**{name: others[name]}) for name in some.columns])
    found = ask(asked).reshape(width, n, n_beside, -1).mean(axis=2)
    rows = np.arange(n)
    return np.asarray(ask(some)[rows, of][:, np.newaxis] - found[:, rows, of].T)


def _shapley(ask: Ask, some: pd.DataFrame, beside: pd.DataFrame, of: Places, seed: int) -> Floats:
    """Return Shapley values, (n_some, n_features), of any kind of feature.

    What shap sees of a value is the number of the row that it is from: a text is as good as any.
    """
    import numpy as np
    import pandas as pd
    import shap

    rows = pd.concat([beside, some], ignore_index=True)

    def of_places(places: npt.NDArray[Any]) -> Floats:
        at = places.astype(np.int64)
        columns = {
            name: rows[name].iloc[at[:, place]].reset_index(drop=True)
            for place, name in enumerate(rows.columns)
        }
        return ask(pd.DataFrame(columns))

    n, width = len(beside), rows.shape[1]
    places = np.tile(np.arange(len(rows), dtype=np.float64)[:, np.newaxis], (1, width))
    masker = shap.maskers.Independent(places[:n], max_samples=n)
    explainer = shap.explainers.Permutation(of_places, masker, seed=seed)
    found = explainer(places[n:], max_evals=_ORDERS * (2 * width + 1), silent=True)
    values = np.asarray(found.values, dtype=np.float64).reshape(len(some), width, -1)
    return np.asarray(values[np.arange(len(some)), :, of])
