"""Rows whose target is known, with what a model predicted for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Outcomes"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What a model predicted for rows whose target is known.

    Attributes
    ----------
    y_true : array of shape (n_samples,)
        Binary: 0 or 1. Multiclass: index into `classes`, -1 for a class that the version has never
        seen. Regression: a finite number.
    y_pred : array of shape (n_samples,) or (n_samples, n_classes)
        Binary: the probability of 1. Multiclass: one probability per class. Regression: a number.
    days : array of shape (n_samples,) or None
        The day of each row; rows of one day are not independent.
    classes : tuple of str
        Multiclass: their names, in the order of the columns of `y_pred`.
    threshold : float
        Binary: the class is 1 where the probability is above it.
    weights : array of shape (n_samples,) or None
        Sample weights.
    """

    y_true: npt.NDArray[Any]
    y_pred: npt.NDArray[np.float64]
    days: npt.NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y_true)
