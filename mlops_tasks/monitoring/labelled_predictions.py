"""The predictions of a window with their labels: joined once, for every check that needs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NeverScoredError
from mlops_tasks.features import build_targets, dataset_range, join_targets
from mlops_tasks.lake import PARTITION_COLUMN
from mlops_tasks.monitoring.gaps import window_coverage
from mlops_tasks.monitoring.windows import sight_of
from mlops_tasks.partitions import DAY, Coverage, window_start
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.profiles.zero_copy import integers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Commit, Lake, Table
    from mlops_tasks.monitoring.windows import Sight
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "PLACE",
    "VERSION",
    "Answers",
    "LabelledPredictions",
    "read_labelled_predictions",
    "read_matured",
    "rows_with",
    "scored_rows",
    "spread",
]


_WHOLE = Coverage("day", 0)
VERSION, PLACE = "model_version", "__place"
_OF_VERSION = (VERSION, PARTITION_COLUMN)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was predicted for some rows: read when it is measured, not when labels are joined.

    Of many classes it is nearly all that a window holds, and labels are found by the key alone.

    Attributes
    ----------
    table : Table
        The predictions.
    commits : tuple of Commit
        What was read of them.
    places : Array
        Of the rows, among those of the commits.
    """

    table: Table
    commits: tuple[Commit, ...]
    places: pa.Array

    def read(self, columns: Iterable[str]) -> pa.Table:
        """Return some columns of the rows, in their order."""
        import numpy as np

        rows = self.table.load(self.commits, columns=list(columns))
        everything = self.places.equals(integers(np.arange(rows.num_rows)))
        return rows if everything else rows.take(self.places)


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
        By day that this version scored: key and ``y`` of the rows whose label is known.
    coverage : dict of str to float
        By the same days, share of the predictions whose label is known.
    there : Coverage
        How much of the window was scored, by any version.
    event_days : mapping of str to list of str
        By partition, the days that it lies in; one that is not named is a day.
    answers : Answers or None
        What was predicted for the rows of all days; None if `days` has it.
    """

    spec: ModelSpec
    first: str
    last: str
    version: str
    days: dict[str, pa.Table]
    coverage: dict[str, float]
    there: Coverage = _WHOLE
    event_days: Mapping[str, list[str]] = field(default_factory=dict)
    answers: Answers | None = None

    def rows(self, days: Iterable[str] | None = None) -> pa.Table:
        """Return the rows of some days, at least one; of all by default."""
        import pyarrow as pa

        return pa.concat_tables([self.days[day] for day in (days or self.days)])

    def day_sizes(self, partitions: Iterable[str]) -> list[int]:
        """Return how many labelled rows each day of some partitions has.

        Hours are gathered into days. A week's or a month's rows are spread over its days evenly:
        a prediction keeps no moment.
        """
        return [size for size in self.sizes_by_day(partitions).values() if size]

    def sizes_by_day(self, partitions: Iterable[str]) -> dict[str, int]:
        """Return the same by day."""
        sizes: Counter[str] = Counter()
        for key in partitions:
            sizes.update(spread(self.days[key].num_rows, self.event_days.get(key, [key])))
        return sizes

    def outcomes(self) -> Outcomes:
        """Return predictions and targets of all days, as metrics take them."""
        import numpy as np

        rows, sizes = self.rows(), [found.num_rows for found in self.days.values()]
        # Rows of one day depend on each other: hours of a day count as one.
        of_row = np.repeat([self.event_days.get(key, [key])[0] for key in self.days], sizes)
        problem = problem_type(self.spec.problem_type)
        return problem.outcomes(self.spec, rows.column(TARGET), self.predictions(), of_row)

    def predictions(self) -> pa.Table:
        """Return what was predicted for the rows of all days, in the same order."""
        if self.answers is None:
            return self.rows()
        apart = {*self.spec.key, VERSION}
        return self.answers.read(n for n in self.answers.table.schema.names if n not in apart)


def read_labelled_predictions(
    spec: ModelSpec,
    partition: str,
    *,
    lake: Lake,
    version: Callable[[str], RegisteredVersion] | None = None,
) -> LabelledPredictions:
    """Read the predictions of the trailing window with their labels.

    The window is as long as ``performance.window``, and grows up to ``performance.max_window``
    until it shows the smallest change that matters, see `sight_of`. Rows are counted for that, and
    nothing of what they say is looked at.

    Parameters
    ----------
    spec : ModelSpec
        The model; ``performance.window`` says how long the window is at least.
    partition : str
        Last day of the window, predicted and labelled.
    lake : Lake
        Where the data are.
    version : callable, optional
        Returns what is known of a version, by its number; without it the window does not grow.

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
    found = _read(spec, first, partition, lake)
    if version is None:
        return found
    sight = sight_of(spec, version(found.version))
    longest = window_start(spec.calendar, partition, spec.performance.max_window)
    while not sight.enough(found.day_sizes(found.days)) and found.first > longest:
        begin = _grown(found, sight, longest, lake)
        if begin is None:
            break
        found = _read(spec, begin, partition, lake)
    return found


def _grown(found: LabelledPredictions, sight: Sight, longest: str, lake: Lake) -> str | None:
    """Return where a window begins that may have rows enough; None if no more are of its version.

    Of each partition all predictions count as labelled, so that the window is never longer than
    needed; where labels are missing it grows once more. Where another version has scored the first
    of the window, those of others are passed over: a version may have come back by a rollback.
    """
    spec, before = found.spec, found.spec.calendar.shift(found.first, -1)
    table = lake.table(spec.predictions_table)
    commits = table.commits(first=longest, last=before)
    missing = set(found.there.missing)
    scored = (key for key in spec.calendar.range(found.first, found.last) if key not in missing)
    if commits and min(found.days) > next(scored, found.last):
        own = _sizes(rows_with(table.load(commits, columns=_OF_VERSION), VERSION, found.version))
        commits = [commit for commit in commits if own[commit.partition]]
    if not commits:
        return None
    sizes = Counter(found.sizes_by_day(found.days))
    for commit in reversed(commits):
        sizes.update(spread(commit.n_rows, spec.rows.partition(commit.partition).keys(DAY)))
        if sight.enough([size for size in sizes.values() if size]):
            return commit.partition
    return commits[0].partition


def read_matured(
    spec: ModelSpec, window: tuple[str, str], version: str, *, lake: Lake, known_at: str
) -> LabelledPredictions | None:
    """Read what a version has predicted in a window, with the labels that were known by a day.

    None where it has scored nothing there, or no label was known.
    """
    label = lake.table(spec.label.dataset.name)
    begin, end = dataset_range(spec, spec.label.dataset, *window)
    if not label.exists or not label.commits(first=begin, last=end, known_at=known_at):
        return None
    found = _read(spec, *window, lake, version=version, known_at=known_at)
    return found if any(rows.num_rows for rows in found.days.values()) else None


def _read(
    spec: ModelSpec,
    first: str,
    partition: str,
    lake: Lake,
    *,
    version: str | None = None,
    known_at: str | None = None,
) -> LabelledPredictions:
    table, commits = _committed(spec, lake, first, partition)
    scored = scored_rows(spec, table, commits)
    version = version or _version(spec, scored, partition)
    ours = rows_with(scored, VERSION, version)
    begin, end = dataset_range(spec, spec.label.dataset, first, partition)
    label = lake.table(spec.label.dataset.name)
    labels = label.read(first=begin, last=end, known_at=known_at)
    # All partitions at once: a week of hours is read and joined as fast as a week of days.
    known = join_targets(spec, ours, build_targets(spec, labels), by=[PARTITION_COLUMN])
    n_scored, n_known = _sizes(ours), _sizes(known)
    answers = Answers(table, tuple(commits), known.column(PLACE).combine_chunks())
    days, at = {}, 0
    for key in sorted(n_scored):
        days[key] = known.slice(at, n_known[key]).select([*spec.key, TARGET])
        at += n_known[key]
    coverage = {key: rows.num_rows / n_scored[key] for key, rows in days.items()}
    event_days = {key: spec.rows.partition(key).keys(DAY) for key in days}
    there = [commit.partition for commit in commits]
    found = window_coverage(spec, lake, first, partition, there=there)
    return LabelledPredictions(
        spec, first, partition, version, days, coverage, found, event_days, answers
    )


def spread(n_rows: int, days: Sequence[str]) -> dict[str, int]:
    """Return how many rows of a partition each of its days has: a prediction keeps no moment."""
    each, more = divmod(n_rows, len(days))
    return {day: each + (number < more) for number, day in enumerate(days)}


def _committed(spec: ModelSpec, lake: Lake, first: str, last: str) -> tuple[Table, list[Commit]]:
    """Return the predictions of a window."""
    table = lake.table(spec.predictions_table)
    if not table.exists:
        raise _never_scored(spec, last)
    return table, table.commits(first=first, last=last)


def scored_rows(spec: ModelSpec, table: Table, commits: Iterable[Commit]) -> pa.Table:
    """Return key, version, partition and place of each row that was scored."""
    import numpy as np

    rows = table.load(commits, columns=[*spec.key, VERSION, PARTITION_COLUMN])
    return rows.append_column(PLACE, integers(np.arange(rows.num_rows)))


def _version(spec: ModelSpec, scored: pa.Table, partition: str) -> str:
    newest = rows_with(scored.select([PARTITION_COLUMN, VERSION]), PARTITION_COLUMN, partition)
    if not newest:
        raise _never_scored(spec, partition)
    return str(newest.column(VERSION)[0].as_py())


def _never_scored(spec: ModelSpec, partition: str) -> NeverScoredError:
    return NeverScoredError(
        f"model {spec.name!r}: {partition} was never scored, there is nothing to measure; run "
        f"{spec.name}.score for it if it should have been"
    )


def rows_with(rows: pa.Table, column: str, value: str) -> pa.Table:
    """Return the rows with a value, uncopied where all have it."""
    import pyarrow.compute as pc

    own = pc.equal(rows.column(column), value)
    return rows if pc.all(own).as_py() else rows.filter(own)


def _sizes(rows: pa.Table) -> Counter[str]:
    counts = rows.column(PARTITION_COLUMN).value_counts().to_pylist()
    return Counter({one["values"]: one["counts"] for one in counts})
