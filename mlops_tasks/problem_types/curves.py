"""How good a model is along its predictions, in few enough points to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = [
    "Confusion",
    "Curve",
    "confusion",
    "mean_curve",
    "quantile_curve",
    "ranking_curves",
]

_POINTS, _BINS, _CLASSES = 60, 10, 12
# A point that stands for fewer rows would nearly show one of them.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, ``x`` rising; ``n_rows`` behind each where it is a mean of them."""

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    n_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by true and by decided class, the largest classes named and the others together."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusion(names: Sequence[str], true: Places, decided: Places) -> Confusion:
    """Count rows by true and decided class, both as places in `names`."""
    import numpy as np

    n = len(names)
    counts = np.bincount(true * n + decided, minlength=n * n).reshape(n, n)
    size = counts.sum(axis=0) + counts.sum(axis=1)
    kept = np.sort(np.argsort(-size, kind="stable")[:_CLASSES])
    kept = kept[size[kept] > 0]
    rest = np.setdiff1d(np.flatnonzero(size), kept)
    groups = [np.array([one]) for one in kept] + ([rest] if len(rest) else [])
    return Confusion(
        (*(names[one] for one in kept), *(["(others)"] if len(rest) else [])),
        tuple(tuple(int(counts[np.ix_(row, column)].sum()) for column in groups) for row in groups),
    )


def ranking_curves(y_true: Floats, y_pred: Floats) -> tuple[Curve, ...]:
    """Return ROC and precision over recall; none where one class is missing."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not 0 < y_true.sum() < len(y_true):
        return ()
    false, true, _ = roc_curve(y_true, y_pred)
    precision, recall, _ = precision_recall_curve(y_true, y_pred)
    return (
        _thinned("roc", false, true),
        _thinned("precision_recall", recall[::-1], precision[::-1]),
    )


def _thinned(kind: str, x: Floats, y: Floats) -> Curve:
    """Keep few points, evenly along the curve."""
    import numpy as np

    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    at = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _POINTS)).clip(0, len(x) - 1))
    return Curve(kind, _rounded(x[at]), _rounded(y[at]))


def mean_curve(kind: str, predicted: Floats, truth: Floats) -> Curve:
    """Average truth and prediction in bins of as many rows each, ties of a prediction together."""
    import numpy as np

    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, predicted, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    enough = counts >= _FEWEST
    x, y = (
        np.bincount(bins, weights=one, minlength=len(counts))[enough] / counts[enough]
        for one in (predicted, truth)
    )
    return Curve(kind, _rounded(x), _rounded(y), tuple(int(n) for n in counts[enough]))


def quantile_curve(kind: str, values: Floats) -> Curve:
    """Return quantiles of values over their levels."""
    import numpy as np

    levels = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
    return Curve(kind, _rounded(levels), _rounded(np.quantile(values, levels)))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)
