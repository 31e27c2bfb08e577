"""Why single rows got their prediction: what each feature's value added to it."""

from __future__ import annotations

from dataclasses import dataclass
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
_SHAPLEY = f"Shapley values beside {BACKGROUND_ROWS} other rows; they sum to the difference"
# Orders in which the features of a row are replaced, forth and back.
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
    how, measure = (_SHAPLEY, _shapley) if shap else (_REPLACED, _replaced)
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

    Averages over random orders, each walked forth and back: exact where at most two features act
    together. Castro, Gomez, Tejada (2009), "Polynomial calculation of the Shapley value based on
    sampling", Computers & Operations Research 36(5); Mitchell et al. (2022), "Sampling permutations
    for Shapley value estimation", JMLR 23. The library shap does the same; importing it and numba's
    compiler take ten times as long as asking the model.
    """
    import numpy as np

    draw, width = np.random.default_rng(seed), some.shape[1]
    effects = np.zeros((len(some), width))
    for i in range(len(some)):
        for _ in range(_ORDERS):
            order = draw.permutation(width)
            at = np.argsort(order)
            forth = [at < k for k in range(width + 1)]
            back = [at >= width - k for k in range(1, width)]
            given = np.array([*forth, *back])
            means = _means(ask, some.iloc[[i]], beside, given)[:, of[i]]
            effects[i, order] += np.diff(means[: width + 1])
            effects[i, order[::-1]] += np.diff([means[0], *means[width + 1 :], means[width]])
    return effects / (2 * _ORDERS)


def _means(
    ask: Ask, row: pd.DataFrame, beside: pd.DataFrame, given: npt.NDArray[np.bool_]
) -> Floats:
    """Return the mean prediction where some features are the row's and the rest of those beside.

    `given` says which are the row's, (n_cases, n_features).
    """
    import numpy as np
    import pandas as pd

    n, rows = len(beside), pd.concat([beside, row], ignore_index=True)
    columns = {
        name: rows[name]
        .iloc[np.where(given[:, [place]], n, np.arange(n)).ravel()]
        .reset_index(drop=True)
        for place, name in enumerate(rows.columns)
    }
    answers = ask(pd.DataFrame(columns)).reshape(len(given), n, -1)
    return np.asarray(answers.mean(axis=1))
