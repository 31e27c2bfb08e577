"""The example projects over a few weeks: short windows, so that one whole loop takes seconds."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MODELS", "Shortened", "write_projects"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Shortened:
    """An example project, and what is shortened.

    Attributes
    ----------
    files : tuple of str
        Files that are changed at random, below the folder of the projects.
    span : tuple of str
        First and last day.
    changes : dict of str to dict of str to str
        By file, what is written in place of what.
    """

    files: tuple[str, ...]
    span: tuple[str, str]
    changes: dict[str, dict[str, str]]


def _files(model: str, *names: str) -> tuple[str, ...]:
    return tuple(
        f"{model}/{name}" for name in ("spec.py", "model.py", "features.sql", "dag.py", *names)
    )


_DAYS = {"date(2024, 7, 28)": "date(2024, 1, 26)"}
MODELS = {
    "demand": Shortened(
        _files("demand", *(f"expectations/{name}.json" for name in ("offers", "sales", "stores"))),
        ("2023-10-02", "2024-02-25"),
        {
            "demand/spec.py": {
                "date(2023, 1, 2)": "date(2023, 10, 2)",
                "date(2024, 12, 30)": "date(2024, 2, 19)",
                'train="364d"': 'train="77d"',
            },
            "demand/model.py": {"max_iter=150": "max_iter=20"},
        },
    ),
    "support_tickets": Shortened(
        _files("support_tickets", "expectations/tickets.json", "expectations/routings.json"),
        ("2024-01-01", "2024-01-27"),
        {
            "support_tickets/spec.py": {
                "date(2024, 6, 30)": "date(2024, 1, 27)",
                'window="14d"': 'window="4d", min_rows=100',
                '    drift=': '    train="10d",\n    evaluation="5d",\n    drift=',
            }
        },
    ),
    "machine_failures": Shortened(
        _files("machine_failures", "expectations/failures.json"),
        ("2024-01-01", "2024-01-26"),
        {
            "datasets/machines.py": _DAYS,
            "machine_failures/spec.py": {
                '    evaluation="14d",': '    train="10d",\n    evaluation="6d",\n'
                '    drift=DriftSpec(window="4d"),\n'
                '    performance=PerformanceSpec(window="4d", min_class_rows=3),',
                'GateSpec(': 'GateSpec(min_class_rows=4, ',
                "import CandidateSpec": "import DriftSpec, PerformanceSpec, CandidateSpec",
            },
        },
    ),
    "machine_heat": Shortened(
        (
            *_files("machine_heat", "expectations/tomorrows_heat.json"),
            "datasets/machines.py",
            "datasets/expectations/readings.json",
            "datasets/expectations/machine_trends.json",
        ),
        ("2024-01-01", "2024-01-26"),
        {"machine_heat/spec.py": {'train="42d"': 'train="10d"'}},
    ),
}  # fmt: skip
_WORLDS = {
    "demand": ("demand_source", "demand"),
    "tickets": ("tickets_source", "support_tickets"),
    "machines": ("machines_source", "machine_failures"),
}


def write_projects(home: Path) -> dict[str, tuple[str, str]]:
    """Write projects and worlds, set the connections, and return the span of each model."""
    shutil.copytree(
        ROOT / "dags",
        home / "dags",
        ignore=lambda _, names: (
            {"__pycache__", "flight_delays", "maintenance", "machine_worklist"} & set(names)
        ),
    )
    for one in MODELS.values():
        for file, changes in one.changes.items():
            _rewrite(home / "dags" / file, changes)
    for world, (conn_id, model) in _WORLDS.items():
        database = home / f"{world}.db"
        importlib.import_module(f"demo.worlds.{world}").write(database)
        _keep(database, MODELS[model].span)
        where = json.dumps({"conn_type": "sqlite", "host": str(database)})
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = where
    return {model: one.span for model, one in MODELS.items()}


def _rewrite(file: Path, changes: dict[str, str]) -> None:
    text = file.read_text()
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"{file.name} has no {old!r}")
        text = text.replace(old, new)
    file.write_text(text)


def _keep(database: Path, span: tuple[str, str]) -> None:
    """Delete the rows of days that are not looked at; a week is written as its Monday."""
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
        for name in names:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
            for column in columns & {"day", "week"}:
                kept = f"{column} BETWEEN ? AND date(?, '+1 day')"
                connection.execute(f"DELETE FROM {name} WHERE NOT ({kept})", span)  # noqa: S608
        connection.commit()
