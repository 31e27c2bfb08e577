"""Partition keys, grains and the calendar: the one place that counts hours, days and months.

Modules: `grains` (hour, day, week, month: keys, arithmetic, instants), `days` (what knowledge and
decisions are dated by, and spans of a window), `durations` (how long windows are),
`coverage` (how much of one is there), `schedules` (crons, and what they take).
"""

from mlops_tasks.partitions.coverage import Coverage
from mlops_tasks.partitions.days import (
    PARTITION_FORMAT,
    PERIOD,
    Span,
    check_begun,
    check_day,
    check_past,
    check_timezone,
    days_between,
    days_of,
    shift_day,
    spans,
    today,
    whole_spans,
)
from mlops_tasks.partitions.durations import Duration, window_start
from mlops_tasks.partitions.grains import (
    DAY,
    GRAINS,
    HOUR,
    MONTH,
    WEEK,
    Grain,
    GrainName,
    Partition,
    check_partition,
    grain_of,
)
from mlops_tasks.partitions.schedules import DEFAULT_CRONS, Schedule, check_clock, check_cron

__all__ = [
    "DAY",
    "DEFAULT_CRONS",
    "GRAINS",
    "HOUR",
    "MONTH",
    "PARTITION_FORMAT",
    "PERIOD",
    "WEEK",
    "Coverage",
    "Duration",
    "Grain",
    "GrainName",
    "Partition",
    "Schedule",
    "Span",
    "check_begun",
    "check_clock",
    "check_cron",
    "check_day",
    "check_partition",
    "check_past",
    "check_timezone",
    "days_between",
    "days_of",
    "grain_of",
    "shift_day",
    "spans",
    "today",
    "whole_spans",
    "window_start",
]
