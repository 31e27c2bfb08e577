"""Groups of rows in which a challenger does worst, found by looking at each feature alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.gate.comparisons import not_worse, span
from mlops_tasks.gate.criteria import Criterion
from mlops_tasks.gate.groups import bin_names, labelled_groups
from mlops_tasks.gate.slices import of_rows
from mlops_tasks.problem_types.metrics import compare, find_metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.gate.plan import GatePlan
    from mlops_tasks.gate.slices import Groups
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.problem_types.metrics import Interval, Metric
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["worst_slices"]

_N_SHOWN, _N_BINS, _N_DRAWS = 5, 4, 100


def worst_slices(
    spec: EstimatorSpec, plan: GatePlan, rows: pa.Table, ours: Outcomes, rival: Outcomes | None
) -> list[Criterion]:
    """Return the groups in which the challenger is most surely worse than the champion.

    Parameters
    ----------
    spec : EstimatorSpec
        The model: groups are the categories of a feature, or the quarters of a number.
    plan : GatePlan
        Its gate.
    rows : Table
        The rows of the features.
    ours, rival : Outcomes
        Of the challenger and of the champion; without one, of a constant.

    Returns
    -------
    list of Criterion
        At most five, the worst first, by the upper end of the interval of what they gain in the
        mean loss of a row. They are for reading: of many groups some look bad by chance, so nothing
        is decided by them.
    """
    metric = _loss(plan)
    theirs = plan.problem.naive(ours) if rival is None else rival
    who = "a constant" if rival is None else "the champion"
    gate, found = plan.gate, []
    for groups in _features(spec, rows):
        for label in groups.labels:
            chosen = groups.rows(label)
            gain = compare(
                metric,
                of_rows(ours, chosen),
                of_rows(theirs, chosen),
                confidence=gate.confidence,
                n_bootstrap=_N_DRAWS,
                seed=plan.seed,
            )
            if not math.isnan(gain.upper):
                found.append(_criterion(f"{groups.name}={label}", gain, len(chosen), plan, who))
    return sorted(found, key=lambda one: one.upper or 0.0)[:_N_SHOWN]


def _criterion(group: str, gain: Interval, n_rows: int, plan: GatePlan, who: str) -> Criterion:
    metric, side = _loss(plan), "better" if gain.value >= 0 else "worse"
    return Criterion(
        name=f"{metric.name} in {group}",
        kind="slice",
        answer=not_worse(gain, 0.0),
        text=f"{metric.title} in {group} {side} than that of {who} by {abs(gain.value):.4f}, "
        f"{span(gain, plan.gate.confidence)}, {n_rows} rows",
        value=gain.value,
        lower=gain.lower,
        upper=gain.upper,
        margin=0.0,
        confidence=plan.gate.confidence,
        failing="report",
        n_rows=n_rows,
    )


def _loss(plan: GatePlan) -> Metric:
    """Return a metric that is a mean over rows, so that small groups have it, too."""
    return find_metric(plan.problem.guard or plan.problem.metric, plan.problem.name)


def _features(spec: EstimatorSpec, rows: pa.Table) -> Iterator[Groups]:
    """Group the rows by each feature alone."""
    import pyarrow as pa

    least = spec.gate.min_slice_rows
    for name in spec.categorical:
        column = rows.column(name).combine_chunks()
        values = column.cast(pa.string())
        if len(values.unique()) <= _most(len(values), least):
            yield labelled_groups(name, values, least, hidden=spec.hides(name))
    for name in spec.numeric:
        yield labelled_groups(name, _quarters(rows, name), least, hidden=spec.hides(name))


def _most(n_rows: int, least: int) -> int:
    """Return how many values a column may have to have groups of that size, and to be looked at."""
    return min(1000, max(2, n_rows // max(least, 1)) * 20)


def _quarters(rows: pa.Table, name: str) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    numbers = rows.column(name).cast(pa.float64(), safe=False).to_numpy()
    there = numbers[~np.isnan(numbers)]
    shares = np.arange(1, _N_BINS) / _N_BINS
    cuts = np.unique(np.quantile(there, shares)) if len(there) else np.empty(0)
    bins = np.searchsorted(cuts, numbers, "right")
    names = np.array(bin_names([f"{cut:.4g}" for cut in cuts]), dtype=object)
    return pa.array(names[bins], pa.string(), mask=np.isnan(numbers))
