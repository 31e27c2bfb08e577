"""Weekly sales of fifteen products in a dozen stores, over two years.

Units are drawn from a Poisson distribution whose logarithm of the mean adds up what the product,
the store's size and region, the season, the price and a promotion do. What changes, and when:

- from 2024-03-04 all prices are 15 % higher: an input drifts, and the model knows what prices do;
- from 2024-07-01 a competitor takes 45 % of the sales in the south: no input shows it, the model
  predicts too much there until it is trained again;
- two stores open on 2024-01-01: the snapshot of the stores has them from then on.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FIRST", "N_WEEKS", "write"]

FIRST, N_WEEKS = date(2023, 1, 2), 105
_REGIONS = ("north", "south", "west")
_PRICE_RISE, _COMPETITOR, _OPENING = date(2024, 3, 4), date(2024, 7, 1), date(2024, 1, 1)


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
    stores = [
        (f"s{number:02}", _REGIONS[number % 3], int(size), str(FIRST if number < 10 else _OPENING))
        for number, size in enumerate(random.integers(150, 2500, 12))
    ]
    base, list_price = random.normal(2.2, 0.5, 15), random.uniform(1, 20, 15).round(2)
    elasticity = random.uniform(0.8, 1.8, 15)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE stores (store_id, region, size_m2, opened_on)")
        connection.executemany("INSERT INTO stores VALUES (?, ?, ?, ?)", stores)
        connection.execute(
            "CREATE TABLE offers (store_id, product_id, week, offered_at, price, promoted)"
        )
        connection.execute("CREATE TABLE sales (store_id, product_id, week, units)")
        for number in range(N_WEEKS):
            week = FIRST + timedelta(weeks=number)
            season = 0.25 * np.sin(2 * np.pi * number / 52)
            for store, region, size, opened in stores:
                if opened > str(week):
                    continue
                promoted = random.random(15) < 0.15
                price = list_price * np.where(promoted, 0.8, 1.0)
                price = (price * (1.15 if week >= _PRICE_RISE else 1.0)).round(2)
                log_mean = base + season + 0.5 * np.log(size / 800) + 0.4 * promoted
                log_mean -= elasticity * np.log(price / list_price)
                if region == "south" and week >= _COMPETITOR:
                    log_mean += np.log(0.55)
                units = random.poisson(np.exp(log_mean))
                keys = [(store, f"p{product:02}", str(week)) for product in range(15)]
                moment = f"{week}T06:00:00Z"
                connection.executemany(
                    "INSERT INTO offers VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (*key, moment, float(p), int(on))
                        for key, p, on in zip(keys, price, promoted, strict=True)
                    ],
                )
                connection.executemany(
                    "INSERT INTO sales VALUES (?, ?, ?, ?)",
                    [(*key, int(n)) for key, n in zip(keys, units, strict=True)],
                )
