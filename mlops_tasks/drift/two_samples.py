"""Two samples of a table, the reference and the current rows, for measures, words and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.distributions import NumberColumns
from mlops_tasks.profiles.recoding import categories_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.drift.distributions import Floats
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.columns import CategoryProfile, ColumnProfile

__all__ = ["OTHER", "ContingencyTable", "TwoSamples"]

OTHER = "(other)"
"""Name of the cell of all categories that were not counted one by one."""


@dataclass(frozen=True)
class ContingencyTable:
    """Rows of both samples by category.

    Attributes
    ----------
    labels : list of str
        Categories that either sample has, in order; `OTHER` last, if there are others.
    rows : array of shape (2, n_labels)
        Rows of each: of the reference, and of the current sample.
    n_named : int
        Labels that are categories.
    """

    labels: list[str]
    rows: Floats
    n_named: int

    @classmethod
    def of(cls, *samples: CategoryProfile) -> ContingencyTable:
        """Count two samples in the same cells."""
        names = sorted(set().union(*(one.counts for one in samples)))
        rows = [[*map(dict(one.counts).get, names, repeat(0)), one.n_other] for one in samples]
        others = any(one.n_other for one in samples)
        labels = names + [OTHER] * others
        return cls(labels, np.array(rows, dtype=float)[:, : len(labels)], len(names))

    @property
    def shares(self) -> Floats:
        """Shares of the rows with a value; 0 where a sample has none."""
        return np.asarray(self.rows / np.maximum(self.rows.sum(axis=1, keepdims=True), 1))


class TwoSamples:
    """The columns that a reference and a current profile share, of the same kind.

    Attributes
    ----------
    reference, current : Profile
        Both samples.
    names : frozenset of str
        The columns.
    numbers : NumberColumns
        Those of numbers and times, first of the reference, then of the current sample.
    tables : dict of str to ContingencyTable
        The others.
    """

    def __init__(self, reference: Profile, current: Profile, names: Collection[str]) -> None:
        self.reference, self.current, self.names = reference, current, frozenset(names)
        own = tuple(name for name in reference.numbers.names if name in self.names)
        self.numbers = NumberColumns([reference.numbers, current.numbers], own)
        self.tables = {
            name: ContingencyTable.of(*self.columns(name))  # type: ignore[arg-type]
            for name in self.names.difference(own)
        }

    def columns(self, name: str) -> tuple[ColumnProfile, ColumnProfile]:
        """Return both profiles of a column."""
        return self.reference.columns[name], self.current.columns[name]

    def table(self, name: str) -> ContingencyTable:
        """Return the rows of both samples by category, or by number in a column of numbers."""
        if name in self.tables:
            return self.tables[name]
        return ContingencyTable.of(*map(categories_of, self.columns(name)))  # type: ignore[arg-type]

    @cached_property
    def percentiles(self) -> dict[str, list[list[float]]]:
        """The 10th, 50th and 90th of each column of numbers, of both samples."""
        both = self.numbers.quantiles(np.array([0.1, 0.5, 0.9]))
        return dict(zip(self.numbers.names, np.moveaxis(both, 0, 1).tolist(), strict=True))
