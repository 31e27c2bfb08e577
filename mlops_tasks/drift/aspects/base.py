"""What an aspect is, and the columns of a reference that there are to look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

from mlops_tasks.drift.aspects.category_rows import CategoryRows
from mlops_tasks.drift.distributions import CategoryColumns, NumberColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlops_tasks.drift.effects import Effect, Readings
    from mlops_tasks.drift.two_samples import TwoSamples
    from mlops_tasks.profiles import Profile

__all__ = ["Aspect", "ReferenceProfiles", "in_blocks"]

# Columns that are read together: their arrays stay in a processor's cache.
_BLOCK = 32


@dataclass(frozen=True)
class ReferenceProfiles:
    """The profiles of a reference: of the whole, and of its days or of the whole as a single one."""

    whole: Profile
    days: Sequence[Profile]

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Columns with a finite number; instants are none, they move on by themselves."""
        names = self.whole.numbers.names
        columns = NumberColumns.of([self.whole], names)
        return tuple(compress(names, (columns.n_present[0] > 0) & ~columns.is_time[0]))

    @cached_property
    def category_rows(self) -> list[CategoryRows]:
        """The rows by category of the columns that have any, in blocks."""
        names = self.whole.categories.names
        some = compress(names, CategoryColumns.of([self.whole], names).n_present[0] > 0)
        return [CategoryRows(self.whole, block) for block in in_blocks(some)]


class Aspect(ABC):
    """One way to look at columns: how it is read, as which effect, and how it is put into words.

    Attributes
    ----------
    name : str
        What reports call it; no column has two aspects of one name.
    columns : tuple of str
        The columns that are looked at, in the order of all arrays.
    effect : Effect
        The effect size, with its zero set at the reference.
    reference : Readings
        What a new day of the reference would read on average.
    days : Readings
        What each day of the reference reads, as if it was none of it.
    """

    name: ClassVar[str]
    columns: tuple[str, ...]
    effect: Effect
    reference: Readings
    days: Readings

    @classmethod
    @abstractmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at all columns of a reference that can be looked at, best in blocks."""

    @abstractmethod
    def read(self, profiles: Sequence[Profile]) -> Readings:
        """Read profiles that are none of the days; axes are profiles, columns and values."""

    @abstractmethod
    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write what changed in the column at place i, the reference first."""


def in_blocks(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cut columns into blocks to be read together."""
    own = tuple(names)
    return (own[i : i + _BLOCK] for i in range(0, len(own), _BLOCK))
