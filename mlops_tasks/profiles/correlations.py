"""Correlation of every pair of numeric columns, over the rows where both are finite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["MAX_CORRELATED", "Correlations"]

#: Columns that are correlated, the first of the schema: pairs grow with the square.
MAX_CORRELATED = 64
#: A product of this many multiplications stays on the thread that asks for it (OpenBLAS).
_ONE_THREAD = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Moments of pairs of columns.

    Attributes
    ----------
    names : tuple of str
        The columns, in schema order.
    n : array of shape (n_names, n_names)
        Rows where both are finite.
    mean, second : array of shape (n_names, n_names)
        Of row i's column over the rows where column j is finite too: mean, and sum of squared
        distances from it.
    product : array of shape (n_names, n_names)
        Sum of the products of both distances.

    Notes
    -----
    Parts are merged as Chan, Golub and LeVeque (1983) merge variances, so that the result does not
    depend on how rows were cut into batches, up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0]])
    >>> Correlations.of(("x", "y"), np.array([5.0, 7.0]), z, None).matrix().round(3).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    names: tuple[str, ...]
    n: Floats
    mean: Floats
    second: Floats
    product: Floats

    @classmethod
    def nothing(cls, names: tuple[str, ...]) -> Correlations:
        """Return the moments of no rows."""
        import numpy as np

        return cls(names, *np.zeros((4, len(names), len(names))))

    @classmethod
    def of(
        cls, names: tuple[str, ...], center: Floats, z: Floats, present: Floats | None
    ) -> Correlations:
        """Take the moments of one chunk of rows.

        Parameters
        ----------
        names : tuple of str
            The columns.
        center : array of shape (n_names,)
            A finite value near the mean of each column.
        z : array of shape (n_names, n_rows)
            The values less their center; 0 where there is no finite value.
        present : array of shape (n_names, n_rows), optional
            1 where there is a finite value, else 0; None when there is one everywhere.

        Returns
        -------
        Correlations
            Of the chunk.
        """
        import numpy as np

        with np.errstate(over="ignore", invalid="ignore"):
            product = _times(z, z)
            if present is None:
                n = np.full(product.shape, float(z.shape[1]))
                total = np.repeat(z.sum(axis=1)[:, None], len(names), axis=1)
                square = np.repeat(np.diag(product)[:, None], len(names), axis=1)
            else:
                n, total = _times(present, present), _times(z, present)
                square = _times(z * z, present)
            shift = total / np.maximum(n, 1)
            mean = np.where(n > 0, center[:, None] + shift, 0.0)
            return cls(names, n, mean, square - shift * total, product - shift * total.T)

    @classmethod
    def merged(cls, parts: Sequence[Correlations]) -> Correlations:
        """Take the moments of the union of rows; a column that a part lacks has no rows there."""
        import numpy as np

        known = dict.fromkeys(name for part in parts for name in part.names)
        names = tuple(known)[:MAX_CORRELATED]
        total = tuple(np.zeros((4, len(names), len(names))))
        for part in parts:
            total = _add(total, part._over(names))
        return cls(names, *total)

    def matrix(self) -> Floats:
        """Return Pearson's correlation of all pairs; NaN where a column does not vary."""
        import numpy as np

        with np.errstate(all="ignore"):
            scale = np.sqrt(self.second) * np.sqrt(self.second.T)
            found = np.where(scale > 0, self.product / scale, np.nan)
        return np.clip(found, -1.0, 1.0)

    def between(self, first: str, second: str) -> float:
        """Return Pearson's correlation of two columns; NaN where one does not vary.

        Parameters
        ----------
        first, second : str
            Names of columns.

        Returns
        -------
        float
            In [-1, 1].

        Raises
        ------
        KeyError
            If a column is not among `names`.
        """
        missing = [name for name in (first, second) if name not in self.names]
        if missing:
            raise KeyError(f"no correlations of {missing}: correlated are {list(self.names)}")
        i, j = self.names.index(first), self.names.index(second)
        return float(self.matrix()[i, j])

    def as_arrays(self) -> dict[str, Floats]:
        """Return the arrays to store; of symmetric ones, half."""
        half = _upper(len(self.names))
        return {
            "pair_n": self.n[half],
            "pair_mean": self.mean,
            "pair_second": self.second,
            "pair_product": self.product[half],
        }

    @classmethod
    def of_arrays(cls, names: tuple[str, ...], arrays: Mapping[str, Floats]) -> Correlations:
        """Rebuild the moments from `as_arrays`.

        Parameters
        ----------
        names : tuple of str
            The columns.
        arrays : mapping of str to array
            With the arrays of `as_arrays`, and perhaps others.

        Returns
        -------
        Correlations
            The same as before.
        """
        import numpy as np

        half = _upper(len(names))
        n, product = np.zeros((2, len(names), len(names)))
        for whole, name in ((n, "pair_n"), (product, "pair_product")):
            whole[half] = arrays[name]
            whole.T[half] = arrays[name]
        return cls(names, n, arrays["pair_mean"], arrays["pair_second"], product)

    def _over(self, names: tuple[str, ...]) -> tuple[Floats, ...]:
        import numpy as np

        tables = (self.n, self.mean, self.second, self.product)
        if names == self.names:
            return tables
        own = [name for name in names if name in self.names]
        source = np.ix_(*[[self.names.index(name) for name in own]] * 2)
        target = np.ix_(*[[names.index(name) for name in own]] * 2)
        wide = np.zeros((4, len(names), len(names)))
        for table, one in zip(wide, tables, strict=True):
            table[target] = one[source]
        return tuple(wide)


@lru_cache(maxsize=64)
def _upper(size: int) -> tuple[npt.NDArray[np.intp], ...]:
    import numpy as np

    return np.triu_indices(size)


def _add(left: tuple[Floats, ...], right: tuple[Floats, ...]) -> tuple[Floats, ...]:
    import numpy as np

    (n, mean, second, product), (m, mean_2, second_2, product_2) = left, right
    total = n + m
    with np.errstate(over="ignore", invalid="ignore"):
        share = m / np.maximum(total, 1)
        delta = np.where((n > 0) & (m > 0), mean_2 - mean, 0.0)
        weight = n * share
        merged = np.where(n > 0, mean + delta * share, mean_2)
        return (
            total,
            merged,
            second + second_2 + delta * delta * weight,
            product + product_2 + delta * delta.T * weight,
        )


def _times(left: Floats, right: Floats) -> Floats:
    """Multiply by the transpose, in blocks so small that the library starts no threads."""
    n_names, n_rows = left.shape
    step = max(_ONE_THREAD // max(n_names, 1) ** 2, 16)
    whole = n_rows - n_rows % step
    rest: Floats = left[:, whole:] @ right[:, whole:].T
    if whole:
        blocks = (n_names, whole // step, step)
        first = left[:, :whole].reshape(blocks).transpose(1, 0, 2)
        second = right[:, :whole].reshape(blocks).transpose(1, 2, 0)
        rest = rest + (first @ second).sum(axis=0)
    return rest
