"""Daily readings of four hundred machines, of which a few fail; whether, is known two weeks later.

A machine wears by its load; worn ones run hot and shake. It fails within two weeks with a chance
that follows wear and heat, about 1 % of all readings. What changes, and when:

- from 2024-05-06 every second machine has a new sensor that shows 4 degrees more: an input drifts,
  and the model sees failures that do not come;
- from 2024-06-17 new bearings halve the failures: labels drift.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FIRST", "N_DAYS", "write"]

FIRST, N_DAYS, _N = date(2024, 1, 1), 210, 400
_SENSORS, _BEARINGS = date(2024, 5, 6), date(2024, 6, 17)


def write(database: Path, *, seed: int = 1) -> None:
    """Write the whole database, the same for the same seed.

    Parameters
    ----------
    database : Path
        File that does not exist yet.
    seed : int, default 1
        Of every draw.
    """
    random = np.random.default_rng(seed)
    kinds = random.choice(["press", "lathe", "pump"], _N)
    load, wear = random.uniform(0.3, 1.0, _N), random.uniform(0, 140, _N)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE readings (machine_id, day, read_at, kind, hours, temperature, vibration)"
        )
        connection.execute("CREATE TABLE failures (machine_id, day, failed)")
        for number in range(N_DAYS):
            day = FIRST + timedelta(days=number)
            wear += load * random.uniform(0.5, 1.5, _N)
            heat = 55 + 0.15 * wear + 8 * load + random.normal(0, 3, _N)
            shaking = 1 + 0.02 * wear + random.gamma(2, 0.2, _N)
            risk = 1 / (1 + np.exp(-(0.15 * (wear - 140) + 0.6 * (heat - 84) - 1.3)))
            failed = random.random(_N) < risk * (0.5 if day >= _BEARINGS else 1.0)
            shown = heat + (4.0 * (np.arange(_N) % 2 == 0) if day >= _SENSORS else 0.0)
            connection.executemany(
                "INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(f"m{at:03}", str(day), f"{day}T22:00:00Z", str(kinds[at])),
                        *(round(float(v[at]), 2) for v in (wear, shown, shaking)),
                    )
                    for at in range(_N)
                ],
            )
            connection.executemany(
                "INSERT INTO failures VALUES (?, ?, ?)",
                [(f"m{at:03}", str(day), int(failed[at])) for at in range(_N)],
            )
            wear = np.where(failed, random.uniform(0, 20, _N), wear)
