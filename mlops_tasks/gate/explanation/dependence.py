"""Partial dependence: what is predicted on average as one feature goes through its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tasks.gate.explanation.sampling import DEPENDENCE_ROWS, drawn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from mlops_tasks.problem_types import ProblemType

__all__ = ["Dependence", "partial_dependences"]

_TOP, _STEPS, _CATEGORIES, _CLASSES = 6, 12, 8, 4


@dataclass(frozen=True, slots=True)
class Dependence:
    """What a model predicts on average for values of one feature, all else as it is.

    Attributes
    ----------
    feature : str
        The feature.
    values : tuple of float or str
        Numbers between the 5th and the 95th percentile, or the most frequent categories.
    predictions : dict of str to tuple of float
        For each value the mean prediction: of true, of a class each, or the number.
    n_rows : int
        Rows that it is averaged over.
    shares : tuple of float
        Of categories, the share of the rows that have each.
    note : str
        Why there is none.
    """

    feature: str
    values: tuple[float | str, ...]
    predictions: dict[str, tuple[float, ...]]
    n_rows: int
    shares: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Grid:
    values: Any
    shares: tuple[float, ...] = field(default=())


def partial_dependences(
    problem: ProblemType,
    model: Any,
    frame: pd.DataFrame,
    importance: Mapping[str, float],
    *,
    hidden: Collection[str],
    texts: Collection[str],
    seed: int,
) -> tuple[Dependence, ...]:
    """Follow the features that matter most through their values.

    Parameters
    ----------
    problem : ProblemType
        Of the model.
    model : estimator
        Fitted.
    frame : DataFrame
        Rows as it is asked with.
    importance : mapping of str to float
        By feature; the six largest ones are looked at.
    hidden, texts : collection of str
        Features whose values must not be shown, and free texts, which have no order.
    seed : int
        Of the sample of at most 500 rows.

    Returns
    -------
    tuple of Dependence
        The most important one first. Friedman (2001), "Greedy function approximation: a gradient
        boosting machine", Annals of Statistics 29(5).
    """
    some = frame.iloc[drawn(len(frame), DEPENDENCE_ROWS, seed)]
    top = sorted(name for name in frame.columns if importance.get(str(name), 0.0) > 0)
    top = sorted(top, key=lambda name: -importance[str(name)])[:_TOP]
    found = []
    for name in map(str, top):
        if name in hidden:
            found.append(Dependence(name, (), {}, 0, note="its values are personal"))
        elif name in texts:
            found.append(Dependence(name, (), {}, 0, note="a free text has no order of values"))
        else:
            found.append(_dependence(problem, model, some, name))
    return tuple(found)


def _dependence(problem: ProblemType, model: Any, some: pd.DataFrame, name: str) -> Dependence:
    from sklearn.inspection import partial_dependence

    grid = _grid(some[name])
    if len(grid.values) < 2:
        return Dependence(name, (), {}, 0, note="it has one value in these rows")
    try:
        answer = partial_dependence(
            model,
            some,
            [name],
            kind="average",
            method="brute",
            categorical_features=[name] if grid.shares else None,
            custom_values={name: grid.values},
        )
    except MemoryError:
        raise
    except Exception as error:  # an estimator may refuse what only an explanation asks of it
        said = f"it could not be asked: {type(error).__name__}"
        return Dependence(name, (), {}, 0, note=said)
    labels = problem.classes(model) or ("",)
    curves = {
        label: tuple(round(float(value), 6) for value in curve)
        for label, curve in zip(labels, answer["average"], strict=False)
    }
    steepest = sorted(curves, key=lambda label: min(curves[label]) - max(curves[label]))
    return Dependence(
        feature=name,
        values=tuple(v if isinstance(v, str) else float(f"{v:.6g}") for v in grid.values),
        predictions={label: curves[label] for label in steepest[:_CLASSES]},
        n_rows=len(some),
        shares=grid.shares,
    )


def _grid(values: pd.Series) -> _Grid:
    """Return the values to try: of numbers evenly between percentiles, else the frequent ones."""
    import numpy as np

    present = values.dropna()
    if values.dtype.kind != "f":
        counts = present.astype(str).value_counts()[:_CATEGORIES]
        shares = tuple(round(float(share), 4) for share in counts / max(len(values), 1))
        return _Grid(np.array(list(counts.index), dtype=object), shares)
    if present.nunique() <= _STEPS:
        return _Grid(np.unique(present))
    # At quantiles, where there are rows; between them a line is drawn.
    return _Grid(np.unique(np.quantile(present, np.linspace(0.05, 0.95, _STEPS))))
