"""Rows whose target is known, with what a model predicted for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Outcomes", "day_codes"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Rows whose target is known, with what a model predicted for them.

    Attributes
    ----------
    y_true : array of shape (n_samples,)
        Binary: 0 or 1. Multiclass: index into `classes`, -1 for a class that the version has never
        seen. Regression: float64.
    y_pred : array of shape (n_samples,) or (n_samples, n_classes)
        Binary: probability of true. Multiclass: one probability per class. Regression: float64.
    days : array of shape (n_samples,), optional
        Partition of each row, text or codes: rows of one day are not independent.
    classes : tuple of str
        Multiclass: names, in the order of the columns of `y_pred`.
    threshold : float, default 0.5
        Binary: a row is decided to be true where `y_pred` is above it.
    weights : array of shape (n_samples,), optional
        Sample weights, above 0; every row counts 1 without.
    """

    y_true: npt.NDArray[Any]
    y_pred: npt.NDArray[np.float64]
    days: npt.NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.y_true)

    def part(self, rows: npt.NDArray[Any]) -> Outcomes:
        """Return some of the rows, by their places or a mask."""
        days, weights = (None if one is None else one[rows] for one in (self.days, self.weights))
        taken = {"y_true": self.y_true[rows], "y_pred": self.y_pred[rows]}
        return replace(self, **taken, days=days, weights=weights)

    @property
    def decided(self) -> npt.NDArray[np.int64]:
        """The class each row is decided to have: the probable one, or by the threshold."""
        import numpy as np

        if self.y_pred.ndim == 2:
            return np.asarray(self.y_pred.argmax(axis=1), np.int64)
        return (self.y_pred > self.threshold).astype(np.int64)

    @property
    def sample_weights(self) -> npt.NDArray[np.float64]:
        """The weight of each row, 1 without `weights`."""
        import numpy as np

        return np.ones(len(self)) if self.weights is None else np.asarray(self.weights, np.float64)


def day_codes(days: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return days as numbers from 0, which are compared much faster than text."""
    import numpy as np
    import pyarrow as pa

    found = pa.array(days).dictionary_encode().indices
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
