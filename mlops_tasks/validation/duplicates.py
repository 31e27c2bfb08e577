"""Rows that are the same in some columns, found by their hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Positions = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["DuplicateFinder", "with_one_zero"]


class DuplicateFinder:
    """Finds rows that are the same in some columns, without holding the rows.

    It keeps 8 bytes a row: its hash. Rows whose hash came twice are suspects; only they need to be
    read again for an exact answer. NaN is a missing value, as in pandas. To skip ``any`` leaves out
    rows with a missing value, ``all`` those with nothing but missing values; by default missing
    values are values like others.
    """

    def __init__(self, columns: Sequence[str], *, skip: str = "") -> None:
        self.columns = tuple(columns)
        self.skip = skip
        self.n_skipped = 0
        self._hashes: list[Hashes] = []
        self._skipped: list[npt.NDArray[np.bool_]] = []

    def add(self, chunk: pa.Table) -> None:
        """Take in the next rows."""
        rows = with_one_zero(_without_nan(chunk.select(list(self.columns))))
        self._hashes.append(row_hashes(rows))
        if self.skip:
            skipped = _missing(rows, every=self.skip == "all")
            self.n_skipped += int(skipped.sum())
            self._skipped.append(skipped)

    def hashes(self) -> Hashes:
        """Return the hash of every row so far, in order."""
        import numpy as np

        if len(self._hashes) > 1:
            self._hashes = [np.concatenate(self._hashes)]
        return self._hashes[0] if self._hashes else np.zeros(0, np.uint64)

    def suspects(self) -> Positions:
        """Return the positions of all rows whose hash came more than once, ascending."""
        import numpy as np

        hashes = self.hashes()
        counted = (
            ~np.concatenate(self._skipped) if self._skipped else np.ones(len(hashes), np.bool_)
        )
        ordered = np.sort(hashes[counted])
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(repeated):
            return np.zeros(0, np.int64)
        nearest = np.searchsorted(repeated, hashes).clip(max=len(repeated) - 1)
        return np.flatnonzero((repeated[nearest] == hashes) & counted)


def with_one_zero(rows: pa.Table) -> pa.Table:
    """Turn negative zeros into zeros: they are equal, but not the same bits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            values = pc.add(rows.column(index), pa.scalar(0.0, field.type))
            rows = rows.set_column(index, field, values)
    return rows


def _without_nan(rows: pa.Table) -> pa.Table:
    """Turn NaN into null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, name in enumerate(rows.column_names):
        values = rows.column(name)
        if pa.types.is_floating(values.type):
            null = pa.scalar(None, values.type)
            rows = rows.set_column(index, name, pc.if_else(pc.is_nan(values), null, values))
    return rows


def _missing(rows: pa.Table, *, every: bool) -> npt.NDArray[np.bool_]:
    """Return for each row whether any, or every, of its values is null."""
    import numpy as np
    import pyarrow.compute as pc

    masks = [pc.is_null(rows.column(name)).to_numpy() for name in rows.column_names]
    missing: npt.NDArray[np.bool_] = (np.all if every else np.any)(masks, axis=0)
    return missing
