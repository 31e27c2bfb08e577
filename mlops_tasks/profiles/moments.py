"""Count, mean, variance and skew that stay stable however the values were cut into parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Moments", "merged_moments"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of powers of the distance from the mean.

    Attributes
    ----------
    n : int
        Finite values.
    mean : float
        Their mean; 0 for none.
    second, third : float
        Sum of the squares and of the cubes of the distances from the mean; infinite where a double
        cannot hold them.
    """

    n: int = 0
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0

    @classmethod
    def of(cls, values: Floats, mean: float, distances: Floats) -> Moments:
        """Take the moments of one chunk.

        Parameters
        ----------
        values : array of float64
            Finite.
        mean : float
            Of the values.
        distances : array of float64
            The values less their mean.
        """
        squares = distances * distances
        return cls(len(values), mean, float(squares.sum()), float((squares * distances).sum()))

    @classmethod
    def merged(cls, parts: Sequence[Moments]) -> Moments:
        """Take the moments of a union."""
        import numpy as np

        table = np.array([[p.n, p.mean, p.second, p.third] for p in parts]).reshape(-1, 1, 4)
        n, mean, second, third = merged_moments(*np.moveaxis(table, 2, 0))
        return cls(int(n[0]), float(mean[0]), float(second[0]), float(third[0]))


def merged_moments(
    n: Floats, mean: Floats, second: Floats, third: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Merge the moments of many columns at once.

    Parameters
    ----------
    n, mean, second, third : array of shape (n_parts, n_columns)
        As in `Moments`.

    Returns
    -------
    tuple of array of shape (n_columns,)
        The same four of the union of the parts.

    References
    ----------
    Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance", American
    Statistician 37; third moments: Pébay (2008), SAND2008-6212.
    """
    import numpy as np

    total = n.sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = (n / np.where(total > 0, total, 1) * mean).sum(axis=0)
        delta = np.where(n > 0, mean - whole, 0.0)
        squares = (second + n * delta * delta).sum(axis=0)
        cubes = (third + 3 * delta * second + n * delta * delta * delta).sum(axis=0)
    return total, whole, squares, cubes
