"""The same columns of many profiles, on top of each other."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

__all__ = ["places", "stacked", "union"]


class _Columns(Protocol):
    """Columns of a profile side by side, with the number of points or values of each."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def sizes(self) -> Integers: ...


def union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return all names once, in the order in which they come."""
    return tuple(dict.fromkeys(name for own in dict.fromkeys(names) for name in own))


@lru_cache(maxsize=256)
def _matching(own: tuple[str, ...], names: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Return where the names that both have are in each, in the order of `names`."""
    at = {name: i for i, name in enumerate(own)}
    both = [i for i, name in enumerate(names) if name in at]
    return [at[names[i]] for i in both], both


def stacked(parts: Sequence[_Columns], names: tuple[str, ...], field: str) -> npt.NDArray[Any]:
    """Stack one table of each part, such as ``"counts"``: shape (n_parts, n_names, ...).

    Where a part lacks a column there are zeros.
    """
    return _aligned(parts, names, [getattr(part, field) for part in parts])


def places(parts: Sequence[_Columns], names: tuple[str, ...]) -> tuple[Integers, Integers]:
    """Return where the points or values of each column begin in each part, and how many it has.

    Both have the shape (n_parts, n_names), with zeros where a part lacks the column.
    """
    import numpy as np

    sizes = [part.sizes for part in parts]
    begins = [np.cumsum(own) - own for own in sizes]
    return _aligned(parts, names, begins), _aligned(parts, names, sizes)


def _aligned(
    parts: Sequence[_Columns], names: tuple[str, ...], tables: Sequence[npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """Take the rows of some columns from one table of each part."""
    import numpy as np

    found = np.zeros((len(parts), len(names), *tables[0].shape[1:]), tables[0].dtype)
    first = parts[0].names
    if all(part.names == first for part in parts):  # as nearly always: all at once
        source, target = _matching(first, names)
        found[:, target] = np.stack(tables)[:, source]
        return found
    for own, part, table in zip(found, parts, tables, strict=True):
        source, target = _matching(part.names, names)
        own[target] = table[source]
    return found
