"""Timetables: which partition each tick of a cron takes, at every grain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronPartitionTimetable

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import DAY, GRAINS, Partition, Schedule

if TYPE_CHECKING:
    from airflow.timetables.base import Timetable
    from pendulum import DateTime

    from mlops_tasks.specs import ModelSpec

__all__ = ["ScheduleTimetable", "decided_by_then", "decision_timetable", "partition_timetable"]


def partition_timetable(schedule: Schedule, delay: int = 0) -> Timetable:
    """Return the timetable of a dataset: each tick takes the partition that ended before it.

    Parameters
    ----------
    schedule : Schedule
        From the spec.
    delay : int, default 0
        How many partitions later each one is taken.
    """
    return ScheduleTimetable(schedule, schedule.grain.name, delay)


def decided_by_then(model: ModelSpec, last: str) -> datetime:
    """Return a moment after the decision that follows the last rows, and before the next one."""
    schedule = model.schedule
    return schedule.until(model.rows.partition(last).keys(schedule.grain)[-1])


def decision_timetable(schedule: Schedule) -> Timetable:
    """Return the timetable of the decisions: each tick decides as of the day before it.

    Parameters
    ----------
    schedule : Schedule
        From the spec.
    """
    return ScheduleTimetable(schedule, DAY.name, 0)


class ScheduleTimetable(CronPartitionTimetable):
    """Ticks of a schedule, and the keys of the partitions that they take.

    Airflow's own can name no Monday of a Wednesday's tick, and takes keys such as ``2024-3-1``.

    Parameters
    ----------
    schedule : Schedule
        When it ticks.
    keys : str
        The grain of the keys.
    delay : int
        How many of them lie between the key of a tick and that of the time before it.
    """

    def __init__(self, schedule: Schedule, keys: Any, delay: int) -> None:
        super().__init__(schedule.cron, timezone=schedule.clock, run_offset=-1 - delay)
        self._schedule, self._keys, self._delay = schedule, keys, delay

    def _format_key(self, partition_date: DateTime) -> str:
        return self._key_of(partition_date)

    def _key_of(self, moment: DateTime) -> str:
        plain = datetime.fromtimestamp(moment.timestamp(), UTC)  # Pendulum divides no hours
        return GRAINS[self._keys].key_of(plain, self._schedule.timezone)

    def _decode_partition_date(self, partition_key: str) -> datetime:
        """Return the beginning of a partition that a run is triggered for, or refuse its key."""
        from airflow.exceptions import InvalidPartitionKeyError

        try:
            key = GRAINS[self._keys].check(partition_key)
        except PartitionKeyError as error:
            raise InvalidPartitionKeyError(str(error)) from error
        return Partition(key, self._schedule.timezone, GRAINS[self._keys]).start

    def _get_partition_date(self, *, run_date: DateTime) -> DateTime:
        """Return the beginning of the partition that a tick takes."""
        from pendulum import instance

        grain, timezone = GRAINS[self._keys], self._schedule.timezone
        key = grain.shift(self._key_of(run_date), -1 - self._delay)
        return instance(Partition(key, timezone, grain).start)

    def serialize(self) -> dict[str, Any]:
        """Return what makes it again."""
        schedule = self._schedule
        return {
            "cron": schedule.cron,
            "grain": schedule.grain.name,
            "timezone": schedule.timezone,
            "keys": self._keys,
            "delay": self._delay,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Make it again."""
        schedule = Schedule(data["cron"], GRAINS[data["grain"]], data["timezone"])
        return cls(schedule, data["keys"], data["delay"])
