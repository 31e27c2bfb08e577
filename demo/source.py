"""The airline's source database: what it would know, night after night.

A SQLite file that **grows as time passes**. Partition keys are local days: `flight_date` of
`schedule` and `arrivals`, `observation_date` of `weather`. Times are UTC text
(`2013-02-01T10:15:00Z`), which sorts as time does. What is real in it and what is declared is said
in `demo.flights_package`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from demo.flights_package import FlightsPackage, end_of

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = date(2013, 1, 1)
LAST_DAY = date(2013, 12, 31)

METADATA = sa.MetaData()

SCHEDULE = sa.Table(
    "schedule",
    METADATA,
    sa.Column("flight_id", sa.Text, primary_key=True),
    sa.Column("flight_date", sa.Text, nullable=False, index=True),
    sa.Column("carrier", sa.Text, nullable=False),
    sa.Column("flight", sa.Integer, nullable=False),
    sa.Column("tailnum", sa.Text),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("dest", sa.Text, nullable=False),
    sa.Column("distance", sa.Integer, nullable=False),
    sa.Column("scheduled_departure", sa.Text, nullable=False),
    sa.Column("scheduled_hour", sa.Integer, nullable=False),
    sa.Column("scheduled_minute", sa.Integer, nullable=False),
)

ARRIVALS = sa.Table(
    "arrivals",
    METADATA,
    sa.Column("flight_id", sa.Text, sa.ForeignKey("schedule.flight_id"), primary_key=True),
    sa.Column("flight_date", sa.Text, nullable=False, index=True),
    sa.Column("dep_time", sa.Integer, nullable=False, comment="local clock, hhmm"),
    sa.Column("dep_delay", sa.Float, comment="minutes"),
    sa.Column("arr_time", sa.Integer, nullable=False, comment="local clock, hhmm"),
    sa.Column("arr_delay", sa.Float, comment="minutes; none when the flight was diverted"),
    sa.Column("air_time", sa.Float, comment="minutes; none when the flight was diverted"),
    sa.Column("recorded_at", sa.Text, nullable=False),
)

WEATHER = sa.Table(
    "weather",
    METADATA,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("observed_at", sa.Text, primary_key=True),
    sa.Column("observation_date", sa.Text, nullable=False, index=True),
    *(
        sa.Column(name, sa.Float)
        for name in ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust")
    ),
    *(sa.Column(name, sa.Float) for name in ("precip", "pressure", "visib")),
)

PLANES = sa.Table(
    "planes",
    METADATA,
    sa.Column("tailnum", sa.Text, primary_key=True),
    sa.Column("year", sa.Float),
    *(sa.Column(name, sa.Text) for name in ("type", "manufacturer", "model")),
    sa.Column("engines", sa.Integer),
    sa.Column("seats", sa.Integer),
    sa.Column("speed", sa.Float),
    sa.Column("engine", sa.Text),
)

AIRPORTS = sa.Table(
    "airports",
    METADATA,
    sa.Column("faa", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),
    *(sa.Column(name, sa.Float) for name in ("lat", "lon", "alt", "tz")),
    sa.Column("dst", sa.Text),
    sa.Column("tzone", sa.Text),
)

AIRLINES = sa.Table(
    "airlines",
    METADATA,
    sa.Column("carrier", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)

# One row: the last night whose rows are in the database.
CLOCK = sa.Table(
    "clock",
    METADATA,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
    sa.Column("night", sa.Text, nullable=False),
)


class ClockError(ValueError):
    """The source database cannot be moved to the asked night."""


@dataclass(frozen=True)
class Growth:
    """Rows one call of `SourceDatabase.advance` added."""

    schedule: int = 0
    arrivals: int = 0
    weather: int = 0


class SourceDatabase:
    """The airline's database and its clock.

    Parameters
    ----------
    path : Path
        The SQLite file; made when missing.
    package : FlightsPackage, optional
        Where the public rows come from; the installed package when not given.
    """

    def __init__(self, path: Path, package: FlightsPackage | None = None) -> None:
        self.path = path
        self.package = package or FlightsPackage()
        self.engine = sa.create_engine(
            f"sqlite:///{path}", poolclass=sa.NullPool, connect_args={"timeout": 30}
        )

    @property
    def night(self) -> date | None:
        """The last night whose rows are in the database, or None when it is empty."""
        if not sa.inspect(self.engine).has_table(CLOCK.name):
            return None
        with self.engine.connect() as connection:
            return _night(connection)

    def advance(self, night: date) -> Growth:
        """Insert everything the airline knows at the end of one night and did not know before.

        Schedule and weather up to that local day; arrivals recorded before its midnight. All in
        one transaction: killed anywhere, the next call starts from the old night again. A night
        that is already there adds nothing.

        Parameters
        ----------
        night : date
            Local day of 2013 whose end the clock moves to.

        Returns
        -------
        Growth
            Rows added.

        Raises
        ------
        ClockError
            If the night is not in 2013.
        FlightsPackageError
            If the public data cannot be read.
        """
        if not FIRST_DAY <= night <= LAST_DAY:
            raise ClockError(f"the data ends: night {night} is not in {FIRST_DAY} .. {LAST_DAY}")
        METADATA.create_all(self.engine)
        with self.engine.begin() as connection:
            before = _night(connection)
            if before is not None and night <= before:
                return Growth()
            if before is None:
                for table in (PLANES, AIRPORTS, AIRLINES):
                    _insert(connection, table, self.package.table(table.name))
            growth = self._grow(connection, before or FIRST_DAY - timedelta(days=1), night)
            _set_clock(connection, night)
        return growth

    def _grow(self, connection: sa.Connection, before: date, night: date) -> Growth:
        first = before + timedelta(days=1)
        return Growth(
            schedule=_insert(connection, SCHEDULE, self.package.flights(first, night)),
            weather=_insert(connection, WEATHER, self.package.weather(first, night)),
            arrivals=_insert(
                connection, ARRIVALS, self.package.arrivals(end_of(before), end_of(night))
            ),
        )


def _night(connection: sa.Connection) -> date | None:
    text = connection.scalar(sa.select(CLOCK.c.night))
    return None if text is None else date.fromisoformat(text)


def _set_clock(connection: sa.Connection, night: date) -> None:
    connection.execute(sa.delete(CLOCK))
    connection.execute(sa.insert(CLOCK), [{"id": 1, "night": night.isoformat()}])


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    if rows:
        connection.execute(sa.insert(table), rows)
    return len(rows)
