"""Which columns could be the key: those whose values no two rows of a partition share."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from mlops_tasks.lake import stream_rows
from mlops_tasks.lake.digest import row_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.lake import Commit, Lake
    from mlops_tasks.validation.suggestion.column_summary import ColumnFacts

__all__ = ["find_key"]

_MAX_PARTS = 10


def find_key(
    lake: Lake, table: str, commits: Sequence[Commit], facts: Iterable[ColumnFacts]
) -> tuple[str, ...]:
    """Return the first column, or pair of columns, that tells all rows of every day apart.

    Parameters
    ----------
    lake : Lake
        Where the table is.
    table : str
        The table.
    commits : sequence of Commit
        Its partitions.
    facts : iterable of ColumnFacts
        Of its columns; those with nulls and measured numbers are no keys.

    Returns
    -------
    tuple of str
        Empty if there is none. Columns named like an id come first, then as in the table.
    """
    able = [f for f in facts if not f.nullable and f.kind in ("string", "int64", "timestamp")]
    able.sort(key=lambda f: not (f.name == "id" or f.name.endswith("_id")))
    names = [f.name for f in able]
    parts = [f.name for f in sorted(able, key=lambda f: -len(f.kinds))[:_MAX_PARTS]]
    pairs = sorted(combinations(parts, 2), key=lambda pair: sorted(map(names.index, pair)))
    largest = sorted(commits, key=lambda commit: -commit.n_rows)
    for candidate in [*((name,) for name in names), *pairs]:
        if all(_tells_apart(lake, table, commit, candidate) for commit in largest):
            return tuple(sorted(candidate, key=names.index))
    return ()


def _tells_apart(lake: Lake, table: str, commit: Commit, columns: tuple[str, ...]) -> bool:
    import numpy as np

    parts = [row_hashes(rows) for rows in stream_rows(lake, table, [commit], columns)]
    return not parts or len(np.unique(np.concatenate(parts))) == commit.n_rows
