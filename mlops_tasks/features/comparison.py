"""Whether two feature tables are the same, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["different_cells"]


def different_cells(one: pa.Table, other: pa.Table) -> dict[str, int]:
    """Return the first row in which each column differs, of those that differ, the first first.

    Values are the same if they are equal in type and value, or both null, or both NaN.

    Parameters
    ----------
    one, other : Table
        With the same columns and rows in the same order.

    Returns
    -------
    dict of str to int
        By column.
    """
    first: dict[str, int] = {}
    for name in other.column_names:
        differ = row_hashes(one.select([name])) != row_hashes(other.select([name]))
        if differ.any():
            first[name] = int(differ.argmax())
    return dict(sorted(first.items(), key=lambda item: item[1]))
