"""The row's own moment: of each row, near its partition, and not the clock's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.result import place
from mlops_tasks.partitions import DAY, Partition, days_of, shift_day

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    import pyarrow as pa

    from mlops_tasks.specs import ModelSpec

__all__ = ["MomentBounds", "refuse_one_day"]

# A forecast may be asked for a year ahead of its event.
_LEAD = timedelta(days=400)


class MomentBounds:
    """Between which instants the moments of rows of some partitions can lie.

    From 400 days before the first one, as a prediction may be asked for long before its event, to
    the end of the day on which the schedule scores the last one: what is asked for later would
    have seen, in training, what nobody has when the row is scored.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partitions : collection of str
        Partitions that the rows are of; without any, nothing is refused.
    """

    def __init__(self, spec: ModelSpec, partitions: Collection[str]) -> None:
        self.spec = spec
        self.bounds: tuple[datetime, datetime] | None = None
        if partitions:
            self.first, self.last = min(partitions), max(partitions)
            begin = Partition(self.first, spec.timezone, spec.calendar).start
            self.bounds = begin - _LEAD, Partition(_scored_on(spec, self.last), spec.timezone).end

    def check(self, rows: pa.RecordBatch) -> None:
        """Refuse rows whose moment cannot be that of their prediction."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.bounds is None:
            return
        asked = rows.column(self.spec.as_of)
        low, high = (pa.scalar(bound).cast(asked.type, safe=False) for bound in self.bounds)
        outside = pc.or_(pc.less(asked, low), pc.greater(asked, high))
        if n_outside := pc.sum(outside).as_py():
            shown = rows.filter(outside).slice(0, 1).select([*self.spec.key, self.spec.as_of])
            raise FeatureError(
                f"{place(self.spec)}: as_of {self.spec.as_of!r} is no moment of the row in "
                f"{n_outside} of {rows.num_rows} rows, first {shown.to_pylist()[0]}. The rows are "
                f"of {self.first} to {self.last}: their predictions are asked for at most "
                f"{_LEAD.days} days before, and at the latest when the schedule scores them, by "
                f"{self.bounds[1]:%Y-%m-%d %H:%M} UTC. Do not take the clock or the time of "
                "loading; take a time of the row's own event, or of its partition_key"
            )


def _scored_on(spec: ModelSpec, partition: str) -> str:
    """Return the day on which the schedules of what triggers a model let it score a partition."""
    triggers = [one.dataset for one in spec.inputs if one.dataset.calendar is spec.calendar]
    return shift_day(max(dataset.due(partition) for dataset in triggers), 1)


def refuse_one_day(spec: ModelSpec, moments: pa.ChunkedArray, partitions: Collection[str]) -> None:
    """Refuse a training in which the rows of several days are all asked for on one day.

    Within one day they may: a daily snapshot is asked for at one moment of its day.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    moments : ChunkedArray
        The rows' own moments.
    partitions : collection of str
        Partitions that the rows are of.

    Raises
    ------
    FeatureError
        If the partitions are of several days, and the moments of one.
    """
    import pyarrow.compute as pc

    if len({spec.rows.partition(key).keys(DAY)[0] for key in partitions}) < 2 or not len(moments):
        return
    days = pc.unique(days_of(moments, spec.timezone))
    if len(days) == 1:
        raise FeatureError(
            f"{place(spec)}: as_of {spec.as_of!r} is on {days[0]} in all {len(moments)} rows of "
            f"{len(partitions)} partitions, {min(partitions)} to {max(partitions)}: a constant, or "
            "a time of loading, says of no row when its prediction is asked for, and no day could "
            "be compared with another. Take a time of the row's own event, or of its partition_key"
        )
