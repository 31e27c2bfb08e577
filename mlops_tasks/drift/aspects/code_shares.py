"""Shares of single numbers where there are few, as codes, weekdays and counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.aspects.base import in_blocks
from mlops_tasks.drift.aspects.category_rows import CategoryRows
from mlops_tasks.drift.aspects.shares import CategoryShares
from mlops_tasks.drift.distributions import CategoryColumns, NumberColumns
from mlops_tasks.profiles.arrays import CategoryArrays
from mlops_tasks.profiles.columns import NumericProfile
from mlops_tasks.profiles.recoding import categories_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects.base import Aspect, ReferenceProfiles
    from mlops_tasks.drift.distributions import Floats
    from mlops_tasks.drift.effects import Readings
    from mlops_tasks.profiles import Profile

__all__ = ["CodeShares"]

# Numbers are codes if those with at least the first share each cover the second of the rows.
# Smaller shares are not known well from the points of a sketch, least from the few of a roll-up.
_LEAST_SHARE, _COVERED = 1 / 32, 3 / 4


class CodeShares(CategoryShares):
    """Shares of single numbers in columns that have few, as of categories.

    Their order says nothing where they are codes: that 2 and 3 changed places moves neither mean
    nor shape much, and is a large change of a category. New numbers are looked for elsewhere, since
    where they are no codes a day may reach beyond all others without drift.
    """

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at numbers of which 2 to 32 have three quarters of the rows."""
        numbers = NumberColumns.of([reference.whole], reference.numbers)
        coded = (name for i, name in enumerate(numbers.names) if _are_codes(numbers.points(0, i)))
        blocks = in_blocks(coded)
        return [cls(reference, _CodeRows(reference.whole, own)) for own in blocks]

    def _readings(self, profiles: Sequence[Profile], *, own: bool = False) -> Readings:
        error = NumberColumns.of(profiles, self.columns).rank_error
        # A share lies between two ranks; errors up to the largest are about equally likely.
        return replace(super()._readings(profiles, own=own), spread=2 / 3 * error**2)


class _CodeRows(CategoryRows):
    """Rows by number, from the points of the sketches."""

    def __init__(self, whole: Profile, names: tuple[str, ...]) -> None:
        super().__init__(whole, names, least_share=_LEAST_SHARE)

    def _columns(self, profiles: Sequence[Profile]) -> CategoryColumns:
        return CategoryColumns([self._recoded(one) for one in profiles], self.names)

    def _recoded(self, profile: Profile) -> CategoryArrays:
        columns = {name: profile.columns.get(name) for name in self.names}
        return CategoryArrays.of(
            {n: categories_of(c) for n, c in columns.items() if isinstance(c, NumericProfile)}
        )


def _are_codes(points: Floats) -> bool:
    """Return whether few numbers have most of the points."""
    size = len(points)
    starts = np.flatnonzero(np.append(True, points[1:] != points[:-1])[:size])
    n_points = np.diff(starts, append=size)
    often = n_points[n_points >= max(_LEAST_SHARE * size, 2)]
    return len(often) >= 2 and bool(often.sum() >= _COVERED * size)
