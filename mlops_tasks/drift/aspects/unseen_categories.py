"""Categories that the reference never had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.aspects.category_rows import expected_of_a_day
from mlops_tasks.drift.aspects.rare_share import RareShare
from mlops_tasks.drift.effects import CohensH, Readings
from mlops_tasks.drift.formatting import percent, short_name, with_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects.base import Aspect, ReferenceProfiles
    from mlops_tasks.drift.aspects.category_rows import CategoryRows
    from mlops_tasks.drift.two_samples import TwoSamples
    from mlops_tasks.profiles import Profile

__all__ = ["UnseenCategories"]


class UnseenCategories(RareShare):
    """Rows of categories that the reference never had, where it counted all of its own."""

    name = "unseen"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at columns whose categories were all counted."""
        return [cls(reference, rows) for rows in reference.category_rows]

    def __init__(self, reference: ReferenceProfiles, rows: CategoryRows) -> None:
        self._rows, self._at = rows, np.flatnonzero(rows.is_exact)
        self.columns = tuple(rows.names[i] for i in self._at)
        # Good (1953): as many rows are new as there are rows of categories that were seen once.
        once, n = np.array([np.sum(rows.rows[i] == 1) for i in self._at]), rows.n[self._at]
        new = ((once + 0.5) / (n + 1))[:, None]  # half a row, after Jeffreys, to vary at all
        self.effect = CohensH(np.ones_like(new), new)
        self.days = self._readings(reference.days, own=True)
        whole = Readings((once / np.maximum(n, 1))[None, :, None], n[None], np.zeros_like(n)[None])
        self.reference = expected_of_a_day(self.effect, whole, self.days, np.zeros(len(n), int))

    def read_new(self, profiles: Sequence[Profile]) -> Readings:
        """Read profiles that are none of the days."""
        return self._readings(profiles)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write the share of the rows, and name the commonest of the categories."""
        table = samples.tables[self.columns[i]]
        old, new = table.rows[:, : table.n_named]
        unseen = np.where(old == 0, new, 0.0)
        share = unseen.sum() / max(table.rows[1].sum(), 1)
        most = np.argsort(-unseen, kind="stable")[: np.count_nonzero(unseen)].tolist()
        text = f"{percent(share)} of the rows in new categories{self.usual(i)}"
        return with_names(text, (short_name(table.labels[k]) for k in most))

    def _readings(self, profiles: Sequence[Profile], *, own: bool = False) -> Readings:
        n, _, unseen = self._rows.read(profiles, own=own)
        n = n[:, self._at]
        return Readings(unseen[:, self._at, None], n, np.zeros_like(n))
