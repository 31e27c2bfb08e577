"""A project of rows with 13 features and a number that gives a target of each problem type."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import DatasetSpec, GateSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

__all__ = [
    "CATEGORICAL",
    "CLASSES",
    "FIRST",
    "NUMERIC",
    "N_DAYS",
    "PROBLEMS",
    "fill",
    "key_of",
    "project",
]

CLASSES = 50
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
N_DAYS = 20
CATEGORICAL = tuple(f"c{n}" for n in range(3))
NUMERIC = tuple(f"n{n}" for n in range(10))
FEATURES = "SELECT id, came_at, c0, c1, c2, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 FROM visits"
_STEADY = "benchmarks._authoring.steady"
#: By problem type, its target of the number and its estimator.
PROBLEMS = {
    "binary": ("worth > 0", f"{_STEADY}:classifier"),
    "multiclass": (
        f"CAST(floor(least(greatest(worth + 2.5, 0), 4.99) * {CLASSES // 5}) AS INTEGER)",
        f"{_STEADY}:classifier",
    ),
    "regression": ("worth", f"{_STEADY}:regressor"),
}


def key_of(number: int) -> str:
    """Return the day of this number, from 0."""
    return (FIRST + timedelta(days=number)).date().isoformat()


def project(folder: Path, problem_type: str) -> ModelSpec:
    """Return the model of a problem type; all of them have the same datasets."""
    folder.mkdir(exist_ok=True)
    sql = folder / "features.sql"
    sql.write_text(FEATURES)
    types = dict.fromkeys(CATEGORICAL, "string") | dict.fromkeys(NUMERIC, "float64")
    visits = _dataset(folder, "visits", {"id": "int64", "came_at": "timestamp", **types})
    worths = _dataset(folder, "worths", {"id": "int64", "worth": "float64"})
    target, estimator = PROBLEMS[problem_type]
    return ModelSpec(
        name=f"visits_{problem_type}",
        description="What is a visit worth?",
        inputs=(InputSpec(dataset=visits),),
        label=LabelSpec(dataset=worths, target=target),
        problem_type=problem_type,  # type: ignore[arg-type]
        features_sql=sql,
        as_of="came_at",
        categorical=CATEGORICAL,
        numeric=NUMERIC,
        estimator=estimator,
        train="8d",  # type: ignore[arg-type]
        evaluation="4d",  # type: ignore[arg-type]
        gate=GateSpec(),
    )


def fill(lake: Lake, spec: ModelSpec, n_rows: int) -> None:
    """Publish the rows and the labels of all days."""
    for number in range(N_DAYS):
        visits, worths = _rows(number, n_rows)
        for name, rows in ((spec.rows.name, visits), (spec.label.dataset.name, worths)):
            key = key_of(number)
            overwrite_partition(lake.table(name), key, rows, token=number + 1, known_at=key)


def _rows(number: int, n: int) -> tuple[pa.Table, pa.Table]:
    random = np.random.default_rng([7, number])
    ids = pa.array(np.arange(number * n, (number + 1) * n))
    seconds = np.sort(random.integers(0, 86_400, n))
    begin = int((FIRST + timedelta(days=number)).timestamp())
    at = pa.array((begin + seconds) * 1_000_000, pa.timestamp("us", tz="UTC"))
    names = np.array([f"kind {letter}" for letter in "abcdefgh"], dtype=object)
    features = {name: pa.array(random.choice(names, n), pa.string()) for name in CATEGORICAL}
    numbers = random.normal(size=(len(NUMERIC), n))
    features |= {name: pa.array(row) for name, row in zip(NUMERIC, numbers, strict=True)}
    worth = pa.array(numbers[0] + random.normal(0, 0.5, n))
    return pa.table({"id": ids, "came_at": at, **features}), pa.table({"id": ids, "worth": worth})


def _dataset(folder: Path, name: str, columns: dict[str, str]) -> DatasetSpec:
    suite = folder / f"{name}.json"
    suite.write_text(json.dumps({"name": name, "expectations": []}))
    return DatasetSpec(
        name=name,
        description=f"The {name}.",
        source=SqlSource(
            conn_id="shop",
            query="SELECT * FROM nothing_is_ingested WHERE came_at >= :start AND came_at < :end",
        ),
        columns=columns,
        key=("id",),
        expectations=suite,
        start=FIRST.date(),
    )
