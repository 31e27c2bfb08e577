"""What two versions have predicted for the same rows, with the labels that are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.features import build_targets, dataset_range, join_targets
from mlops_tasks.lake import PARTITION_COLUMN
from mlops_tasks.monitoring.labelled_predictions import PLACE, VERSION, rows_with, scored_rows
from mlops_tasks.partitions import DAY
from mlops_tasks.problem_types import TARGET, problem_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Lake, Table
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.specs import ModelSpec

__all__ = ["SideBySide", "read_side_by_side"]

_RIVAL = "__rival"


@dataclass(frozen=True, slots=True, eq=False)
class SideBySide:
    """Rows that both versions have predicted and whose label is known.

    Attributes
    ----------
    partitions : tuple of str
        Those with such rows, in order: mature ones, of which enough labels are there.
    ours, rival : Outcomes or None
        The same rows in the same order; None where there is no such row.
    """

    partitions: tuple[str, ...]
    ours: Outcomes | None = None
    rival: Outcomes | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return 0 if self.ours is None else len(self.ours)


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """The rows of a span that one version has scored."""

    table: Table
    commits: list[Commit]
    keys: pa.Table

    def predictions(self, spec: ModelSpec, places: pa.Array) -> pa.Table:
        names = (n for n in self.table.schema.names if n not in {*spec.key, VERSION})
        return self.table.load(self.commits, columns=list(names)).take(places)


def read_side_by_side(
    spec: ModelSpec, first: str, last: str, *, version: str, rival: str, shadow: str, lake: Lake
) -> SideBySide:
    """Read what two versions have predicted for the rows of a span.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str
        First and last partition, both inclusive.
    version, rival : str
        The version whose predictions were published, and the other one.
    shadow : str
        Table with the predictions of the other one.
    lake : Lake
        Where all of it is.

    Returns
    -------
    SideBySide
        Of partitions of which `PerformanceSpec.min_coverage` of the published predictions have a
        label, the labelled rows that both have predicted.
    """
    ours = _scored(spec, spec.predictions_table, first, last, version, lake)
    theirs = _scored(spec, shadow, first, last, rival, lake)
    if ours is None or theirs is None:
        return SideBySide(())
    begin, end = dataset_range(spec, spec.label.dataset, first, last)
    labels = lake.table(spec.label.dataset.name).read(first=begin, last=end)
    known = join_targets(spec, ours.keys, build_targets(spec, labels), by=[PARTITION_COLUMN])
    both = _paired(spec, _mature(spec, ours.keys, known), theirs.keys)
    if not both.num_rows:
        return SideBySide(())
    partitions = both.column(PARTITION_COLUMN).to_pylist()
    days = _days(spec, partitions)
    problem, target = problem_type(spec.problem_type), both.column(TARGET)

    def outcomes(scored: _Scored, place: str) -> Outcomes:
        places = both.column(place).combine_chunks()
        return problem.outcomes(spec, target, scored.predictions(spec, places), days)

    return SideBySide(
        tuple(sorted(set(partitions))), outcomes(ours, PLACE), outcomes(theirs, _RIVAL)
    )


def _scored(
    spec: ModelSpec, name: str, first: str, last: str, version: str, lake: Lake
) -> _Scored | None:
    table = lake.table(name)
    commits = table.commits(first=first, last=last) if table.exists else []
    if not commits:
        return None
    keys = rows_with(scored_rows(spec, table, commits), VERSION, version)
    return _Scored(table, commits, keys) if keys.num_rows else None


def _mature(spec: ModelSpec, scored: pa.Table, known: pa.Table) -> pa.Table:
    """Return the labelled rows of partitions that have enough of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n_scored, n_known = (
        Counter(rows.column(PARTITION_COLUMN).to_pylist()) for rows in (scored, known)
    )
    enough = spec.performance.min_coverage
    kept = [key for key, n in n_known.items() if n / n_scored[key] >= enough]
    return known.filter(pc.is_in(known.column(PARTITION_COLUMN), pa.array(kept, pa.string())))


def _paired(spec: ModelSpec, known: pa.Table, theirs: pa.Table) -> pa.Table:
    """Return the rows that both have, with the place of each in both."""
    by = [PARTITION_COLUMN, *spec.key]
    left = known.select([*by, PLACE, TARGET])
    right = theirs.select([*by, PLACE]).rename_columns([*by, _RIVAL])
    return left.join(right, keys=by, join_type="inner").sort_by([(one, "ascending") for one in by])


def _days(spec: ModelSpec, partitions: Iterable[str]) -> npt.NDArray[np.str_]:
    """Return the day of each row: hours of a day count as one."""
    import numpy as np

    keys = list(partitions)
    day = {key: spec.rows.partition(key).keys(DAY)[0] for key in set(keys)}
    return np.array([day[key] for key in keys])
