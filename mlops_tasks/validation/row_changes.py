"""What changed when a partition came again: rows added, removed and changed, by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.personal import redacted_row
from mlops_tasks.validation.arrow_values import N_EXAMPLES, readable, to_python
from mlops_tasks.validation.partition_rows import PartitionRows

if TYPE_CHECKING:
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


def row_changes(spec: DatasetSpec, old: Commit, new: Commit, *, table: Table) -> RowChanges:
    """Compare two versions of a published partition, by 64-bit hashes of keys and rows.

    Streamed; 16 bytes a row of both versions are held.
    """
    import numpy as np

    if old.digest == new.digest:
        return RowChanges(old.version, added=0, removed=0, changed=0, unchanged=new.n_rows)
    before, after = (PartitionRows.within_memory(table, commit) for commit in (old, new))
    (old_keys, old_rows), (new_keys, new_rows) = _hashes(spec, before), _hashes(spec, after)
    _, left, right = np.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
    differs = old_rows[left] != new_rows[right]
    added = np.setdiff1d(np.arange(len(new_keys)), right, assume_unique=True)
    removed = np.setdiff1d(np.arange(len(old_keys)), left, assume_unique=True)
    left, right = left[differs], right[differs]
    return RowChanges(
        since=old.version,
        added=len(added),
        removed=len(removed),
        changed=len(left),
        unchanged=len(differs) - len(left),
        columns=_columns(
            _rows_at(before, left[:_COMPARED_ROWS]), _rows_at(after, right[:_COMPARED_ROWS])
        ),
        examples={
            "added": _keys_at(spec, after, added),
            "removed": _keys_at(spec, before, removed),
            "changed": _keys_at(spec, after, right),
        },
    )


def _hashes(spec: DatasetSpec, rows: PartitionRows) -> tuple[Hashes, Hashes]:
    """Return the hash of every key, and of every whole row."""
    import numpy as np

    parts = [
        (row_hashes(chunk.select(list(spec.key))), row_hashes(chunk)) for _, chunk in rows.chunks()
    ]
    keys, whole = (np.concatenate(side) for side in zip(*parts, strict=True))
    return keys, whole


def _columns(old: pa.Table, new: pa.Table) -> dict[str, int]:
    """Count in how many of the changed rows each column differs, most often first."""
    counts = {
        name: int((row_hashes(old.select([name])) != row_hashes(new.select([name]))).sum())
        for name in new.column_names
    }
    found = [(name, n) for name, n in counts.items() if n]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def _rows_at(rows: PartitionRows, positions: Positions) -> pa.Table:
    """Return the rows at positions in any order, in that order."""
    import numpy as np
    import pyarrow as pa

    ascending = np.sort(positions)
    return rows.take(ascending.tolist()).take(pa.array(np.searchsorted(ascending, positions)))


def _keys_at(spec: DatasetSpec, rows: PartitionRows, positions: Positions) -> tuple[str, ...]:
    """Return a few keys, as a person reads them."""
    some = sorted(positions[:N_EXAMPLES].tolist())
    found = rows.take(some, spec.key).select(list(spec.key))
    keys = zip(*map(to_python, found.columns), strict=True)
    shown = (redacted_row(spec, dict(zip(spec.key, key, strict=True))) for key in keys)
    return tuple(readable(list(key.values())) for key in shown)
