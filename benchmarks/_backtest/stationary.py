"""A year in which nothing changes: the days of one month of flights, drawn again and again."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks._backtest.played import find_spec, play, table
from benchmarks._shared.figures import Figure
from benchmarks._shared.parts import Measured
from demo.source import LAST_DAY, SourceDatabase

__all__ = ["measure", "resample"]

# A month between holidays; of its days, those of the same weekday stand for one another.
MONTH = date(2013, 9, 1), date(2013, 9, 30)
# Arrivals of its last days are written down until then.
KNOWN = date(2013, 10, 10)
QUICK_LAST = date(2013, 4, 28)
MOST = 1

_TIMES = {
    "schedule": ("flight_date", "scheduled_departure"),
    "arrivals": ("flight_date", "recorded_at"),
    "weather": ("observation_date", "observed_at"),
}


def measure(*, quick: bool) -> Measured:
    """Count the trainings that drift asks for where nothing drifts."""
    last = QUICK_LAST if quick else LAST_DAY
    with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as folder:
        database = Path(folder, "flights.db")
        resample(Path(folder, "real.db"), database, last)
        spec, policies = find_spec("flight_delays"), ("drift", "default")
        report = play(spec, database, last=last.isoformat(), policies=policies)
    figures = []
    for one in report.policies:
        n_drift = sum(training.cause == "drift" for training in one.trainings)
        what = f"trainings for drift under {one.name}, in {len(report.periods)} weeks"
        figures.append(Figure(what, n_drift, "trainings", f"at most {MOST}", n_drift <= MOST))
    note = (
        f"Each day of the year is one of the days of {MONTH[0]:%B %Y} with its weekday, drawn with "
        "replacement, with all its flights, arrivals and weather. What is left to drift is chance, "
        "and the age of the champion."
    )
    return Measured(figures, {"Policies": table(report)}, [note])


def resample(real: Path, made: Path, last: date, *, seed: int = 9) -> None:
    """Write a year whose days are drawn from one month.

    Parameters
    ----------
    real, made : Path
        Files that do not exist yet: of the month, and of the year.
    last : date
        Last day of the year.
    seed : int, default 9
        Of the draw.
    """
    source = SourceDatabase(real)
    source.advance(KNOWN)
    random = np.random.default_rng(seed)
    length = (MONTH[1] - MONTH[0]).days + 1
    month = [MONTH[0] + timedelta(days=n) for n in range(length)]
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute("ATTACH DATABASE ? AS real", (str(real),))
        for name in ("planes", *_TIMES):
            kept = "true" if name == "planes" else "false"
            columns = f"SELECT * FROM real.{name} WHERE {kept}"  # noqa: S608 (names of its own)
            connection.execute(f"CREATE TABLE {name} AS {columns}")
        for number in range((last - date(2013, 1, 1)).days + 1):
            day = date(2013, 1, 1) + timedelta(days=number)
            same = [one for one in month if one.weekday() == day.weekday()]
            _copy(connection, same[random.integers(len(same))], day)
        for name, (key, _) in _TIMES.items():
            connection.execute(f"CREATE INDEX {name}_by_day ON {name} ({key})")


def _copy(connection: sqlite3.Connection, drawn: date, day: date) -> None:
    """Copy one day as another: dates move, clocks stay, and an identity begins with its date."""
    shift = f"{(day - drawn).days:+d} days"
    for name, (key, moment) in _TIMES.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA real.table_info({name})")]
        chosen = {one: f'"{one}"' for one in columns}
        chosen[key] = f"'{day}'"
        chosen[moment] = f"strftime('%Y-%m-%dT%H:%M:%SZ', {moment}, '{shift}')"
        if "flight_id" in chosen:
            chosen["flight_id"] = f"'{day}' || substr(flight_id, 11)"
        values = ", ".join(chosen.values())
        rows = f"SELECT {values} FROM real.{name} WHERE {key} = ?"  # noqa: S608 (names of its own)
        connection.execute(f"INSERT INTO {name} {rows}", (str(drawn),))
