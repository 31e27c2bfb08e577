"""Both sides of a comparison, with what measures, words and pictures of them have in common."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.cells import category_cells
from mlops_tasks.profiles.alignment import matching
from mlops_tasks.profiles.numeric import COUNTS, MOMENTS
from mlops_tasks.profiles.recoding import categories_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlops_tasks.drift.columns import Categories, Floats
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.numeric import NumericColumns

__all__ = ["CategoryPair", "NumberPairs", "Pairs", "Side"]

_N, _FINITE = COUNTS.index("n"), COUNTS.index("n_finite")
_SECOND, _MIN, _MAX = (MOMENTS.index(name) for name in ("second", "minimum", "maximum"))


class Side:
    """Columns of numbers of one profile.

    Parameters
    ----------
    numbers : NumericColumns
        All columns of numbers of the profile.
    names : tuple of str
        Those wanted; it has them all.

    Attributes
    ----------
    n, n_finite : array of shape (n_names,)
        Rows, and those with a finite number.
    ends : array of shape (n_names, 2)
        Minimum and maximum.
    variance : array of shape (n_names,)
        Of the finite numbers; 0 of none.
    """

    def __init__(self, numbers: NumericColumns, names: tuple[str, ...]) -> None:
        at = np.array(matching(numbers.names, names)[0], np.intp)
        self.n, self.n_finite = numbers.counts[at][:, [_N, _FINITE]].T.astype(float)
        self.ends = numbers.moments[at][:, [_MIN, _MAX]]
        self.variance = numbers.moments[at, _SECOND] / np.maximum(self.n_finite, 1)
        self._sizes = numbers.sizes[at]
        self._starts = (np.cumsum(numbers.sizes) - numbers.sizes)[at]
        self._points = np.append(numbers.points, np.nan)

    def points(self, i: int) -> Floats:
        """Return the points of one column."""
        return self._points[self._starts[i] : self._starts[i] + self._sizes[i]]

    def quantiles(self, levels: Floats) -> Floats:
        """Return the quantiles of each column at some levels; NaN where it has no numbers."""
        # As `Quantiles.quantiles`.
        place = np.ceil(levels * self._sizes[:, None] * (1 - 1e-15)).astype(np.int64) - 1
        index = self._starts[:, None] + np.maximum(place, 0)
        return self._points[np.where(self._sizes[:, None] > 0, index, -1)]

    def cdf(self, at: Floats) -> Floats:
        """Return the shares of each column that are at most its own row of values."""
        found = np.zeros_like(at)
        for i, (start, size) in enumerate(
            zip(self._starts.tolist(), self._sizes.tolist(), strict=True)
        ):
            own = self._points[start : start + size]
            found[i] = own.searchsorted(at[i], side="right")
        return np.asarray(found / np.maximum(self._sizes, 1)[:, None])


class NumberPairs:
    """The columns of numbers and of times that two profiles share.

    Parameters
    ----------
    reference, current : Profile
        Both sides.
    names : collection of str
        Columns that both have, of the same kind, perhaps of other kinds too.

    Attributes
    ----------
    names : tuple of str
        Those of them that hold numbers or times.
    is_time : list of bool
        Which of them hold times.
    reference, current : Side
        Both sides, in the order of the names.
    """

    def __init__(self, reference: Profile, current: Profile, names: Collection[str]) -> None:
        wanted = set(names)
        self.names = tuple(name for name in reference.numbers.names if name in wanted)
        self.is_time = [reference.columns[name].kind == "time" for name in self.names]
        self.reference = Side(reference.numbers, self.names)
        self.current = Side(current.numbers, self.names)

    def cells(self, edges: Floats) -> tuple[Floats, Floats]:
        """Count both sides in bins; as `cells.cell_counts`, one row per column.

        Parameters
        ----------
        edges : array of shape (n_names, n_edges)
            Inner edges, in order; some may coincide. A value on one belongs to the bin below.

        Returns
        -------
        tuple of array of shape (n_names, n_edges + 1)
            Rows per bin, reference and current.
        """
        return _in_bins(self.reference, edges), _in_bins(self.current, edges)

    @cached_property
    def percentiles(self) -> dict[str, list[list[float]]]:
        """The 10th, 50th and 90th of each column, reference and current."""
        levels = np.array([0.1, 0.5, 0.9])
        both = np.stack([side.quantiles(levels) for side in (self.reference, self.current)], axis=1)
        return dict(zip(self.names, both.tolist(), strict=True))

    def steps(self, n_levels: int) -> tuple[Floats, Floats, Floats]:
        """Return points where distribution functions may step, and both functions there.

        Parameters
        ----------
        n_levels : int
            Quantiles of each side that are taken, beside the ends.

        Returns
        -------
        tuple of array of shape (n_names, 2 * n_levels + 4)
            The points in order, some twice, and the shares at most as large.
        """
        levels = (np.arange(n_levels) + 0.5) / n_levels
        sides = self.reference, self.current
        points = [points for side in sides for points in (side.quantiles(levels), side.ends)]
        at = np.sort(np.concatenate(points, axis=1), axis=1)
        return at, self.reference.cdf(at), self.current.cdf(at)


class CategoryPair:
    """A column of categories.

    Parameters
    ----------
    reference, current : Categories
        Both sides.

    Attributes
    ----------
    reference, current : Categories
        Both sides.
    labels : list of str
        Categories that either side has, in order; `cells.OTHER` last, if there are others.
    cells : tuple of array
        Rows of each, reference and current.
    shares : tuple of array
        Of the rows with a value; 0 where a side has none.
    """

    def __init__(self, reference: Categories, current: Categories) -> None:
        self.reference, self.current = reference, current
        self.labels, *cells = category_cells(reference, current)
        self.cells = cells[0], cells[1]
        self.shares = tuple(side / max(side.sum(), 1) for side in cells)


class Pairs:
    """The columns that two profiles share.

    Parameters
    ----------
    reference, current : Profile
        Both sides.
    names : collection of str
        Columns that both have, of the same kind.
    known_numbers : mapping of str to array, optional
        Numbers that the reference's days had, as `repeats.known_numbers` finds them.

    Attributes
    ----------
    reference, current : mapping of str to ColumnProfile
        Both sides.
    numbers : NumberPairs
        The columns of numbers and times.
    categories : dict of str to CategoryPair
        The others.
    known_numbers : mapping of str to array
        As given.
    """

    def __init__(
        self,
        reference: Profile,
        current: Profile,
        names: Collection[str],
        known_numbers: Mapping[str, Floats] = MappingProxyType({}),
    ) -> None:
        self.known_numbers = known_numbers
        self.reference, self.current = reference.columns, current.columns
        self.numbers = NumberPairs(reference, current, names)
        self.categories = {
            name: CategoryPair(self.reference[name], self.current[name])  # type: ignore[arg-type]
            for name in set(names).difference(self.numbers.names)
        }

    def of_categories(self, name: str) -> CategoryPair:
        """Return both sides of a column as categories, also where they are numbers."""
        if name in self.categories:
            return self.categories[name]
        sides = (self.reference[name], self.current[name])
        return CategoryPair(*map(categories_of, sides))  # type: ignore[arg-type]


def _in_bins(side: Side, edges: Floats) -> Floats:
    ends = np.zeros((len(edges), 1))
    below = np.concatenate([ends, side.cdf(edges), ends + 1], axis=1)
    return np.asarray(np.diff(below, axis=1) * side.n_finite[:, None])
