"""The rows of an estimate: a scored window without labels, and what its version has been worth.

Everything is read as it was known on the day as of which the window came due, so that the same
estimate comes out whenever it is made again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.features import feature_batches, published_inputs
from mlops_tasks.lake import PARTITION_COLUMN
from mlops_tasks.monitoring.labelled_predictions import VERSION, read_matured, spread
from mlops_tasks.monitoring.labels import mature_days
from mlops_tasks.partitions import DAY, window_start
from mlops_tasks.problem_types import problem_type
from mlops_tasks.specs.calendar import labelled_on

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.lake import Commit, Lake
    from mlops_tasks.monitoring.windows import Sight
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.specs import ModelSpec

    Places = npt.NDArray[np.int64]

__all__ = ["MAX_ROWS", "EstimateRows", "read_known", "read_window"]

#: Of a window and of the known rows at most; more would only cost time.
MAX_ROWS = 10_000
#: Numbers of them at most: of many classes there are fewer rows.
_MAX_CELLS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class EstimateRows:
    """Rows that one version has scored, at most `MAX_ROWS` of them.

    Attributes
    ----------
    first, last : str
        First and last partition, both inclusive.
    n_rows : int
        Rows that there are.
    keys : Table
        Keys of those that were taken.
    outcomes : Outcomes
        What was predicted for them, with their targets where they are known.
    day_sizes : tuple of int
        By day, the rows that there are.
    there : tuple of str
        Partitions of that time that any version has scored.
    """

    first: str
    last: str
    n_rows: int
    keys: pa.Table
    outcomes: Outcomes
    day_sizes: tuple[int, ...]
    there: tuple[str, ...]

    def features(self, spec: ModelSpec, lake: Lake, known_at: str | None) -> pd.DataFrame:
        """Return the features of the rows, in their order; a row that has none is NaN."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names, key = [*spec.categorical, *spec.numeric], list(spec.key)
        inputs = published_inputs(spec, lake, first=self.first, last=self.last, known_at=known_at)
        asked = pa.table({**{name: self.keys.column(name) for name in key}})
        found = []
        for batch in feature_batches(spec, inputs):
            rows = pa.Table.from_batches([batch]).select([*key, *names])
            found.append(rows.join(asked, keys=key, join_type="left semi"))
        place = "__place"
        placed = asked.append_column(place, pa.array(range(asked.num_rows), pa.int64()))
        every = placed.join(pa.concat_tables(found), keys=key, join_type="left outer")
        frame: pd.DataFrame = (
            every.take(pc.sort_indices(every.column(place))).select(names).to_pandas()
        )
        return frame


def read_window(
    spec: ModelSpec, partition: str, version: str, sight: Sight, *, lake: Lake
) -> EstimateRows | None:
    """Read what a version has predicted in the trailing window, whether there are labels or not.

    As long as that of realised performance would be, if all rows had labels. None where the version
    has not scored its last partition.
    """
    import pyarrow.compute as pc

    table = lake.table(spec.predictions_table)
    if not table.exists:
        return None
    shortest, longest = (
        window_start(spec.calendar, partition, length)
        for length in (spec.performance.window, spec.performance.max_window)
    )
    commits = table.commits(first=min(shortest, longest), last=partition)
    sizes: Counter[str] = Counter()
    taken: list[Commit] = []
    for commit in reversed(commits):
        if commit.partition < shortest and sight.enough([n for n in sizes.values() if n]):
            break
        whose = table.load([commit], columns=[VERSION]).column(VERSION)
        if own := pc.sum(pc.equal(whose, version)).as_py():
            taken.insert(0, commit)
            sizes.update(spread(own, spec.rows.partition(commit.partition).keys(DAY)))
    if not taken or taken[-1].partition != partition:
        return None
    begin = taken[0].partition
    there = tuple(commit.partition for commit in commits if commit.partition >= begin)
    found = _read(spec, version, taken, dict(sorted(sizes.items())), lake)
    return replace(found, there=there)


def _read(
    spec: ModelSpec, version: str, commits: list[Commit], sizes: dict[str, int], lake: Lake
) -> EstimateRows:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    table = lake.table(spec.predictions_table)
    rows = table.load(commits, columns=[*table.schema.names, PARTITION_COLUMN])
    rows = rows.filter(pc.equal(rows.column(VERSION), version))
    n_rows = rows.num_rows
    if len(places := _drawn(n_rows, rows.num_columns, spec.random_state)) < n_rows:
        rows = rows.take(pa.array(places))
    unknown = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    answers = rows.drop_columns([*spec.key, VERSION, PARTITION_COLUMN])
    days = rows.column(PARTITION_COLUMN).to_numpy(zero_copy_only=False)
    outcomes = problem_type(spec.problem_type).outcomes(spec, unknown, answers, np.asarray(days))
    return EstimateRows(
        commits[0].partition,
        commits[-1].partition,
        n_rows,
        rows.select(list(spec.key)),
        outcomes,
        tuple(n for n in sizes.values() if n),
        tuple(commit.partition for commit in commits),
    )


def read_known(
    spec: ModelSpec, partition: str, version: str, begin: str, *, lake: Lake, known_at: str
) -> EstimateRows | None:
    """Read the newest predictions of a version, from a partition on, whose labels were known.

    Only of partitions that are mature, see `mature_days`. None where there are none.
    """
    import numpy as np
    import pyarrow as pa

    table = lake.table(spec.predictions_table)
    due, n_rows = [], 0
    for commit in reversed(table.commits(first=begin, last=partition)):
        if labelled_on(spec, commit.partition) > known_at:
            continue
        if n_rows >= MAX_ROWS:
            break
        due.append(commit.partition)
        n_rows += commit.n_rows
    if not due:
        return None
    window = due[-1], due[0]
    found = read_matured(spec, window, version, lake=lake, known_at=known_at)
    if found is None or not (mature := mature_days(found)):
        return None
    sizes = [rows.num_rows for rows in found.days.values()]
    places = np.flatnonzero(np.repeat([key in mature for key in found.days], sizes))
    n_rows, outcomes = len(places), found.outcomes()
    width = outcomes.y_pred.shape[1] if outcomes.y_pred.ndim > 1 else 1
    places = places[_drawn(n_rows, width, spec.random_state)]
    return EstimateRows(
        mature[0],
        mature[-1],
        n_rows,
        found.rows().select(list(spec.key)).take(pa.array(places)),
        outcomes.part(places),
        tuple(found.day_sizes(mature)),
        tuple(mature),
    )


def _drawn(n_rows: int, width: int, seed: int) -> Places:
    """Draw rows evenly where there are too many."""
    import numpy as np

    most = min(MAX_ROWS, max(_MAX_CELLS // max(width, 1), 1000))
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))
