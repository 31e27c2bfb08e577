"""What the predictions of any version were really worth, once all labels are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.features import dataset_range, feature_rows, model_frame
from mlops_tasks.features.targets import build_targets, join_targets
from mlops_tasks.lake import PARTITION_COLUMN
from mlops_tasks.problem_types import TARGET, gate_metric, problem_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.backtest.versions import Versions
    from mlops_tasks.lake import Lake
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

__all__ = ["Period", "Realised"]


@dataclass(frozen=True, slots=True)
class Period:
    """Some rounds that are looked at together.

    Attributes
    ----------
    number : int
        From 0.
    rounds : tuple of str
        Their keys.
    partitions : tuple of str
        Partitions of the rows that are scored in them.
    trained : str
        The day as of which a version is that is new to it.
    decided : tuple of str
        The days as of which it was decided at the end of each round.
    """

    number: int
    rounds: tuple[str, ...]
    partitions: tuple[str, ...]
    trained: str
    decided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    table: pa.Table
    partition: npt.NDArray[np.str_]


class Realised:
    """The rows of each period with their targets, and what versions predict for them.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    versions : Versions
        Its versions.
    lake, tracking : Lake, Tracking
        Where data and models are.

    Notes
    -----
    Features, predictions and targets are those of the steps: a version predicts here what it has
    published where it was the champion.
    """

    def __init__(
        self, spec: ModelSpec, versions: Versions, *, lake: Lake, tracking: Tracking
    ) -> None:
        self.spec, self.metric = spec, gate_metric(spec)
        self._versions, self._lake, self._tracking = versions, lake, tracking
        self._rows: dict[int, _Rows] = {}
        self._outcomes: dict[tuple[int, str], Outcomes] = {}

    def of_version(self, period: Period, version: str) -> float:
        """Return the metric of a version on all rows of a period; NaN where it is not defined."""
        if not self.n_rows(period):
            return math.nan
        return self.metric.value(self._of(period, version))

    def of_policy(self, period: Period, served: Mapping[str, str]) -> float:
        """Return the metric of what was served: of each partition by the version that scored it."""
        if not self.n_rows(period) or not any(key in served for key in period.partitions):
            return math.nan
        return self.metric.value(self._served(period, served))

    def n_rows(self, period: Period) -> int:
        """Return how many rows of a period have a label."""
        return int(self._period(period).table.num_rows)

    def _served(self, period: Period, served: Mapping[str, str]) -> Outcomes:
        import numpy as np

        rows = self._period(period)
        used = sorted({served[key] for key in period.partitions if key in served})
        by_version = {version: self._of(period, version) for version in used}
        first = next(iter(by_version.values()))
        whose = np.array([served.get(key, "") for key in rows.partition])
        if len(by_version) == 1 and (whose == used[0]).all():
            return first
        parts = [(by_version[version], whose == version) for version in used]
        classes = {one.classes for one, _ in parts}
        if len(classes) > 1:
            # Versions that know other classes have other columns: each row counts by its own.
            parts = _aligned(parts)
        return replace(
            parts[0][0],
            y_true=np.concatenate([one.y_true[own] for one, own in parts]),
            y_pred=np.concatenate([one.y_pred[own] for one, own in parts]),
            days=None,
            weights=None,
        )

    def _of(self, period: Period, version: str) -> Outcomes:
        key = period.number, version
        if key not in self._outcomes:
            rows, problem = self._period(period).table, problem_type(self.spec.problem_type)
            trained = self._versions.fit(version).trained
            model = self._tracking.load(trained.model_uri, trained.digest)
            predictions = problem.predict(self.spec, model, model_frame(self.spec, model, rows))
            self._outcomes[key] = problem.outcomes(self.spec, rows.column(TARGET), predictions)
        return self._outcomes[key]

    def _period(self, period: Period) -> _Rows:
        if period.number not in self._rows:
            self._rows[period.number] = self._read(period)
        return self._rows[period.number]

    def _read(self, period: Period) -> _Rows:
        spec, lake = self.spec, self._lake
        first, last = period.partitions[0], period.partitions[-1]
        rows = feature_rows(spec, lake, first=first, last=last)
        begin, end = dataset_range(spec, spec.label.dataset, first, last)
        labels = lake.table(spec.label.dataset.name).read(first=begin, last=end)
        joined = join_targets(spec, rows, build_targets(spec, labels))
        keys = lake.table(spec.rows.name).read(
            first=first, last=last, columns=[*spec.key, PARTITION_COLUMN]
        )
        both = joined.select(list(spec.key)).join(keys, keys=list(spec.key), join_type="left outer")
        order = [(name, "ascending") for name in spec.key]
        placed = both.sort_by(order).column(PARTITION_COLUMN)
        return _Rows(joined.sort_by(order), placed.to_numpy(zero_copy_only=False).astype(str))


def _aligned(
    parts: list[tuple[Outcomes, npt.NDArray[np.bool_]]],
) -> list[tuple[Outcomes, npt.NDArray[np.bool_]]]:
    """Give all outcomes the columns of all classes: a class that a version does not know gets 0."""
    import numpy as np

    classes = tuple(sorted({name for one, _ in parts for name in one.classes}))
    found = []
    for one, own in parts:
        places = [classes.index(name) for name in one.classes]
        y_pred = np.zeros((len(one), len(classes)))
        y_pred[:, places] = one.y_pred
        known = np.array([*places, -1])  # -1, a class that it has never seen, stays what it is
        found.append((replace(one, y_pred=y_pred, y_true=known[one.y_true], classes=classes), own))
    return found
