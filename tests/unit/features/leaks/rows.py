"""Labelled rows as a training has them, with features of any kind, and the spec that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlops_tasks.features.leaks import leak_suspects
from tests.unit.orders import project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.versions import LeakSuspect
    from mlops_tasks.specs import ModelSpec


def table_of(columns: dict[str, Any], y: Any = None) -> pa.Table:
    """Put columns, and targets, beside a key."""
    n = len(next(iter(columns.values())))
    found = {"order_id": [f"order {i}" for i in range(n)]}
    found |= {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    return pa.table(found | ({} if y is None else {"y": pa.array(y)}))


def spec_of(folder: Path, columns: dict[str, Any], problem_type: str, **changes: Any) -> ModelSpec:
    """Return a spec whose features are these columns: numbers, or else categories."""
    numeric = [name for name, values in columns.items() if np.asarray(values).dtype.kind in "fi"]
    text = changes.pop("text", ())
    rest = [name for name in columns if name not in {*numeric, *text}]
    features = {"categorical": tuple(rest), "numeric": tuple(numeric), "text": tuple(text)}
    return project(folder, problem_type=problem_type, **features, **changes)


def suspects(
    folder: Path, columns: dict[str, Any], y: Any, problem_type: str = "binary", **changes: Any
) -> list[LeakSuspect]:
    """Look for leaks in these columns."""
    newest = changes.pop("newest", None)
    spec = spec_of(folder, columns, problem_type, **changes)
    late = None if newest is None else table_of(newest)
    return list(leak_suspects(spec, table_of(columns, y), newest=late))


def noise(n: int, n_columns: int = 6, seed: int = 3) -> dict[str, Any]:
    """Make columns that know nothing."""
    random = np.random.default_rng(seed)
    return {f"noise_{i}": random.normal(size=n) for i in range(n_columns)}


def measured(auc_distance: float, y: Any, seed: int = 5) -> Any:
    """Measure a class with normal noise: two of them lie so many standard deviations apart."""
    return auc_distance * np.asarray(y) + np.random.default_rng(seed).normal(size=len(y))
