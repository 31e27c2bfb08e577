"""Visits to three clinics: one table with everything in it, and an estimator that learns it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import DatasetSpec, FunctionSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Partition

START, N_DAYS, PER_DAY = date(2024, 3, 1), 21, 40

VISITS = DatasetSpec(
    name="visits",
    description="Appointments of a clinic, and whether people came.",
    source=FunctionSource(function="tests.unit.visits:visits"),
    columns={
        "visit_id": "string",
        "clinic": "string",
        "age": "int64",
        "lead_days": "float64",
        "came": "bool?",
    },
    key=("visit_id",),
    start=START,
)

#: What an operator is given of a model, beside its task id.
PLAIN: dict[str, Any] = {
    "name": "no_show",
    "table": VISITS,
    "target": "NOT came",
    "categorical": ("clinic",),
    "numeric": ("age", "lead_days"),
    "estimator": "tests.unit.visits:build",
    "random_state": 7,
}


def day(number: int) -> str:
    return (START + timedelta(days=number)).isoformat()


def rows_of(key: str) -> pa.Table:
    """Return the visits of a day: long ahead and at the far clinic, people stay away."""
    import pyarrow as pa

    random = np.random.default_rng(int(key.replace("-", "")))
    clinic = random.choice(["north", "south", "far"], PER_DAY)
    lead = random.uniform(0, 30, PER_DAY)
    risk = 1 / (1 + np.exp(-(lead - 18) / 3 - 1.5 * (clinic == "far")))
    came = [bool(one) for one in random.uniform(size=PER_DAY) > risk]
    return pa.table(
        {
            "visit_id": [f"{key}/{number}" for number in range(PER_DAY)],
            "clinic": list(clinic),
            "age": random.integers(18, 90, PER_DAY),
            "lead_days": lead,
            "came": pa.array([*came[:-1], None], pa.bool_()),  # the last one is not known
        }
    )


def visits(partition: Partition) -> pa.Table:
    """The source, as a dataset names it."""
    return rows_of(partition.key)


def publish(lake: Lake, n_days: int = N_DAYS) -> None:
    """Publish days, each known when it ended."""
    for number in range(n_days):
        key = day(number)
        table = lake.table(VISITS.name)
        overwrite_partition(table, key, rows_of(key), token=number + 1, known_at=key)


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(categorical)),
            ("numbers", StandardScaler(), list(numeric)),
        ]
    )
    return make_pipeline(columns, LogisticRegression(random_state=random_state))


def build_unsafe(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(
        FunctionTransformer(lambda frame: frame[["age"]]),
        LogisticRegression(random_state=random_state),
    )
