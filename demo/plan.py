"""The airline's calendar: its Dags, and when its nights begin."""

from __future__ import annotations

from datetime import date, timedelta

MODEL = "flight_delays"
SCORE, MONITOR, DECIDE, TRAIN = (
    f"{MODEL}.{step}" for step in ("score", "monitor", "decide", "train")
)
FLIGHTS, WEATHER, ARRIVALS = (f"{name}.ingest" for name in ("flights", "weather", "arrivals"))
REFRESH = "arrivals.refresh"
ALL_DAGS = (FLIGHTS, WEATHER, ARRIVALS, REFRESH, SCORE, MONITOR, DECIDE, TRAIN)

HISTORY_END = date(2013, 1, 31)
FIRST_NIGHT = HISTORY_END + timedelta(days=1)
LABEL_DELAY = timedelta(days=2)
