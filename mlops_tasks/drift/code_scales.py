"""Numbers of which there are few, as codes, weekdays and counts: their shares, as of categories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.category_scales import CategoryShares
from mlops_tasks.profiles import NumericProfile
from mlops_tasks.profiles.alignment import stacked
from mlops_tasks.profiles.categories import CategoryColumns
from mlops_tasks.profiles.numeric import COUNTS, MOMENTS
from mlops_tasks.profiles.recoding import categories_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.gauges import Aspect, Readings
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.numeric import NumericColumns

__all__ = ["CodeShares", "coded_columns"]

# Numbers are codes if those with at least the first share each cover the second of the rows.
# Smaller shares are not known well from the points of a sketch, least from the few of a roll-up.
_LEAST_SHARE, _COVERED = 1 / 32, 3 / 4
_FINITE, _SLACK = COUNTS.index("n_finite"), MOMENTS.index("slack")


def coded_columns(numbers: NumericColumns) -> npt.NDArray[np.bool_]:
    """Tell which columns have few numbers in most of their rows.

    Parameters
    ----------
    numbers : NumericColumns
        Of a whole reference.

    Returns
    -------
    array of bool of shape (n_names,)
        Whether 2 to 32 numbers, each with a 32nd of the rows or more, have three quarters of all.
    """
    ends = np.cumsum(numbers.sizes)
    found = np.zeros(len(ends), np.bool_)
    for i, (end, size) in enumerate(zip(ends.tolist(), numbers.sizes.tolist(), strict=True)):
        own = numbers.points[end - size : end]
        starts = np.flatnonzero(np.append(True, own[1:] != own[:-1])[:size])
        n_points = np.diff(starts, append=size)
        often = n_points[n_points >= max(_LEAST_SHARE * size, 2)]
        found[i] = len(often) >= 2 and often.sum() >= _COVERED * size
    return found


class CodeShares(CategoryShares):
    """Shares of single numbers in columns that have few.

    Their order says nothing where they are codes: that 2 and 3 changed places moves neither mean
    nor shape much, and is a large change of a category. New numbers are looked for elsewhere, since
    where they are no codes a day may reach beyond all others without drift.

    Parameters
    ----------
    whole : Profile
        Of the reference.
    days : sequence of Profile
        Of its days, or of the whole as a single one.
    names : tuple of str
        Columns of numbers, for which `coded_columns` holds.

    Notes
    -----
    Shares are read from the points of the sketches; their error is part of the noise.
    """

    _least_share = _LEAST_SHARE

    def __init__(self, whole: Profile, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        self._columns = names
        super().__init__(whole, days, names)
        for told in (self.names, self.gauges, self.reference, self.own):
            told.pop("unseen")

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        """Read profiles that are none of the days."""
        return {"shares": self._read(profiles, is_own=False)["shares"]}

    def _read(self, profiles: Sequence[Profile], *, is_own: bool) -> dict[Aspect, Readings]:
        found = super()._read(profiles, is_own=is_own)
        parts = [one.numbers for one in profiles]
        n = stacked(parts, self._columns, "counts")[:, :, _FINITE]
        slack = stacked(parts, self._columns, "moments")[:, :, _SLACK]
        # A share lies between two ranks; errors up to the largest are about equally likely.
        spread = 2 / 3 * np.minimum(slack / np.maximum(n, 1), 1.0) ** 2
        return found | {"shares": replace(found["shares"], spread=spread)}

    def _categories(self, profile: Profile) -> CategoryColumns:
        columns = {name: profile.columns.get(name) for name in self._columns}
        return CategoryColumns.of(
            {n: categories_of(c) for n, c in columns.items() if isinstance(c, NumericProfile)}
        )
