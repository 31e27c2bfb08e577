"""The share of missing values: nulls, NaN and infinities."""

from __future__ import annotations

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, ReferenceProfiles
from mlops_tasks.drift.effects import CohensH, Readings
from mlops_tasks.drift.formatting import percent
from mlops_tasks.drift.samples import CategorySamples, Floats, NumberSamples, Profiles, TwoSamples
from mlops_tasks.profiles import ColumnProfile, NumericProfile

__all__ = ["MissingShare"]


class MissingShare(Aspect):
    """The share of the rows without a value."""

    name = "missing"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose all columns."""
        return reference.whole.numbers.names + reference.whole.categories.names

    def learn(self, reference: ReferenceProfiles) -> None:
        """Expect as many as the whole reference has."""
        n, n_present = self._rows([reference.whole])
        # Half a row, after Jeffreys: that none was seen is no proof that there is none.
        shares = ((n - n_present + 0.5) / (n + 1))[0, :, None]
        self.effect = CohensH(np.ones_like(shares), shares)
        self.reference, self.days = self.read([reference.whole]), self.read(reference.days)

    def read(self, profiles: Profiles) -> Readings:
        """Read the shares of missing values."""
        n, n_present = self._rows(profiles)
        return Readings((1 - n_present / np.maximum(n, 1))[:, :, None], n)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how the share changed, and which values are neither null nor finite."""
        both = samples.columns(self.columns[i])
        (old, new), current, odd = map(_missing, both), both[1], ""
        if isinstance(current, NumericProfile):
            kinds = {"NaN": current.n_nan, "+inf": current.n_pos_inf, "-inf": current.n_neg_inf}
            odd = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        return f"missing {percent(old)} → {percent(new)}{f' (among them {odd})' if odd else ''}"

    def _rows(self, profiles: Profiles) -> tuple[Floats, Floats]:
        numbers = NumberSamples(profiles, self.columns)
        categories = CategorySamples(profiles, self.columns)
        return numbers.n + categories.n, numbers.n_present + categories.n_present


def _missing(column: ColumnProfile) -> float:
    n_present = column.n_finite if isinstance(column, NumericProfile) else column.n - column.n_null
    return 1 - n_present / column.n
