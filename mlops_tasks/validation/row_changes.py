"""What changed when a partition came again: rows added, removed and changed, by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.validation.arrow_values import N_EXAMPLES, readable, to_python
from mlops_tasks.validation.partition_rows import PartitionRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Table
    from mlops_tasks.specs import DatasetSpec

    Hashes = npt.NDArray[np.uint64]
    Positions = npt.NDArray[np.int64]

__all__ = ["RowChanges", "row_changes"]

# At most this many changed rows are compared column by column; all of them are counted.
_COMPARED_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How a partition differs, row by row, from the version that was published before.

    Attributes
    ----------
    since : int
        Table version it is compared with.
    added, removed, changed, unchanged : int
        Rows by key.
    columns : dict of str to int
        In how many of the changed rows each column differs; of at most 10,000 of them.
    examples : dict of str to tuple of str
        A few keys that were ``added``, ``removed`` or ``changed``.
    """

    since: int
    added: int
    removed: int
    changed: int
    unchanged: int
    columns: dict[str, int] = field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The counts in one sentence."""
        return (
            f"{self.added} added, {self.removed} removed, {self.changed} changed, "
            f"{self.unchanged} the same as in version {self.since}"
        )


@dataclass(frozen=True, slots=True)
class _HashedRows:
    """A partition as hashes, ordered by key: key, whole row, and where the row is."""

    rows: PartitionRows
    keys: Hashes
    whole: Hashes
    positions: Positions


def row_changes(spec: DatasetSpec, old: Commit, new: Commit, *, table: Table) -> RowChanges:
    """Compare two versions of a published partition, by 64-bit hashes of keys and rows.

    Streamed; 24 bytes a row of both versions are held.
    """
    import numpy as np

    if old.digest == new.digest:
        return RowChanges(old.version, added=0, removed=0, changed=0, unchanged=new.n_rows)
    before, after = _hashed(spec, table, old), _hashed(spec, table, new)
    _, left, right = np.intersect1d(
        before.keys, after.keys, assume_unique=True, return_indices=True
    )
    differs = before.whole[left] != after.whole[right]
    added = np.setdiff1d(np.arange(len(after.keys)), right, assume_unique=True)
    removed = np.setdiff1d(np.arange(len(before.keys)), left, assume_unique=True)
    return RowChanges(
        since=old.version,
        added=len(added),
        removed=len(removed),
        changed=int(differs.sum()),
        unchanged=int((~differs).sum()),
        columns=_columns(before, after, left[differs], right[differs]),
        examples={
            "added": _examples(spec, after, added),
            "removed": _examples(spec, before, removed),
            "changed": _examples(spec, after, right[differs]),
        },
    )


def _hashed(spec: DatasetSpec, table: Table, commit: Commit) -> _HashedRows:
    import numpy as np

    rows = PartitionRows.within_memory(table, commit)
    parts = [
        (row_hashes(chunk.select(list(spec.key))), row_hashes(chunk)) for _, chunk in rows.chunks()
    ]
    keys, whole = (np.concatenate(side) for side in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return _HashedRows(rows, keys[order], whole[order], order)


def _examples(spec: DatasetSpec, side: _HashedRows, where: Positions) -> tuple[str, ...]:
    positions = sorted(side.positions[where[:N_EXAMPLES]].tolist())
    found = side.rows.take(positions, spec.key).select(list(spec.key))
    rows = zip(*map(to_python, found.columns), strict=True)
    return tuple(readable(list(row)) for row in rows)


def _columns(
    before: _HashedRows, after: _HashedRows, left: Sequence[int], right: Sequence[int]
) -> dict[str, int]:
    """Count in how many of the changed rows each column differs, most often first."""
    import numpy as np

    old, new = (
        _in_key_order(before, np.asarray(left)[:_COMPARED_ROWS]),
        _in_key_order(after, np.asarray(right)[:_COMPARED_ROWS]),
    )
    counts = {
        name: int((row_hashes(old.select([name])) != row_hashes(new.select([name]))).sum())
        for name in new.column_names
    }
    found = [(name, n) for name, n in counts.items() if n]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def _in_key_order(side: _HashedRows, where: Positions) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    positions = side.positions[where]
    ascending = np.argsort(positions, kind="stable")
    found = side.rows.take(positions[ascending].tolist())
    back = np.empty_like(ascending)
    back[ascending] = np.arange(len(ascending))
    return found.take(pa.array(back))
