"""Which rows an explanation looks at: drawn by the seed, and no more than stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[Any]

__all__ = ["BACKGROUND_ROWS", "DEPENDENCE_ROWS", "REASON_ROWS", "drawn", "spread"]

#: Rows that partial dependence is averaged over, at most.
DEPENDENCE_ROWS = 500
#: Rows that a reason replaces a feature's value from, at most.
BACKGROUND_ROWS = 30
#: Rows whose prediction is explained.
REASON_ROWS = 8


def drawn(n_rows: int, most: int, seed: int) -> Rows:
    """Return positions of at most `most` rows, in their order."""
    import numpy as np

    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))


def spread(values: Rows, most: int) -> Rows:
    """Return positions of rows from the lowest value to the highest, evenly over their ranks."""
    import numpy as np

    ranks = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(np.int64)
    return np.argsort(values, kind="stable")[np.unique(ranks)]
