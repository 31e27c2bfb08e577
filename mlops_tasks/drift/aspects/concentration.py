"""Concentration on the commonest of many categories."""

from __future__ import annotations

from itertools import compress

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, RareShare
from mlops_tasks.drift.aspects.category_rows import MAX_CATEGORIES
from mlops_tasks.drift.aspects.reference import ReferenceProfiles, in_blocks
from mlops_tasks.drift.effects import Readings
from mlops_tasks.drift.formatting import percent, short_name
from mlops_tasks.drift.samples import CategorySamples, Profiles, TwoSamples

__all__ = ["Concentration"]


class Concentration(RareShare):
    """Rows that repeat the commonest value, of columns with too many to look at each.

    Among texts that are nearly all different none is known, and of hundreds of categories few are
    looked at, so none is missed when many rows have become one and the same. The days show how
    often the commonest is repeated. Its first row does not count: it would be a large share of a
    small day, whatever the texts.
    """

    name = "concentration"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at columns of more categories than are looked at one by one."""
        own = CategorySamples.of([reference.whole], reference.whole.categories.names)
        many = (~own.is_exact | (own.sizes > MAX_CATEGORIES)) & (own.n_present > 0)
        return [cls(reference, columns) for columns in in_blocks(compress(own.names, many[0]))]

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._learn(self.read_new(reference.days))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read any profiles."""
        own = CategorySamples.of(profiles, self.columns)
        most = np.zeros_like(own.n)
        for i, part in enumerate(own.parts):  # the rows of a column's values fall
            most[i] = np.append(part.rows, 0)[np.where(own.sizes[i] > 0, own.begins[i], -1)]
        values = np.maximum(most - 1, 0) / np.maximum(own.n_present, 1)
        return Readings(values[:, :, None], own.n_present, np.zeros_like(most))

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how many rows repeat the commonest value, and name it."""
        own = CategorySamples.of([samples.current], (self.columns[i],))
        values, rows = own.counted(0, 0)
        name = short_name(values[0].as_py()) if len(rows) else ""
        share = (rows[0] - 1 if len(rows) else 0) / own.n_present[0, 0]
        text = f"{percent(share)} of the rows repeat the commonest value{self.usual(i)}"
        return f"{text}: {name}" if name else text
