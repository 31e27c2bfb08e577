"""All columns of a profile as a few arrays: what is stored, and what is merged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlops_tasks.profiles.bridge import texts
from mlops_tasks.profiles.columns import CategoryProfile, NumericProfile, TimeProfile
from mlops_tasks.profiles.distinct import N_REGISTERS
from mlops_tasks.profiles.moments import Moments
from mlops_tasks.profiles.quantiles import Quantiles, middles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.profiles.columns import ColumnProfile

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = [
    "COUNTS",
    "MOMENTS",
    "TEXTS",
    "CategoryArrays",
    "NumberArrays",
    "columns_of",
    "offsets",
]

#: Columns of `NumberArrays.counts`, in order.
COUNTS = ("n", "n_null", "n_nan", "n_pos_inf", "n_neg_inf", "n_rounded", "n_finite")
#: Columns of `NumberArrays.moments`, in order.
MOMENTS = ("mean", "second", "third", "slack", "minimum", "maximum")
#: Columns of `CategoryArrays.counts`, in order.
TEXTS = (
    "n",
    "n_null",
    "error",
    "is_exact",
    "is_text",
    "total_length",
    "min_length",
    "max_length",
)


@dataclass(frozen=True, slots=True, eq=False)
class NumberArrays:
    """Numeric and time columns.

    Attributes
    ----------
    names : tuple of str
        The columns.
    is_time : array of bool
        Which are times.
    counts : array of int64 of shape (n_names, len(COUNTS))
        Rows by kind.
    moments : array of float64 of shape (n_names, len(MOMENTS))
        Of the finite values.
    bounds : array of int64 of shape (n_names, 2)
        First and last moment of times, and smallest and largest of whole numbers, which a double
        might round; 0 for other numbers. Where it rounds to another double than `moments` has, as
        in what was written before whole numbers had bounds, that double counts.
    sizes : array of int64
        Points of each column.
    points : array of float64
        All of them, column after column.
    """

    names: tuple[str, ...]
    is_time: npt.NDArray[np.bool_]
    counts: Integers
    moments: Floats
    bounds: Integers
    sizes: Integers
    points: Floats

    @classmethod
    def of(cls, columns: Mapping[str, ColumnProfile]) -> NumberArrays:
        """Take the numeric and time columns of a profile."""
        import numpy as np

        own = {n: c for n, c in columns.items() if isinstance(c, NumericProfile | TimeProfile)}
        rows = [_number_row(column) for column in own.values()]
        sketches = [column.sketch.points for column in own.values()]
        return cls(
            tuple(own),
            np.array([column.kind == "time" for column in own.values()], dtype=bool),
            np.array([row[0] for row in rows], np.int64).reshape(-1, len(COUNTS)),
            np.array([row[1] for row in rows], np.float64).reshape(-1, len(MOMENTS)),
            np.array([row[2] for row in rows], np.int64).reshape(-1, 2),
            np.array([len(points) for points in sketches], np.int64),
            np.concatenate(sketches or [np.zeros(0)]),
        )

    def thinned(self, limit: int) -> NumberArrays:
        """Return the same with at most `limit` points a column; the slack grows accordingly."""
        import numpy as np

        if self.sizes.max(initial=0) <= limit:
            return self
        index = _thinning(tuple(self.sizes.tolist()), limit)
        moments, n_finite = self.moments.copy(), self.counts[:, COUNTS.index("n_finite")]
        moments[:, MOMENTS.index("slack")] += np.where(self.sizes > limit, n_finite / 2 / limit, 0)
        sizes = np.minimum(self.sizes, limit)
        return replace(self, moments=moments, sizes=sizes, points=self.points[index])

    def columns(self) -> dict[str, ColumnProfile]:
        """Return the columns one by one."""
        starts = offsets(self.sizes)
        tables = [t.tolist() for t in (self.is_time, self.counts, self.moments, self.bounds)]
        return {
            name: _number_column(self.points[starts[i] : starts[i + 1]], *(t[i] for t in tables))
            for i, name in enumerate(self.names)
        }


@dataclass(frozen=True, slots=True, eq=False)
class CategoryArrays:
    """Category columns.

    Attributes
    ----------
    names : tuple of str
        The columns.
    counts : array of int64 of shape (n_names, len(TEXTS))
        Rows by kind, and lengths.
    sizes : array of int64
        Values of each column.
    values : Array of large_string
        All of them, column after column.
    rows : array of int64
        Rows of each value.
    registers : array of uint8 of shape (n_inexact, N_REGISTERS)
        Of the columns that are not exact, in order.
    """

    names: tuple[str, ...]
    counts: Integers
    sizes: Integers
    values: pa.Array
    rows: Integers
    registers: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, columns: Mapping[str, ColumnProfile]) -> CategoryArrays:
        """Take the category columns of a profile."""
        import numpy as np

        own = {n: c for n, c in columns.items() if isinstance(c, CategoryProfile)}
        table = [[getattr(column, name) for name in TEXTS] for column in own.values()]
        registers = [c.registers for c in own.values() if c.registers is not None]
        return cls(
            tuple(own),
            np.array(table, np.int64).reshape(-1, len(TEXTS)),
            np.array([len(column.counts) for column in own.values()], np.int64),
            texts([value for c in own.values() for value in c.counts]),
            np.array([n for c in own.values() for n in c.counts.values()], np.int64),
            np.array(registers, np.uint8).reshape(-1, N_REGISTERS),
        )

    def columns(self) -> dict[str, ColumnProfile]:
        """Return the columns one by one."""
        starts, registers = offsets(self.sizes), self.registers_by_column()
        values, rows, table = self.values.to_pylist(), self.rows.tolist(), self.counts.tolist()
        found: dict[str, ColumnProfile] = {}
        for i, name in enumerate(self.names):
            own = slice(starts[i], starts[i + 1])
            fields: dict[str, Any] = dict(zip(TEXTS, table[i], strict=True))
            fields |= {"is_exact": bool(fields["is_exact"]), "is_text": bool(fields["is_text"])}
            found[name] = CategoryProfile(
                counts=MappingProxyType(dict(zip(values[own], rows[own], strict=True))),
                n_other=fields["n"] - fields["n_null"] - sum(rows[own]),
                registers=registers.get(i),
                **fields,
            )
        return found

    def registers_by_column(self) -> dict[int, npt.NDArray[np.uint8]]:
        """Return the registers by the place of their column; exact columns have none."""
        import numpy as np

        inexact = np.flatnonzero(self.counts[:, TEXTS.index("is_exact")] == 0)
        return dict(zip(inexact.tolist(), self.registers, strict=True))


def columns_of(
    order: tuple[str, ...], numbers: NumberArrays, categories: CategoryArrays
) -> Mapping[str, ColumnProfile]:
    """Return all columns, read-only.

    Parameters
    ----------
    order : tuple of str
        Their names in the order of the schema.
    numbers : NumberArrays
        Numeric and time columns.
    categories : CategoryArrays
        The others.

    Returns
    -------
    mapping of str to ColumnProfile
        In that order.
    """
    found = numbers.columns() | categories.columns()
    return MappingProxyType({name: found[name] for name in order})


def offsets(sizes: Integers) -> list[int]:
    """Return where each part begins, and where the last ends."""
    return [0, *sizes.cumsum().tolist()]


@lru_cache(maxsize=64)
def _thinning(sizes: tuple[int, ...], limit: int) -> npt.NDArray[np.int64]:
    """Return which points of columns side by side stay."""
    import numpy as np

    starts = np.cumsum(sizes) - sizes
    return np.concatenate(
        [
            start + (middles(size, limit) if size > limit else np.arange(size))
            for start, size in zip(starts, sizes, strict=True)
        ]
    )


def _number_column(
    points: Floats, is_time: bool, counts: list[int], moments: list[float], bounds: list[int]
) -> NumericProfile | TimeProfile:
    n, n_null, n_nan, pos_inf, neg_inf, rounded, n_finite = counts
    mean, second, third, slack, low, high = moments
    powers = Moments(n_finite, mean, second, third)
    sketch = Quantiles(n_finite, points, slack)
    if is_time:
        first, last = bounds if n_finite else (None, None)
        return TimeProfile(n, n_null, first, last, powers, sketch)
    low, high = _exact(bounds[0], low), _exact(bounds[1], high)
    return NumericProfile(n, n_null, n_nan, pos_inf, neg_inf, rounded, low, high, powers, sketch)


def _exact(bound: int, double: float) -> int | float:
    return bound if bound and float(bound) == double else double


def _number_row(
    column: NumericProfile | TimeProfile,
) -> tuple[list[int], list[float], tuple[int, int]]:
    moments, slack = column.moments, column.sketch.slack
    powers = [moments.mean, moments.second, moments.third, slack]
    if isinstance(column, TimeProfile):
        low, high = column.minimum, column.maximum
        bounds = (0, 0) if low is None or high is None else (low, high)
        return [column.n, column.n_null, 0, 0, 0, 0, moments.n], [*powers, 0.0, 0.0], bounds
    counts = [getattr(column, name) for name in COUNTS]
    ends = column.minimum, column.maximum
    return counts, [*powers, *map(float, ends)], (_bound(ends[0]), _bound(ends[1]))


def _bound(end: float) -> int:
    """Return a whole number as it is; of 64 bits with a sign, else as 0."""
    return end if isinstance(end, int) and -(2**63) <= end < 2**63 else 0
