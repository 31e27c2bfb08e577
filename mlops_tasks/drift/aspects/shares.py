"""Shares of the frequent categories, and of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect
from mlops_tasks.drift.aspects.category_rows import expected_of_a_day
from mlops_tasks.drift.effects import CohensH, Readings, never_certain
from mlops_tasks.drift.formatting import percent, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects.base import ReferenceProfiles
    from mlops_tasks.drift.aspects.category_rows import CategoryRows
    from mlops_tasks.drift.two_samples import TwoSamples
    from mlops_tasks.profiles import Profile

__all__ = ["CategoryShares"]

_N_WORDS = 3


class CategoryShares(Aspect):
    """How the rows share the categories that the reference has most of."""

    name = "shares"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at columns of categories that have any."""
        return [cls(reference, rows) for rows in reference.category_rows]

    def __init__(self, reference: ReferenceProfiles, rows: CategoryRows) -> None:
        self.columns, self._rows = rows.names, rows
        whole, n_cuts = self.read([reference.whole]), rows.n_cuts[:, None]
        exists = (np.arange(whole.values.shape[2]) <= n_cuts) & (n_cuts > 0)  # others alone: none
        weights = np.where(exists, whole.values[0] / 2 + 0.5 / (n_cuts + 1), 0.0)
        self.effect = CohensH(weights, never_certain(whole))
        self.days = self._readings(reference.days, own=True)
        self.reference = expected_of_a_day(self.effect, whole, self.days, rows.n_cuts)

    def read(self, profiles: Sequence[Profile]) -> Readings:
        """Read the shares of the categories with a cut, and of all others."""
        return self._readings(profiles)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Name the categories whose shares changed most."""
        table = samples.table(self.columns[i])
        p, q = table.shares
        most = np.argsort(-np.abs(q - p), kind="stable")[:_N_WORDS].tolist()
        changes = (f"{short_name(table.labels[k])} {percent(p[k])} → {percent(q[k])}" for k in most)
        return "shares " + ", ".join(changes)

    def _readings(self, profiles: Sequence[Profile], *, own: bool = False) -> Readings:
        n, shares, _ = self._rows.read(profiles, own=own)
        return Readings(shares, n, np.zeros_like(n))
