"""Everything that is unique to the flight delay model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mlops_tasks.specs import (
    DatasetSpec,
    DriftSpec,
    GateSpec,
    InputSpec,
    IntendedUseSpec,
    LabelSpec,
    ModelSpec,
    PerformanceSpec,
    RetrainSpec,
)
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent
FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)

FLIGHTS = DatasetSpec(
    name="flights",
    description="Scheduled flights from New York: what is known before departure.",
    owner="airline-data",
    source=SqlSource(
        conn_id="flights_source",
        query="""
            SELECT flight_id, flight_date, schedule.carrier, origin, dest, distance, seats,
                   scheduled_departure, scheduled_hour, scheduled_minute
            FROM schedule LEFT JOIN planes ON planes.tailnum = schedule.tailnum
            WHERE flight_date = :partition
        """,
    ),
    columns={
        "flight_id": "string",
        "flight_date": "string",
        "carrier": "string",
        "origin": "string",
        "dest": "string",
        "distance": "int64",
        "seats": "int64?",
        "scheduled_departure": "timestamp",
        "scheduled_hour": "int64",
        "scheduled_minute": "int64",
    },
    key=("flight_id",),
    expectations=HERE / "expectations" / "flights.json",
    start=FIRST,
    end=LAST,
)

WEATHER = DatasetSpec(
    name="weather",
    description="Hourly weather at the three New York airports.",
    owner="airline-data",
    source=SqlSource(
        conn_id="flights_source",
        query="""
            SELECT origin, observed_at, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip,
                   pressure, visib
            FROM weather WHERE observation_date = :partition
        """,
    ),
    columns={
        "origin": "string",
        "observed_at": "timestamp",
        "temp": "float64?",
        "dewp": "float64?",
        "humid": "float64?",
        "wind_dir": "float64?",
        "wind_speed": "float64?",
        "wind_gust": "float64?",
        "precip": "float64?",
        "pressure": "float64?",
        "visib": "float64?",
    },
    key=("origin", "observed_at"),
    expectations=HERE / "expectations" / "weather.json",
    start=FIRST,
    end=LAST,
)

ARRIVALS = DatasetSpec(
    name="arrivals",
    description="How flights arrived: recorded after landing, for cancelled flights never.",
    owner="airline-data",
    source=SqlSource(
        conn_id="flights_source",
        query="""
            SELECT flight_id, dep_time, dep_delay, arr_time, arr_delay, air_time, recorded_at
            FROM arrivals WHERE flight_date = :partition
        """,
    ),
    columns={
        "flight_id": "string",
        "dep_time": "int64",
        "dep_delay": "float64?",
        "arr_time": "int64",
        "arr_delay": "float64?",
        "air_time": "float64?",
        "recorded_at": "timestamp",
    },
    key=("flight_id",),
    expectations=HERE / "expectations" / "arrivals.json",
    start=FIRST,
    end=LAST,
    delay="2d",
    refresh_after="7d",
)

MODEL = ModelSpec(
    name="flight_delays",
    description="Will this flight arrive more than 15 minutes late? Asked two hours before.",
    owner="airline-ml",
    intended_use=IntendedUseSpec(
        purpose="Warn passengers of a likely delay; no seat, price or connection depends on it.",
        people="passengers, of whom no data are used",
        out_of_scope="Decisions about crews or maintenance.",
        limitations="One year of one city; never tried on days of a strike.",
        metric="Warnings are sent by rank, so it is the ranking that counts: ROC AUC.",
    ),
    inputs=(InputSpec(dataset=FLIGHTS), InputSpec(dataset=WEATHER, lookback="1d")),
    label=LabelSpec(dataset=ARRIVALS, target="arr_delay > 15"),
    features_sql=HERE / "features.sql",
    as_of="asked_at",
    observed_at=("weather_observed_at",),
    categorical=("carrier", "origin", "dest"),
    numeric=(
        "minute_of_day",
        "day_of_week",
        "distance",
        "seats",
        "temp",
        "dewp",
        "humid",
        "wind_dir",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    ),
    estimator="flight_delays.model:build",
    random_state=2013,
    train="60d",
    evaluation="7d",
    gate=GateSpec(min_value=0.55),
    drift=DriftSpec(window="7d"),
    performance=PerformanceSpec(window="7d"),
    retrain=RetrainSpec(cooldown="7d", max_age="30d"),
)
