"""The arrays of many profiles on top of each other, column by column."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.profiles.arrays import CategoryArrays, NumberArrays

    Integers = npt.NDArray[np.int64]

__all__ = ["matching", "places", "stacked"]


@lru_cache(maxsize=256)
def matching(own: tuple[str, ...], names: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Return where the names that both have are in each, in the order of `names`."""
    at = {name: i for i, name in enumerate(own)}
    both = [i for i, name in enumerate(names) if name in at]
    return [at[names[i]] for i in both], both


def stacked(
    parts: Sequence[NumberArrays | CategoryArrays], names: tuple[str, ...], field: str
) -> npt.NDArray[Any]:
    """Put one table of each part on top of each other.

    Parameters
    ----------
    parts : sequence of NumberArrays or CategoryArrays
        At least one.
    names : tuple of str
        Columns wanted.
    field : str
        The table, such as ``"counts"``.

    Returns
    -------
    array of shape (n_parts, n_names, ...)
        Zeros where a part lacks a column.
    """
    return _taken(parts, names, [getattr(part, field) for part in parts])


def places(
    parts: Sequence[NumberArrays | CategoryArrays], names: tuple[str, ...]
) -> tuple[Integers, Integers]:
    """Return where the points or values of each column begin in each part, and how many it has.

    Parameters
    ----------
    parts : sequence of NumberArrays or CategoryArrays
        Each with some of the columns.
    names : tuple of str
        All columns.

    Returns
    -------
    tuple of array of shape (n_parts, n_columns)
        First places, and numbers; 0 and 0 where a part lacks the column.
    """
    import numpy as np

    sizes = [part.sizes for part in parts]
    begins = [np.cumsum(own) - own for own in sizes]
    return _taken(parts, names, begins), _taken(parts, names, sizes)


def _taken(
    parts: Sequence[NumberArrays | CategoryArrays],
    names: tuple[str, ...],
    tables: Sequence[npt.NDArray[Any]],
) -> npt.NDArray[Any]:
    """Take the rows of some columns from one table of each part."""
    import numpy as np

    found = np.zeros((len(parts), len(names), *tables[0].shape[1:]), tables[0].dtype)
    first = parts[0].names
    if all(part.names == first for part in parts):  # as nearly always: all at once
        source, target = matching(first, names)
        found[:, target] = np.stack(tables)[:, source]
        return found
    for own, part, table in zip(found, parts, tables, strict=True):
        source, target = matching(part.names, names)
        own[target] = table[source]
    return found
