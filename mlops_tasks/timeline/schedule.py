"""What comes next of a model, by its schedules alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import DAY
from mlops_tasks.specs.calendar import labelled_on
from mlops_tasks.timeline.records import NextCheck

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

__all__ = ["next_check"]


def next_check(spec: ModelSpec, *, decided: str | None, measured: str | None) -> NextCheck:
    """Return which decision comes next, and which partition is measured next.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    decided : str or None
        The newest day that was decided on; None before the first decision.
    measured : str or None
        The newest partition whose performance was measured; None before the first one.

    Returns
    -------
    NextCheck
        Before the first ones, those with which the data begin.
    """
    schedule, rows = spec.schedule, spec.rows
    first = schedule.grain.key_at(rows.calendar.begins(rows.first))
    key = first if decided is None else schedule.grain.key_at(DAY.begins(decided))
    if decided is not None:
        # A decision is known a night, or a weekday of the cron, after what it is about.
        key = schedule.grain.shift(key, -2)
        while schedule.known_on(key) <= decided:
            key = schedule.grain.shift(key, 1)
    partition = rows.first if measured is None else rows.calendar.shift(measured, 1)
    return NextCheck(
        as_of=schedule.known_on(key),
        decided_at=schedule.tick(key),
        partition=partition,
        measured_on=labelled_on(spec, partition),
    )
