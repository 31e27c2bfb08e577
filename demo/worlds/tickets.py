"""Support tickets of half a year, sixty a day, each with its queue.

A ticket's text joins an opening, two to four phrases, mostly of its own queue, and a closing; one
ticket in twelve is filed in a queue at random, as people do. What changes, and when:

- from 2024-04-15 customers write of a new product, the "Nimbus": words that no training has seen;
- from 2024-05-13 deliveries fail: the share of `shipping` doubles;
- from 2024-06-03 there is a new queue, `subscription`, that the first models do not know.
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

FIRST, N_DAYS, _PER_DAY = date(2024, 1, 1), 182, 60
_NIMBUS, _OUTAGE, _SUBSCRIPTION = date(2024, 4, 15), date(2024, 5, 13), date(2024, 6, 3)
_PHRASES = {
    "billing": (
        *("I was charged twice", "the invoice is wrong", "my card was declined"),
        *("please send the receipt", "the amount differs from the offer", "VAT is missing"),
    ),
    "shipping": (
        *("my parcel has not arrived", "the tracking shows nothing", "it went to a neighbour"),
        *("the box was damaged", "delivery is late again", "the courier did not ring"),
    ),
    "returns": (
        *("I want to send it back", "where is the return label", "the refund is not here yet"),
        *("it does not fit", "I ordered the wrong colour", "can I exchange it"),
    ),
    "account": (
        *("I cannot log in", "the password mail never comes", "please delete my account"),
        *("my address has changed", "two accounts with one mail", "the app signs me out"),
    ),
    "subscription": (
        *("please pause my plan", "the yearly plan was renewed", "I want to cancel the plan"),
        *("how do I change my plan", "the trial ended too early", "family members on my plan"),
    ),
}
_OPENINGS = ("Hello,", "Hi there,", "Good morning,", "To whom it may concern,", "Hey,")
_CLOSINGS = ("Thanks!", "Please help.", "Waiting for your answer.", "Regards", "This is urgent!")


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
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE tickets (ticket_id, day, opened_at, channel, message)")
        connection.execute("CREATE TABLE routings (ticket_id, day, queue)")
        for number in range(N_DAYS):
            day = FIRST + timedelta(days=number)
            names, shares = _queues(day)
            for place, minute in enumerate(np.sort(random.integers(0, 1440, _PER_DAY))):
                queue = str(random.choice(names, p=shares))
                ticket, moment = (
                    f"{day}-{place:02}",
                    f"{day}T{minute // 60:02}:{minute % 60:02}:00Z",
                )
                channel = str(random.choice(["mail", "chat", "form"]))
                message = _message(random, queue, day)
                filed = queue if random.random() > 1 / 12 else str(random.choice(names))
                connection.execute(
                    "INSERT INTO tickets VALUES (?, ?, ?, ?, ?)",
                    (ticket, str(day), moment, channel, message),
                )
                connection.execute(
                    "INSERT INTO routings VALUES (?, ?, ?)", (ticket, str(day), filed)
                )


def _queues(day: date) -> tuple[list[str], list[float]]:
    weights = {"billing": 3.0, "shipping": 3.0, "returns": 2.5, "account": 1.5}
    if day >= _OUTAGE:
        weights["shipping"] *= 3
    if day >= _SUBSCRIPTION:
        weights["subscription"] = 2.0
    total = sum(weights.values())
    return list(weights), [weight / total for weight in weights.values()]


def _message(random: np.random.Generator, queue: str, day: date) -> str:
    parts = []
    for _ in range(random.integers(2, 5)):
        source = queue if random.random() < 0.85 else str(random.choice(list(_PHRASES)[:4]))
        parts.append(str(random.choice(_PHRASES[source])))
    if day >= _NIMBUS and random.random() < 0.4:
        parts.append(str(random.choice(["it is about the Nimbus", "my Nimbus hums", "Nimbus pro"])))
    return " ".join(
        (str(random.choice(_OPENINGS)), ", ".join(parts) + ".", str(random.choice(_CLOSINGS)))
    )
