"""Small tables and their profiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_tasks.drift import Baseline
from mlops_tasks.drift.effects import Readings
from mlops_tasks.profiles import Profile


def profile(**columns: Any) -> Profile:
    arrays = {name: c if isinstance(c, pa.Array) else pa.array(c) for name, c in columns.items()}
    batch = pa.record_batch(arrays)
    return Profile.of([batch], batch.schema)


def column(values: Any) -> Any:
    return profile(x=values).columns["x"]


def day(
    random: np.random.Generator, n: int = 500, shift: float = 0.0, spare: float = 0.0
) -> Profile:
    """Draw one day; `shift` moves x, `spare` is the share of a category C."""
    x = random.normal(shift, 1.0, n)
    kinds = np.where(random.random(n) < spare, "C", random.choice(["A", "B"], n))
    return profile(
        x=x,
        z=pa.array(random.exponential(1.0, n), mask=random.random(n) < 0.05),
        kind=kinds,
        at=pa.array(random.integers(0, 10**15, n), pa.timestamp("us")),
    )


def month(random: np.random.Generator, n_days: int = 30, n: int = 500) -> Baseline:
    return Baseline.of([day(random, n) for _ in range(n_days)], "January")


def texts(values: Iterable[str | None]) -> Any:
    return column(pa.array(list(values), pa.string()))


class Dial:
    """One aspect of a column x, with its zero set on some values."""

    def __init__(self, name: str, values: object) -> None:
        (self.aspect,) = (one for one in Baseline(profile(x=values)).aspects if one.name == name)
        self.effect = self.aspect.effect

    def read(self, *values: object) -> Readings:
        """Read one column, or several as one profile each."""
        return self.aspect.read([profile(x=one) for one in values])

    def squared(self, old: object, new: object) -> float:
        return float(self.effect.squared(self.read(old), self.read(new))[0, 0])


def words(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())
