"""Rows of other days among those that a source gives for one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError

if TYPE_CHECKING:
    import datetime as dt

    import pyarrow as pa

    from mlops_tasks.partitions import Partition
    from mlops_tasks.specs import DatasetSpec

__all__ = ["OtherDays", "day_column", "in_other_days"]

_SHOWN = 3


def day_column(spec: DatasetSpec) -> str | None:
    """Return the column of the contract that says which day a row belongs to.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.

    Returns
    -------
    str or None
        None where the source names no such column, or one of another type than time or date.
    """
    column = spec.source.time_column
    if column is None or spec.columns.get(column, "").rstrip("?") not in ("timestamp", "date"):
        return None
    return column


def in_other_days(
    partition: Partition, times: pa.Array | pa.ChunkedArray
) -> pa.Array | pa.ChunkedArray:
    """Return for each row whether it belongs to another partition.

    Parameters
    ----------
    partition : Partition
        The one that was asked for, in the dataset's zone.
    times : Array or ChunkedArray
        Instants, or dates.

    Returns
    -------
    Array or ChunkedArray
        Of booleans; false where there is no time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(times.type):
        first, end = partition.local_start.date(), partition.local_end.date()
    else:
        first, end = partition.start, partition.end
    before = pc.less(times, pa.scalar(first, times.type))
    other = pc.or_(before, pc.greater_equal(times, pa.scalar(end, times.type)))
    return pc.fill_null(other, False)


@dataclass(slots=True)
class OtherDays:
    """Counts the rows that a source gives for a day and that are of others, or of none.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset; only one whose source names a `time_column` of the contract is looked at.
    partition : Partition
        The one that was asked for.
    """

    spec: DatasetSpec
    partition: Partition
    _days: Counter[dt.date | None] = field(default_factory=Counter)

    @classmethod
    def of(cls, spec: DatasetSpec, partition: str) -> OtherDays:
        """Return a count of nothing yet."""
        return cls(spec, spec.partition(partition))

    def add(self, rows: pa.RecordBatch) -> None:
        """Count converted rows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = day_column(self.spec)
        if column is None:
            return
        times = rows.column(column)
        self._days.update({None: times.null_count} if times.null_count else {})
        other = times.filter(in_other_days(self.partition, times))
        if not len(other):
            return
        if pa.types.is_timestamp(other.type):
            other = pc.local_timestamp(other.cast(pa.timestamp("us", tz=self.partition.timezone)))
        for found in pc.value_counts(other.cast(pa.date32(), safe=False)).to_pylist():
            self._days[found["values"]] += found["counts"]

    def refuse(self, n_rows: int) -> None:
        """Refuse the day if it has too many of them; fewer are rows for `validate` to quarantine.

        Parameters
        ----------
        n_rows : int
            All rows.

        Raises
        ------
        SchemaMismatchError
            Naming days and numbers of rows.
        """
        n_other = self._days.total()
        if n_other <= self.spec.max_quarantined_share * n_rows:
            return
        found = [f"{n} of {day or 'no day'}" for day, n in self._days.most_common(_SHOWN)]
        more = len(self._days) - _SHOWN
        if more > 0:
            found.append(f"others of {more} more days")
        raise SchemaMismatchError(
            f"dataset {self.spec.name!r}: {n_other} of the {n_rows} rows that the source "
            f"{self.spec.source.called!r} gives for {self.partition.key} are not of that "
            f"{self.partition.grain.name}, by {self.spec.source.time_column!r} in "
            f"{self.partition.timezone}: {', '.join(found)}; "
            "nothing was published. Correct the query or path, the dataset's `timezone`, or "
            "`time_column`"
        )
