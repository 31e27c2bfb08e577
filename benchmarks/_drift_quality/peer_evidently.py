"""Evidently's DataDriftPreset, as the benchmark drives it; runs in Evidently's own environment.

The preset picks a test per column by its type and the size of the reference, and these very
functions are called here; only the drawing of its report is left out. `agrees` holds that up
against the preset itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest  # type: ignore[import-not-found]
from evidently.legacy.core import ColumnType  # type: ignore[import-not-found]

from benchmarks._drift_quality.draws import Method, Month

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks._drift_quality.draws import Floats, Rows


class Evidently(Method):
    """Wasserstein distance of numbers, Jensen–Shannon distance of categories, both above 0.1."""

    def fit(self, month: Month, days: list[Rows]) -> None:
        """Take the days of a reference."""
        self.month = month
        self.reference = {
            name: _present(np.concatenate([day[name] for day in days])) for name in month.names
        }
        self.tests = {
            name: get_stattest(column, column, self._type(name), None)
            for name, column in self.reference.items()
        }

    def score(self, day: Rows) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return distance by threshold, and whether the preset calls the column drifted."""
        results = [self._result(name, _present(day[name])) for name in self.month.names]
        scores = np.array([one.drift_score / one.actual_threshold for one in results])
        return scores, np.array([one.drifted for one in results])

    def _result(self, name: str, current: pd.Series[Any]) -> Any:
        return self.tests[name](self.reference[name], current, self._type(name), None)

    def _type(self, name: str) -> Any:
        is_category = name in self.month.categories
        return ColumnType.Categorical if is_category else ColumnType.Numerical


def _present(column: Floats) -> pd.Series[Any]:
    """Drop missing values, as the preset does; sorted, which makes its functions faster."""
    return pd.Series(np.sort(column[~np.isnan(column)]))


def agrees(month: Month) -> float:
    """Return the largest difference between these scores and those of the preset's report."""
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
    from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

    random = np.random.default_rng(1)
    days, day = [month.day(500, random) for _ in range(4)], month.day(500, random)
    method = Evidently()
    method.fit(month, days)
    numbers = [name for name in month.names if name not in month.categories]
    kinds = DataDefinition(numerical_columns=numbers, categorical_columns=list(month.categories))
    frames = [pd.concat([pd.DataFrame(one) for one in days]), pd.DataFrame(day)]
    old, new = (Dataset.from_pandas(frame, data_definition=kinds) for frame in frames)
    metrics = Report([DataDriftPreset()]).run(new, old).dict()["metrics"]
    theirs = {
        one["config"]["column"]: float(one["value"])
        for one in metrics
        if "column" in one.get("config", {})
    }
    ours = method.score(day)[0] * 0.1
    return float(max(abs(theirs[name] - ours[i]) for i, name in enumerate(month.names)))


if __name__ == "__main__":
    from pathlib import Path

    from benchmarks._drift_quality.scoring import main

    print(f"largest difference to the preset's report: {agrees(Month.load(Path(sys.argv[1]))):.2g}")
    main(Evidently(), sys.argv[1:])
