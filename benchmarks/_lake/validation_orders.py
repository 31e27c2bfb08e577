"""A partition to validate: rows of 20 columns in a lake, and a suite of 30 expectations."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import SqlSource

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CLEAN_DAY", "COLUMNS", "DAY", "RAW", "dataset", "prepare", "suite_items"]

DAY, RAW = "2024-03-01", "orders__raw"
#: The same rows, but none of them bad.
CLEAN_DAY = "2024-03-02"
_SHOPS = ["bakery", "butcher", "florist", "grocer", "pharmacy", "tailor"]
_ZONES = ["north", "south", "east", "west"]
_BAD_SHARE = 0.001
_NUMBERS = [f"amount_{i}" for i in range(6)]
_COUNTS = [f"count_{i}" for i in range(4)]
COLUMNS = {
    "order_id": "int64",
    "customer": "string",
    "shop": "string",
    "zone": "string",
    "code": "string",
    "note": "string?",
    "ordered_at": "timestamp",
    "delivered_at": "timestamp?",
    "express": "bool",
    "distance": "float64?",
    **dict.fromkeys(_NUMBERS, "float64?"),
    **dict.fromkeys(_COUNTS, "int64"),
}


def suite_items() -> list[dict[str, Any]]:
    """Return 30 expectations as a project has them: mostly row by row, some of the whole."""

    def column(kind: str, column: str, **kwargs: Any) -> dict[str, Any]:
        limits = {"column": column, **kwargs}
        return {"type": f"expect_column_{kind}", "kwargs": limits, "severity": "critical"}

    present = ["order_id", "shop", "ordered_at"]
    return [
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1_000},
            "severity": "critical",
        },
        *(column("values_to_not_be_null", name) for name in present),
        *(column("values_to_be_between", c, min_value=0, max_value=999) for c in _COUNTS),
        *(column("values_to_be_between", c, min_value=-9, max_value=9) for c in _NUMBERS),
        column("values_to_be_between", "distance", min_value=0, max_value=100),
        column("values_to_be_between", "ordered_at", min_value="2024-03-01"),
        column("values_to_be_in_set", "shop", value_set=_SHOPS),
        column("values_to_be_in_set", "zone", value_set=_ZONES),
        column("values_to_match_regex", "code", regex="^[A-Z]{2}[0-9]{4}$"),
        column("values_to_match_regex", "customer", regex="^c[0-9]+$"),
        column("value_lengths_to_be_between", "code", min_value=6, max_value=6),
        column("values_to_be_unique", "order_id"),
        column("mean_to_be_between", "distance", min_value=0, max_value=100),
        column("mean_to_be_between", "amount_0", min_value=-1, max_value=1),
        column("stdev_to_be_between", "amount_1", min_value=0.5, max_value=2),
        column("median_to_be_between", "amount_2", min_value=-1, max_value=1),
        column("max_to_be_between", "ordered_at", max_value="2024-03-02T00:00:00Z"),
        column("unique_value_count_to_be_between", "zone", min_value=2, max_value=8),
        column("proportion_of_non_null_values_to_be_between", "note", min_value=0.5),
        column("sum_to_be_between", "count_0", min_value=0),
    ]


def _rows(n_rows: int, bad_share: float) -> pa.Table:
    random = np.random.default_rng(0)
    bad = random.random(n_rows) < bad_share

    def picked(values: list[str]) -> pa.Array:
        dictionary = pa.array(values)
        indices = pa.array(random.integers(0, len(values), n_rows))
        return pa.DictionaryArray.from_arrays(indices, dictionary).cast(pa.string())

    start = np.datetime64(f"{DAY}T00:00:00", "us")
    ordered = start + np.sort(random.integers(0, 86_400_000_000, n_rows))
    utc = pa.timestamp("us", tz="UTC")
    codes = [f"{a}{b}{n:04d}" for a in "ABCDEFGH" for b in "KLMN" for n in range(0, 10_000, 13)]
    distance = np.where(bad, 500.0, random.random(n_rows) * 100)
    columns = {
        "order_id": pa.array(np.arange(n_rows)),
        "customer": picked([f"c{i}" for i in range(50_000)]),
        "shop": picked(_SHOPS),
        "zone": picked(_ZONES),
        "code": picked(codes),
        "note": pa.array(["by the door"] * n_rows, mask=random.random(n_rows) < 0.3),
        "ordered_at": pa.array(ordered).cast(utc),
        "delivered_at": pa.array(ordered + 3_600_000_000, mask=random.random(n_rows) < 0.1).cast(
            utc
        ),
        "express": pa.array(random.random(n_rows) < 0.2),
        "distance": pa.array(distance, mask=random.random(n_rows) < 0.02),
    }
    columns |= {name: pa.array(random.normal(size=n_rows)) for name in _NUMBERS}
    columns |= {name: pa.array(random.integers(0, 1_000, n_rows)) for name in _COUNTS}
    return pa.table(columns)


def dataset(folder: Path) -> DatasetSpec:
    """Return the dataset, whose suite lies in a folder.

    Parameters
    ----------
    folder : Path
        Where `prepare` has put it.
    """
    query = "SELECT * FROM orders WHERE on = :partition"
    return DatasetSpec(
        name="orders",
        description="Made-up orders.",
        source=SqlSource(conn_id="nowhere", query=query),
        columns=COLUMNS,
        key=("order_id",),
        expectations=folder / "orders.json",
        start=date.fromisoformat(DAY),
    )


def prepare(folder: Path, n_rows: int) -> None:
    """Write the suite, and the rows into a lake.

    Parameters
    ----------
    folder : Path
        Gets ``orders.json`` and ``lake``.
    n_rows : int
        Rows.
    """
    suite = {"name": "orders", "expectations": suite_items()}
    (folder / "orders.json").write_text(json.dumps(suite))
    lake = Lake(folder / "lake")
    for day, bad_share in {DAY: _BAD_SHARE, CLEAN_DAY: 0.0}.items():
        overwrite_partition(lake.table(RAW), day, _rows(n_rows, bad_share), token=1)
