"""Profiles of the days in a partition: how days differ is measured in days at every grain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.partitions import DAY
from mlops_tasks.profiles.profile import Profile, ProfileBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from mlops_tasks.partitions import Partition

__all__ = ["DayProfiles", "merged_days"]


class DayProfiles:
    """Fold the record batches of a partition into a profile for each of its days.

    Parameters
    ----------
    partition : Partition
        An hour or a day is of one day, by its beginning; the rows of a week or a month are split by
        the day of their moment. Moments before or behind it count to its first or last day.
    schema : Schema
        Of the batches.
    **options
        As for `ProfileBuilder`.
    """

    def __init__(self, partition: Partition, schema: pa.Schema, **options: Any) -> None:
        self.partition, self._schema, self._options = partition, schema, options
        self.days = partition.keys(DAY) if partition.grain.period > DAY.period else []
        first = DAY.key_of(partition.start, partition.timezone)
        self._builders = {
            day: ProfileBuilder(schema, **options) for day in self.days[:1] or [first]
        }

    def update(self, batch: pa.RecordBatch, moments: pa.Array | None) -> None:
        """Add rows; those of a week or a month each with its moment, an instant."""
        if moments is None:
            (builder,) = self._builders.values()
            builder.update(batch)
            return
        import pyarrow as pa
        import pyarrow.compute as pc

        days = DAY.keys_of(moments, self.partition.timezone)
        ends = [pa.scalar(end) for end in (self.days[0], self.days[-1])]
        days = pc.if_else(pc.less(days, ends[0]), ends[0], days)
        days = pc.if_else(pc.greater(days, ends[1]), ends[1], days)
        for day in pc.unique(days).to_pylist():
            if day not in self._builders:
                self._builders[day] = ProfileBuilder(self._schema, **self._options)
            self._builders[day].update(batch.filter(pc.equal(days, pa.scalar(day))))

    def finish(self) -> dict[str, Profile]:
        """Return the profile of each day that has rows, in order; of an empty partition one."""
        made = {day: builder.finish() for day, builder in sorted(self._builders.items())}
        return {day: one for day, one in made.items() if one.n_rows} or dict(list(made.items())[:1])


def merged_days(partitions: Iterable[Mapping[str, Profile]]) -> dict[str, Profile]:
    """Merge what several partitions have of each day; one that only one has stays as it is."""
    parts: dict[str, list[Profile]] = {}
    for days in partitions:
        for day, profile in days.items():
            parts.setdefault(day, []).append(profile)
    return {
        day: some[0] if len(some) == 1 else Profile.merged(some)
        for day, some in sorted(parts.items())
    }
