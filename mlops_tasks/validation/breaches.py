"""Rows that break the contract: nulls, numbers that are none, and suspects of the same key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.sources import Day, day_column, in_other_days
from mlops_tasks.validation.contract import with_one_zero

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

    Positions = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["Repeats", "cell_breaches", "day_breaches"]


def cell_breaches(spec: DatasetSpec, chunk: pa.Table) -> Iterator[tuple[str, Positions]]:
    """Find the rows of a chunk with a value that its column must not have.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    chunk : Table
        Rows with the columns of the contract.

    Yields
    ------
    tuple of str and array of int64
        ``null:<column>`` where the contract allows none, ``not_finite:<column>`` for NaN and
        infinity, and the positions of the rows in the chunk.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in spec.columns:
        values = chunk.column(name)
        if values.null_count and not spec.nullable(name):
            yield f"null:{name}", np.flatnonzero(pc.is_null(values).to_numpy())
        if pa.types.is_floating(values.type):
            whole = pc.fill_null(values, 0.0).to_numpy()
            finite = np.isfinite(whole)
            if not finite.all():
                yield f"not_finite:{name}", np.flatnonzero(~finite)


def day_breaches(
    spec: DatasetSpec, partition: str, chunk: pa.Table
) -> Iterator[tuple[str, Positions]]:
    """Find the rows of a chunk that are of another day than the partition, or of none.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset; its source says which column tells the day.
    partition : str
        The day.
    chunk : Table
        Rows with the columns of the contract.

    Yields
    ------
    tuple of str and array of int64
        ``other_day:<column>`` or ``no_day:<column>``, and the positions of the rows in the chunk.
    """
    import numpy as np
    import pyarrow.compute as pc

    column = day_column(spec)
    if column is None:
        return
    times = chunk.column(column)
    other = in_other_days(Day(partition, spec.timezone or "UTC"), times)
    if pc.any(other, min_count=0).as_py():
        yield f"other_day:{column}", np.flatnonzero(other.to_numpy())
    if times.null_count and spec.nullable(column):
        yield f"no_day:{column}", np.flatnonzero(pc.is_null(times).to_numpy())


class Repeats:
    """Finds rows that are the same in some columns, without holding the rows.

    Parameters
    ----------
    columns : sequence of str
        The columns.
    skip : str, optional
        ``any`` leaves out rows with a missing value, ``all`` those with nothing but missing
        values; by default missing values are values like others.

    Notes
    -----
    Keeps 8 bytes a row: its hash. Rows whose hash came twice are suspects; only they need to be
    read again for an exact answer. NaN is a missing value, as in pandas.
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
        kept = ~np.concatenate(self._skipped) if self._skipped else np.ones(len(hashes), np.bool_)
        ordered = np.sort(hashes[kept])
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(repeated):
            return np.zeros(0, np.int64)
        nearest = np.searchsorted(repeated, hashes).clip(max=len(repeated) - 1)
        return np.flatnonzero((repeated[nearest] == hashes) & kept)


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
    """Tell for each row whether any, or every, of its values is null."""
    import numpy as np
    import pyarrow.compute as pc

    masks = [pc.is_null(rows.column(name)).to_numpy() for name in rows.column_names]
    missing: npt.NDArray[np.bool_] = (np.all if every else np.any)(masks, axis=0)
    return missing
