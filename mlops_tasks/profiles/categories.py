"""Columns of categories: each by itself, and all of a profile as a few arrays."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from mlops_tasks.profiles.alignment import places, stacked, union
from mlops_tasks.profiles.frequent_items import FrequentItems
from mlops_tasks.profiles.zero_copy import texts
from mlops_tasks.workers import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Integers = npt.NDArray[np.int64]

__all__ = ["CATEGORY_COUNTS", "CategoryColumns", "CategoryProfile"]

#: Columns of `CategoryColumns.counts`, in order.
CATEGORY_COUNTS = ("n", "n_null", "error", "is_exact")
_ERROR, _IS_EXACT = CATEGORY_COUNTS.index("error"), CATEGORY_COUNTS.index("is_exact")


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """A column of texts, of booleans (``false``, ``true``) or of what a dictionary holds, as text.

    Attributes
    ----------
    n, n_null : int
        Rows, and those without a value.
    counts : mapping of str to int
        Values by falling count; all of them when `is_exact`, else the frequent ones. Those of a
        partition are right to the row, those of a merge may each lack up to `error`.
    error : int
        No value has more rows than its count, or 0 when it has none, plus this.
    is_exact : bool
        Whether every value is in `counts`.
    """

    n: int
    n_null: int
    counts: Mapping[str, int]
    error: int
    is_exact: bool

    kind: ClassVar[Literal["category"]] = "category"

    @property
    def n_other(self) -> int:
        """Rows with a value that is not in `counts`."""
        return self.n - self.n_null - sum(self.counts.values())


@dataclass(frozen=True, slots=True, eq=False)
class CategoryColumns:
    """All columns of categories of a profile: what is stored, and what is merged.

    Attributes
    ----------
    names : tuple of str
        The columns.
    counts : array of int64 of shape (n_names, len(CATEGORY_COUNTS))
        Rows by kind.
    sizes : array of int64
        Values of each column.
    values : Array of large_string
        All of them, column after column.
    rows : array of int64
        Rows of each value.
    """

    names: tuple[str, ...]
    counts: Integers
    sizes: Integers
    values: pa.Array
    rows: Integers

    @classmethod
    def of(cls, columns: Mapping[str, CategoryProfile]) -> CategoryColumns:
        """Put columns side by side."""
        import numpy as np

        own = columns.values()
        counts = [[getattr(column, name) for name in CATEGORY_COUNTS] for column in own]
        return cls(
            tuple(columns),
            np.array(counts, np.int64).reshape(-1, len(CATEGORY_COUNTS)),
            np.array([len(column.counts) for column in own], np.int64),
            texts([value for column in own for value in column.counts]),
            np.array([rows for column in own for rows in column.counts.values()], np.int64),
        )

    def by_name(self) -> dict[str, CategoryProfile]:
        """Return the columns one by one."""
        starts = [0, *self.sizes.cumsum().tolist()]
        values, rows, counts = self.values.to_pylist(), self.rows.tolist(), self.counts.tolist()
        found = {}
        for i, name in enumerate(self.names):
            n, n_null, error, is_exact = counts[i]
            own = slice(starts[i], starts[i + 1])
            by_value = MappingProxyType(dict(zip(values[own], rows[own], strict=True)))
            found[name] = CategoryProfile(n, n_null, by_value, error, bool(is_exact))
        return found

    @classmethod
    def merged(cls, parts: Sequence[CategoryColumns]) -> CategoryColumns:
        """Merge the columns of profiles; a column that one lacks has no rows there."""
        import numpy as np
        import pyarrow as pa

        names = union(part.names for part in parts)
        items = _merged_items(parts, names)
        counts = stacked(parts, names, "counts").sum(axis=0)
        counts[:, _ERROR] = [one.error for one in items]
        counts[:, _IS_EXACT] = [one.is_exact for one in items]
        return cls(
            names,
            counts,
            np.array([len(one.values) for one in items], np.int64),
            pa.concat_arrays([one.values for one in items] or [texts([])]),
            np.concatenate([one.counts for one in items] or [np.zeros(0, np.int64)]),
        )


def _merged_items(parts: Sequence[CategoryColumns], names: tuple[str, ...]) -> list[FrequentItems]:
    begins, sizes = places(parts, names)
    counts = stacked(parts, names, "counts")

    def items(part: CategoryColumns, begin: int, size: int, own: list[int]) -> FrequentItems:
        n, _, error, is_exact = own
        values, rows = part.values.slice(begin, size), part.rows[begin : begin + size]
        # A part that lacks the column has no rows of it, and knows that exactly.
        return FrequentItems(values, rows, error, bool(is_exact or not n))

    def merge(i: int) -> FrequentItems:
        columns = (begins[:, i].tolist(), sizes[:, i].tolist(), counts[:, i].tolist())
        return FrequentItems.merged(list(map(items, parts, *columns)))

    return side_by_side(merge, range(len(names)), n_values=int(sizes.sum()))
