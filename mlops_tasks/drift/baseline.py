"""The reference of a comparison, and how much its own days move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tasks.drift.columns import present_rows
from mlops_tasks.exceptions import PartitionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift.columns import TableProfile
    from mlops_tasks.drift.gauges import Gauge, Readings
    from mlops_tasks.drift.movement import Movement

__all__ = ["MAX_DAYS", "Baseline", "Yardstick"]

MAX_DAYS = 60
"""So many days are enough to tell how days differ; of more, these are taken evenly."""

# A day of fewer rows is nothing but noise.
_MIN_ROWS_PER_DAY = 30


@dataclass(frozen=True)
class Yardstick:
    """One aspect of one column of the reference, ready to be compared with.

    Attributes
    ----------
    gauge : Gauge
        What is looked at.
    reference : Readings
        What a new day of the reference would read on average.
    n_present : int
        Rows of the reference that have a value.
    movement : Movement
        How far its days are from each other.
    """

    gauge: Gauge
    reference: Readings
    n_present: int
    movement: Movement


@dataclass(frozen=True)
class Baseline:
    """A reference: its profile, and those of its days if there are any.

    Attributes
    ----------
    whole : Profile
        Of all rows of the reference, merged.
    days : tuple of Profile
        Of its days, each with rows of its own; together they are `whole`. Without them rows count
        as independent, which those of a day hardly ever are: expect more alarms then. With 28 or
        more the false alarms keep their level; fewer than 5 tell nothing and are not used.
    label : str
        What people call it, such as ``"training data of version 3"``.
    """

    whole: TableProfile
    days: tuple[TableProfile, ...] = ()
    label: str = "reference"

    @classmethod
    def of(cls, days: Sequence[Any], label: str = "reference") -> Baseline:
        """Make a reference of the profiles of its days.

        Parameters
        ----------
        days : sequence of Profile
            At least one, in any order.
        label : str, optional
            What people call it.

        Returns
        -------
        Baseline
            With all days merged.

        Raises
        ------
        PartitionNotFoundError
            If there is none.
        """
        if not days:
            raise PartitionNotFoundError(
                f"the reference {label!r} has no profile: none of its days was ever profiled; "
                "ingest them again, or choose another reference"
            )
        from mlops_tasks.profiles import Profile

        return cls(Profile.merged(days), tuple(days), label)

    @cached_property
    def yardsticks(self) -> dict[str, tuple[Yardstick, ...]]:
        """Every aspect of every column, by the column's name."""
        return {name: self._column(name, column) for name, column in self.whole.columns.items()}

    def _column(self, name: str, column: Any) -> tuple[Yardstick, ...]:
        from mlops_tasks.drift.gauges import gauges_of

        having = [day.columns[name] for day in self._few_days if name in day.columns]
        days = [one for one in having if one.kind == column.kind]
        return tuple(_yardstick(gauge, column, days) for gauge in gauges_of(column))

    @cached_property
    def _few_days(self) -> tuple[TableProfile, ...]:
        n = len(self.days)
        if n <= MAX_DAYS:
            return self.days
        return tuple(self.days[i * n // MAX_DAYS] for i in range(MAX_DAYS))


def _yardstick(gauge: Gauge, column: Any, days: Sequence[Any]) -> Yardstick:
    from mlops_tasks.drift.gauges import Readings
    from mlops_tasks.drift.movement import MIN_DAYS, Movement, movement_of

    readings = [one for one in map(gauge.read_own, days) if one.n >= _MIN_ROWS_PER_DAY]
    own = Readings.stacked(readings) if len(readings) >= MIN_DAYS else None
    movement = Movement() if own is None else movement_of(gauge, own)
    return Yardstick(gauge, gauge.read_whole(column, own), present_rows(column), movement)
