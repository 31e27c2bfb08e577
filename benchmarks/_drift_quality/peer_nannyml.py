"""NannyML's univariate drift, as the benchmark drives it; runs in NannyML's own environment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml  # type: ignore[import-not-found]
import numpy as np
import pandas as pd

from benchmarks._drift_quality.draws import Method, Month

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks._drift_quality.draws import Floats, Rows


class NannyML(Method):
    """Jensen–Shannon distance, above mean + 3 standard deviations of the reference's own days."""

    def fit(self, month: Month, days: list[Rows]) -> None:
        """Take the days of a reference; a day is a chunk."""
        self.month = month
        n = len(next(iter(days[0].values())))
        frame = pd.DataFrame(
            {name: np.concatenate([day[name] for day in days]) for name in month.names}
        )
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=month.names, treat_as_categorical=list(month.categories), chunk_size=n
        ).fit(frame)
        self.methods = {name: calculator._column_to_models_mapping[name][0] for name in month.names}
        chunks = calculator.result.to_df()
        self.centres, self.spreads = {}, {}
        for name in month.names:
            values = chunks[name]["jensen_shannon"]["value"].to_numpy(dtype=float)
            self.centres[name], self.spreads[name] = values.mean(), values.std()

    def score(self, day: Rows) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return standard deviations above the reference's days, and NannyML's own alerts."""
        values = {name: self._value(name, day[name]) for name in self.month.names}
        scores = [(values[name] - self.centres[name]) / self.spreads[name] for name in values]
        alarms = [bool(self.methods[name].alert(values[name])) for name in values]
        return np.array(scores), np.array(alarms)

    def _value(self, name: str, column: Any) -> float:
        return float(self.methods[name].calculate(pd.Series(column, name=name)))


if __name__ == "__main__":
    from benchmarks._drift_quality.scoring import main

    main(NannyML(), sys.argv[1:])
