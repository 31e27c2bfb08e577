"""`mlops try` of 30 daily partitions of 1,000 rows, from the shell: by step, and as a whole.

A process of its own each time, as a person starts it: imports and a new MLflow store are in the
clock. Two datasets from one SQLite file; a tree ensemble as people use.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure"]

N_DAYS, ROWS, QUICK_ROWS = 30, 1_000, 100
PASSES, QUICK_PASSES = 3, 1
LIMIT_S = 60.0
FIRST = datetime(2024, 3, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]

_SPEC = """
from datetime import date
from pathlib import Path

from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource

HERE = Path(__file__).parent


def dataset(name, columns, **fields):
    return DatasetSpec(
        name=name, description=name, key=("visit_id",), columns=columns,
        source=SqlSource(conn_id="shop", query=f"SELECT * FROM {name} WHERE day = :partition"),
        expectations=HERE / "expectations" / f"{name}.json", start=date(2024, 3, 1), **fields,
    )


VISITS = dataset(
    "visits",
    {"visit_id": "int64", "came_at": "timestamp", "shop": "string", "device": "string",
     "pages": "float64", "minutes": "float64", "age": "float64", "items": "float64"},
)
SALES = dataset("sales", {"visit_id": "int64", "bought": "int64"}, delay="1d")
MODEL = ModelSpec(
    name="sales_of_visits", description="Will this visit end in a sale?",
    inputs=(InputSpec(dataset=VISITS),), label=LabelSpec(dataset=SALES, target="bought"),
    features_sql=HERE / "features.sql", as_of="came_at", categorical=("shop", "device"),
    numeric=("pages", "minutes", "age", "items"), estimator="sales_of_visits.model:build",
)
"""
_MODEL = """
def build(*, categorical, numeric, random_state):
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = ColumnTransformer(
        [("codes", codes, list(categorical)), ("numbers", "passthrough", list(numeric))]
    )
    return make_pipeline(encode, HistGradientBoostingClassifier(random_state=random_state))
"""
_FEATURES = "SELECT visit_id, came_at, shop, device, pages, minutes, age, items FROM visits"
_EXPECTED: dict[str, list[dict[str, Any]]] = {
    "visits": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "pages", "min_value": 0, "max_value": 1000},
            "severity": "critical",
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "device", "value_set": ["phone", "tablet", "computer"]},
            "severity": "critical",
        },
        {
            "type": "expect_column_mean_to_be_between",
            "kwargs": {"column": "age", "min_value": 10, "max_value": 90},
            "severity": "warning",
        },
    ],
    "sales": [
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "bought", "value_set": [0, 1]},
            "severity": "critical",
        }
    ],
}


def measure(*, quick: bool) -> Measured:
    """Run the command a few times, each in a process of its own."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    n_rows, passes = (QUICK_ROWS, QUICK_PASSES) if quick else (ROWS, PASSES)
    walls: list[float] = []
    steps: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = {}
    try:
        _write_project(home / "dags" / "sales_of_visits", home / "shop.db", n_rows)
        for number in range(passes):
            say(f"try: pass {number + 1} of {passes}")
            wall, report = _try(home)
            walls.append(wall)
            found = _by_step(report)
            found["start, imports and stores"] = (1, wall - sum(s for _, s in found.values()))
            for name, (count, seconds) in found.items():
                counts[name] = count
                steps[name].append(seconds)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    what = f"mlops try of {N_DAYS} daily partitions of {n_rows:,} rows"
    figures = [figure(what, Samples.of(walls), "s", below=LIMIT_S)]
    notes = [
        f"{passes} passes, each a process of its own with imports and a new MLflow store; medians. "
        "Two datasets from SQLite, a first training and its evaluation; the other days are scored, "
        "monitored and decided on.",
        "No peer: no package for Airflow, MLflow or Kedro that we know runs ingestion to "
        "retraining over past partitions without its scheduler.",
    ]
    return Measured(figures, {"Seconds by step": _table(steps, counts)}, notes)


def _try(home: Path) -> tuple[float, dict[str, Any]]:
    connection = json.dumps({"conn_type": "sqlite", "host": str(home / "shop.db")})
    env = os.environ | {
        "AIRFLOW_CONN_SHOP": connection,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "MLOPS_HOME": str(home / "stack"),
    }
    last = (FIRST + timedelta(days=N_DAYS - 1)).date().isoformat()
    words = ["try", "sales_of_visits", "--from", FIRST.date().isoformat(), "--to", last, "--json"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mlops_airflow.cli", *words],
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"mlops try ended with {done.returncode}: {done.stdout}{done.stderr}")
    return wall, json.loads(done.stdout)


def _by_step(report: dict[str, Any]) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = {}
    for step in report["steps"]:
        count, seconds = found.get(step["name"], (0, 0.0))
        found[step["name"]] = count + 1, seconds + step["seconds"]
    return found


def _table(steps: dict[str, list[float]], counts: dict[str, int]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [["step", "times", "seconds", "each"]]
    for name, seconds in steps.items():
        middle, n = Samples.of(seconds).median, counts[name]
        rows.append([name, str(n), f"{middle:.2f}", f"{middle / n:.3f}"])
    return rows


def _write_project(folder: Path, database: Path, n_rows: int) -> None:
    (folder / "expectations").mkdir(parents=True)
    for name, text in (
        ("__init__.py", ""),
        ("spec.py", _SPEC),
        ("model.py", _MODEL),
        ("features.sql", _FEATURES),
    ):
        (folder / name).write_text(text)
    for name, expected in _EXPECTED.items():
        suite = {"name": name, "expectations": expected}
        (folder / "expectations" / f"{name}.json").write_text(json.dumps(suite))
    random = np.random.default_rng(17)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE visits (day, visit_id, came_at, shop, device, pages, minutes, age, items)"
        )
        connection.execute("CREATE TABLE sales (day, visit_id, bought)")
        for number in range(N_DAYS):
            visits, sales = _rows(random, number, n_rows)
            connection.executemany("INSERT INTO visits VALUES (?,?,?,?,?,?,?,?,?)", visits)
            connection.executemany("INSERT INTO sales VALUES (?,?,?)", sales)
        connection.execute("CREATE INDEX visits_by_day ON visits (day)")
        connection.execute("CREATE INDEX sales_by_day ON sales (day)")


def _rows(
    random: np.random.Generator, number: int, n: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    day = FIRST + timedelta(days=number)
    seconds = np.sort(random.integers(0, 86_400, n))
    shops = random.choice(["north", "south", "east", "west"], n)
    devices = random.choice(["phone", "tablet", "computer"], n)
    pages, minutes = random.poisson(6, n).astype(float), random.gamma(2.0, 4.0, n)
    age, items = random.normal(42, 12, n), random.poisson(2, n).astype(float)
    logit = 0.25 * (pages - 6) + 0.3 * (items - 2) + 0.6 * (devices == "computer") - 1.0
    bought = random.random(n) < 1 / (1 + np.exp(-logit))
    key = day.date().isoformat()
    ids = range(number * n, (number + 1) * n)
    moments = [f"{day + timedelta(seconds=int(s)):%Y-%m-%dT%H:%M:%SZ}" for s in seconds]
    visits = zip(
        *([key] * n, ids, moments, shops.tolist(), devices.tolist()),
        *(values.round(2).tolist() for values in (pages, minutes, age, items)),
        strict=True,
    )
    sales = zip([key] * n, ids, map(int, bought), strict=True)
    return list(visits), list(sales)
