"""The predictions of a window with their labels: read once, for every check that needs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.features import build_targets, dataset_range, join_targets
from mlops_tasks.monitoring.gaps import window_coverage
from mlops_tasks.partitions import DAY, Coverage, window_start
from mlops_tasks.problem_types import TARGET, problem_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.specs import ModelSpec

__all__ = ["LabelledPredictions", "read_labelled_predictions"]


_WHOLE = Coverage("day", 0)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPredictions:
    """Predictions of one version with the labels that are known by now.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    first, last : str
        First and last day of the window, both inclusive.
    version : str
        The version that scored the last day; rows scored by others are left out.
    days : dict of str to Table
        By day that this version scored: what it predicted, and ``y``, of the rows whose label is
        known.
    coverage : dict of str to float
        By the same days, share of the predictions whose label is known.
    there : Coverage
        How much of the window was scored, by any version.
    event_days : mapping of str to list of str
        By partition, the days that it lies in; one that is not named is a day.
    """

    spec: ModelSpec
    first: str
    last: str
    version: str
    days: dict[str, pa.Table]
    coverage: dict[str, float]
    there: Coverage = _WHOLE
    event_days: Mapping[str, list[str]] = field(default_factory=dict)

    def rows(self, days: Iterable[str] | None = None) -> pa.Table:
        """Return the rows of some days, at least one; of all by default."""
        import pyarrow as pa

        return pa.concat_tables([self.days[day] for day in (days or self.days)])

    def day_sizes(self, partitions: Iterable[str]) -> list[int]:
        """Return how many labelled rows each day of some partitions has.

        Hours are gathered into days. A week's or a month's rows are spread over its days evenly:
        a prediction keeps no moment.
        """
        sizes: Counter[str] = Counter()
        for key in partitions:
            days = self.event_days.get(key, [key])
            sizes.update(dict.fromkeys(days, self.days[key].num_rows // len(days)))
        return [size for size in sizes.values() if size]

    def outcomes(self) -> Outcomes:
        """Return predictions and targets of all days, as metrics take them."""
        import numpy as np

        rows, sizes = self.rows(), [found.num_rows for found in self.days.values()]
        # Rows of one day depend on each other: hours of a day count as one.
        of_row = np.repeat([self.event_days.get(key, [key])[0] for key in self.days], sizes)
        problem = problem_type(self.spec.problem_type)
        return problem.outcomes(self.spec, rows.column(TARGET), rows, of_row)


def read_labelled_predictions(
    spec: ModelSpec, partition: str, *, lake: Lake
) -> LabelledPredictions:
    """Read the predictions of the trailing window with their labels.

    Parameters
    ----------
    spec : ModelSpec
        The model; ``performance.window`` says how long the window is.
    partition : str
        Last day of the window, predicted and labelled.
    lake : Lake
        Where the data are.

    Returns
    -------
    LabelledPredictions
        By day.

    Raises
    ------
    NeverScoredError
        If the last day has no predictions.
    """
    first = window_start(spec.calendar, partition, spec.performance.window)
    scored = _predictions(spec, lake, first, partition)
    if not (newest := scored.get(partition)):
        raise NeverScoredError(
            f"model {spec.name!r}: {partition} was never scored, there is nothing to measure; run "
            f"{spec.name}.score for it if it should have been"
        )
    version = str(newest.column("model_version")[0].as_py())
    begin, end = dataset_range(spec, spec.label.dataset, first, partition)
    labels = lake.table(spec.label.dataset.name).read(first=begin, last=end)
    targets = build_targets(spec, labels)
    days, coverage = {}, {}
    for day, rows in scored.items():
        if ours := _of_version(rows, version):
            days[day] = join_targets(spec, ours, targets)
            coverage[day] = days[day].num_rows / ours.num_rows
    event_days = {key: spec.rows.partition(key).keys(DAY) for key in days}
    there = window_coverage(spec, lake, first, partition, there=scored)
    return LabelledPredictions(spec, first, partition, version, days, coverage, there, event_days)


def _predictions(spec: ModelSpec, lake: Lake, first: str, last: str) -> dict[str, pa.Table]:
    table = lake.table(spec.predictions_table)
    if not table.exists:
        return {}
    commits = table.commits(first=first, last=last)
    return {commit.partition: table.load([commit]) for commit in commits}


def _of_version(rows: pa.Table, version: str) -> pa.Table:
    import pyarrow.compute as pc

    return rows.filter(pc.equal(rows.column("model_version"), version))
