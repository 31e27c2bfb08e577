"""Our method, as the benchmark drives it."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks._drift_quality.draws import Method, Month
from mlops_tasks.drift import Baseline, DriftPolicy, detect_drift
from mlops_tasks.profiles import Profile

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks._drift_quality.draws import Floats, Rows

__all__ = ["Ours", "profile"]

# Chance alone; the smallest effect that matters is added below, from the same evidence.
CHANCE = DriftPolicy(min_effect=0.0)
DEFAULT = DriftPolicy()


class Ours(Method):
    """Profiles of every day; `detect_drift` on them."""

    def fit(self, month: Month, days: list[Rows]) -> None:
        """Take the days of a reference."""
        self.month = month
        self.baseline = Baseline.of([profile(month, day) for day in days])

    def score(self, day: Rows) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return effect by noise, which alarms above 1 on chance alone; alarms as by default."""
        report = detect_drift(self.baseline, profile(self.month, day), window="day", policy=CHANCE)
        columns = {column.name: column for column in report.columns}
        scores = [columns[name].severity for name in self.month.names]
        alarms = [
            any(
                one.effect is not None
                and one.threshold is not None
                and one.effect > math.hypot(one.threshold, DEFAULT.min_effect)
                for one in columns[name].evidence
            )
            for name in self.month.names
        ]
        return np.array(scores), np.array(alarms)


def profile(month: Month, rows: Rows) -> Profile:
    """Profile one day, categories as texts."""
    arrays = {}
    for name, column in rows.items():
        missing = np.isnan(column)
        if name in month.categories:
            codes = pa.array(np.where(missing, 0, column + 1).astype(np.int32), mask=missing)
            names = pa.array([f"c{i - 1}" for i in range(int(np.nanmax(month.rows[name])) + 2)])
            arrays[name] = pa.DictionaryArray.from_arrays(codes, names)
        else:
            arrays[name] = pa.array(column, mask=missing)
    batch = pa.record_batch(arrays)
    return Profile.of([batch], batch.schema)


if __name__ == "__main__":
    from benchmarks._drift_quality.scoring import main

    main(Ours(), sys.argv[1:], is_peer=False)
