"""Classes and functions as a project has them in its own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Clipper", "Forgetful", "clip", "make_nested"]


class Clipper(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Clip each column at quantiles that are learned in the fit."""

    def __init__(self, share: float = 0.01) -> None:
        self.share = share

    def fit(self, X: Any, y: Any = None) -> Self:
        rows = np.asarray(X, dtype=float)
        self.low_ = np.nanquantile(rows, self.share, axis=0)
        self.high_ = np.nanquantile(rows, 1 - self.share, axis=0)
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float64]:
        clipped: npt.NDArray[np.float64] = np.asarray(X, dtype=float).clip(self.low_, self.high_)
        return clipped


class Forgetful(Clipper):
    """Keep what was learned where no file can: outside of its attributes."""

    def fit(self, X: Any, y: Any = None) -> Self:
        global _LEARNED
        _LEARNED = float(np.nanmean(np.asarray(X, dtype=float)))
        self.learned_ = True
        return super().fit(X, y)

    def __getstate__(self) -> dict[str, Any]:
        return {"share": self.share}


_LEARNED = 0.0


def clip(X: Any) -> npt.NDArray[np.float64]:
    """Clip each value at two."""
    clipped: npt.NDArray[np.float64] = np.asarray(X, dtype=float).clip(-2, 2)
    return clipped


def make_nested() -> Any:
    """Make a function that has no name of its own."""

    def nested(X: Any) -> Any:
        return X

    return nested
