"""How long a window is: it grows until it holds what shows the smallest change that matters.

Never by its result: rows and days are counted, and nothing of what they say is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.partitions import window_start
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.shifts import Movement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["LEVEL", "Sight", "beyond", "drift_window", "sight_of"]

#: Chance of a false alarm of one check on one window of six weeks. A shorter one has less in
#: proportion: there are more of them in a year, and what counts is alarms a year.
LEVEL = 0.015
#: The same of any window, of a version that has not kept what chance and days do.
_PLAIN_LEVEL = 0.01
_LEVEL_DAYS, _LEAST_LEVEL_DAYS = 42, 7
#: Quantile of the normal distribution: 6 in 10 windows that are just large enough alarm at the
#: smallest change that matters.
_IS_SEEN = 0.2533
#: An evaluation of fewer days does not say how days differ.
_DAYS_TO_KNOW = 14
#: With fewer rows than this no shift is so large that it alarms.
_LEAST_ROWS = 30


@dataclass(frozen=True, slots=True)
class Sight:
    """What is needed to see the smallest change that matters to a model.

    Attributes
    ----------
    smallest : float
        That change, as a shift: of log odds, or a share of the mean absolute target.
    words : str
        The same, as a person says it.
    movement : Movement or None
        What moves the shift without any change; None of a version that has not kept it.
    min_rows : int
        Rows that suffice whatever they show; 0 where the change alone counts.
    """

    smallest: float
    words: str
    movement: Movement | None
    min_rows: int

    def enough(self, day_sizes: Sequence[int]) -> bool:
        """Whether a window with these labelled rows on each day shows the change."""
        return self.share(day_sizes) >= 1

    def share(self, day_sizes: Sequence[int]) -> float:
        """Return how much of the information that is needed a window has, 1 or more if all."""
        n = sum(day_sizes)
        if self.min_rows or self.movement is None:
            return n / self.min_rows
        if not n:
            return 0.0
        return (self._needed(day_sizes) / self.movement.deviation(day_sizes)) ** 2

    def rows_needed(self, day_sizes: Sequence[int]) -> int:
        """Return about how many rows there must be, at the pace of these."""
        share = self.share(day_sizes)
        if self.min_rows or self.movement is None:
            return self.min_rows
        at_least = math.ceil((self.movement.row / self._needed(day_sizes)) ** 2)
        return max(at_least, math.ceil(sum(day_sizes) / share)) if share else at_least

    def stricter(self, day_sizes: Sequence[int]) -> float | None:
        """Return by how much more a shift must stand out before there are rows enough.

        None where even that is no evidence: of too few rows, or if `min_rows` says so. The factor
        is that of O'Brien and Fleming, by which looks at a part of the rows cost next to nothing
        of the level.
        """
        if self.enough(day_sizes):
            return 1.0
        if self.min_rows or sum(day_sizes) < _LEAST_ROWS:
            return None
        return 1 / math.sqrt(self.share(day_sizes))

    def level(self, day_sizes: Sequence[int]) -> float:
        """Return the chance of a false alarm of one check on a window."""
        if self.movement is None:
            return _PLAIN_LEVEL
        n_days = min(max(len(day_sizes), _LEAST_LEVEL_DAYS), _LEVEL_DAYS)
        return LEVEL * n_days / _LEVEL_DAYS

    def beyond_chance(self, day_sizes: Sequence[int], *, sides: int = 2) -> float:
        """Return how many standard deviations are beyond that level."""
        return beyond(self.level(day_sizes) / sides)

    def _needed(self, day_sizes: Sequence[int]) -> float:
        """Return the standard deviation at which the smallest change is seen."""
        return self.smallest / (self.beyond_chance(day_sizes) + _IS_SEEN)


def beyond(level: float) -> float:
    """Return how many standard deviations are beyond a one-sided level."""
    from scipy.special import ndtri

    return -float(ndtri(level))


def sight_of(spec: ModelSpec, champion: RegisteredVersion) -> Sight:
    """Return what is needed to see the smallest change that matters.

    Parameters
    ----------
    spec : ModelSpec
        The model, with ``performance.smallest_change``.
    champion : RegisteredVersion
        The version that has scored; what its evaluation showed of rows and days is kept with it.

    Returns
    -------
    Sight
        By `min_rows` alone where the spec names it, or the version was evaluated before this was
        kept.
    """
    problem, limits = problem_type(spec.problem_type), spec.performance
    change = limits.smallest_change or problem.smallest_change
    known = Movement.of_metrics(champion.metrics)
    if known and 0 < known.n_days < _DAYS_TO_KNOW:
        known = None  # a week of days would ask for years of rows, and see nothing meanwhile
    rows = limits.min_rows or (0 if known else limits.rows_wanted)
    return Sight(problem.as_shift(change), problem.change_words(change), known, rows)


def drift_window(spec: ModelSpec, partition: str, lake: Lake) -> str:
    """Return the first partition of the window of scored rows that ends with one.

    It is ``drift.window`` long, and longer up to ``drift.max_window`` until it holds
    ``drift.min_rows``.
    """
    limits, table = spec.drift, lake.table(spec.predictions_table)
    first, longest = (
        window_start(spec.calendar, partition, length)
        for length in (limits.window, limits.max_window)
    )
    commits = table.commits(first=min(first, longest), last=partition) if table.exists else []
    n_rows, begin = 0, first
    for commit in reversed(commits):
        if commit.partition < first and n_rows >= limits.min_rows:
            break
        n_rows += commit.n_rows
        begin = min(begin, commit.partition)
    return begin
