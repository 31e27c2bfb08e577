"""Small sources, as people have them: an SQLite file and folders of files."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FIRST = datetime(2024, 1, 1)


def database(file: Path, **tables: tuple[str, Sequence[tuple[Any, ...]]]) -> Path:
    """Write an SQLite file; a table is its columns, as in SQL, and its rows."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for name, (columns, rows) in tables.items():
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            marks = ", ".join("?" * (columns.count(",") + 1))
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)
    return file


def csv_file(file: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file, and the folder that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([names, *rows])


def orders(file: Path, *, n_days: int = 40, per_day: int = 60, unlabelled: int = 2) -> Path:
    """Orders that are late or not: known, with the delivery, `unlabelled` days later."""
    draw, rows = random.Random(1), []
    for number in range(n_days * per_day):
        day = FIRST + timedelta(days=number // per_day)
        at = day + timedelta(minutes=draw.randrange(1440))
        items = draw.randint(1, 9)
        late = int(draw.random() < 0.08 * items)
        known = number // per_day < n_days - unlabelled
        delivered = (at + timedelta(hours=30)).isoformat() + "Z" if known else None
        row = (
            number,
            f"{at.isoformat()}Z",
            draw.choice(["north", "south"]),
            items,
            f"p{number}@a.org",
        )
        rows.append((*row, delivered, late if known else None))
    columns = "order_id INTEGER, ordered_at TEXT, shop TEXT, items INTEGER, contact TEXT"
    return database(file, orders=(f"{columns}, delivered_at TEXT, late INTEGER", rows))


def weekly_sales(root: Path, *, n_weeks: int = 60, per_week: int = 40) -> Path:
    """Write a CSV file a week, with names that no contract takes."""
    draw = random.Random(2)
    for week in range(n_weeks):
        monday = FIRST + timedelta(weeks=week)
        rows = []
        for item in range(per_week):
            price = round(draw.uniform(1, 9), 2)
            sold = int(40 / price + draw.randint(0, 9))
            rows.append((f"{item:03}", monday.date(), price, draw.choice("AB"), sold))
        names = ("Item No.", "weekStart", "x.price", "Store Type", "unitsSold")
        csv_file(root / "sales" / f"{monday.date()}.csv", names, rows)
    return root


def hourly_tickets(root: Path, *, n_hours: int = 96, per_hour: int = 20) -> Path:
    """Write a file of JSON lines an hour, with a text and one of three queues."""
    draw = random.Random(3)
    words = {"billing": "the invoice is wrong", "returns": "send it back", "account": "no log in"}
    for hour in range(n_hours):
        begin = FIRST + timedelta(hours=hour)
        lines = []
        for number in range(per_hour):
            queue = draw.choice(list(words))
            at = begin + timedelta(minutes=3 * number)
            text = f"hello, {words[queue]} for order {draw.randrange(10_000)}"
            ticket = {"ticketId": f"{hour}-{number}", "openedAt": f"{at.isoformat()}Z"}
            lines.append(json.dumps({**ticket, "message": text, "queue": queue}))
        file = root / f"{begin:%Y/%m/%d/%H}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines), encoding="utf-8")
    return root


def weather(file: Path, *, zone: str, first: datetime = FIRST, n_days: int = 31) -> Path:
    """Write an observation of two stations each hour, with its day in their zone."""
    draw, rows = random.Random(6), []
    at, end = (
        (first + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for days in (0, n_days)
    )
    while at < end:
        day = at.astimezone(ZoneInfo(zone)).date().isoformat()
        for station in ("east", "west"):
            fog, wind = draw.random(), draw.uniform(0, 30)
            rows.append((station, f"{at:%Y-%m-%dT%H:%M:%SZ}", day, wind, 10 * fog))
        at += timedelta(hours=1)
    columns = "station TEXT, observed_at TEXT, observation_date TEXT, wind REAL, visib REAL"
    return database(file, weather=(columns, rows))
