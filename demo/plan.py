"""The airline's calendar: which partitions are taken in on which night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from demo.source import FIRST_DAY
from mlops_tasks.specs.calendar import Step

MODEL = "flight_delays"
SCORE, MONITOR, DECIDE, TRAIN = (
    f"{MODEL}.{step}" for step in ("score", "monitor", "decide", "train")
)
FLIGHTS, WEATHER, ARRIVALS = (f"{name}.ingest" for name in ("flights", "weather", "arrivals"))
REFRESH = "arrivals.refresh"
PRODUCERS = (FLIGHTS, WEATHER, ARRIVALS, REFRESH)
CONSUMERS = (SCORE, MONITOR, DECIDE)
ALL_DAGS = (*PRODUCERS, *CONSUMERS, TRAIN)

HISTORY_END = date(2013, 1, 31)
FIRST_NIGHT = HISTORY_END + timedelta(days=1)
LABEL_DELAY = timedelta(days=2)
REFRESH_DELAY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Backfill:
    """A range of partitions of one Dag, both ends inclusive."""

    dag_id: str
    first: date
    last: date

    def keys(self) -> set[str]:
        """Give the partition keys of the range.

        Returns
        -------
        set of str
            Days as ``YYYY-MM-DD``.

        Examples
        --------
        >>> sorted(Backfill("flights.ingest", date(2013, 1, 1), date(2013, 1, 2)).keys())
        ['2013-01-01', '2013-01-02']
        """
        days = range((self.last - self.first).days + 1)
        return {(self.first + timedelta(days=day)).isoformat() for day in days}


def history() -> tuple[Backfill, ...]:
    """Give what is taken in at once before the first night: January as known at its end.

    Returns
    -------
    tuple of Backfill
        Labels end earlier than the rest: those of the last days have not arrived.

    Examples
    --------
    >>> [str(part.last) for part in history()]
    ['2013-01-31', '2013-01-31', '2013-01-29']
    """
    return (
        Backfill(FLIGHTS, FIRST_DAY, HISTORY_END),
        Backfill(WEATHER, FIRST_DAY, HISTORY_END),
        Backfill(ARRIVALS, FIRST_DAY, HISTORY_END - LABEL_DELAY),
    )


def ingestion(night: date) -> tuple[Step, ...]:
    """Give the partitions that the end of one night makes available.

    Parameters
    ----------
    night : date
        A night from 1 February on.

    Returns
    -------
    tuple of Step
        The night's flights and weather, labels of two nights ago, late labels of a week ago.

    Examples
    --------
    >>> [(step.dag_id, step.partition_key) for step in ingestion(date(2013, 2, 9))][2:]
    [('arrivals.ingest', '2013-02-07'), ('arrivals.refresh', '2013-02-02')]
    """
    return (
        Step(FLIGHTS, night.isoformat()),
        Step(WEATHER, night.isoformat()),
        Step(ARRIVALS, (night - LABEL_DELAY).isoformat()),
        Step(REFRESH, (night - REFRESH_DELAY).isoformat()),
    )
