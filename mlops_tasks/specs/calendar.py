"""Which partitions of a model and its datasets come due when, from the spec alone."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from mlops_tasks.partitions import HOUR, Partition, grain_of, window_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlops_tasks.partitions import Duration
    from mlops_tasks.specs.dataset import DatasetSpec
    from mlops_tasks.specs.model import InputSpec, ModelSpec

__all__ = [
    "Calendar",
    "Step",
    "due_between",
    "ingestions",
    "labelled_on",
    "scored_on",
    "with_inputs",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One partition of one Dag to run."""

    dag_id: str
    partition_key: str


class Calendar:
    """The order in which a model's past happens: what comes due with each decision.

    A round is what one decision closes: the rows of a partition, or of a day where rows come by
    the hour. It is named by its key, of the grain `grain`.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first : str
        First round that is played, or a partition of the rows in it; all that is known before is
        history.
    begin : str, optional
        First partition of the rows that is taken in. By default the first that the first training
        can look at.

    Attributes
    ----------
    first : str
        The first round.
    cutoff : str
        The day as of which the first training is: that of the decision before the first round.
    datasets : list of DatasetSpec
        The model's datasets, before a derived one what it is computed from.
    """

    def __init__(self, spec: ModelSpec, first: str, begin: str | None = None) -> None:
        self.spec, self.begin = spec, begin
        self.datasets = with_inputs(spec.datasets)
        self.grain = spec.schedule.grain
        self.first = self.round_of(first)
        self.cutoff = self.as_of(self.grain.shift(self.first, -1))

    def __reduce__(self) -> tuple[type[Calendar], tuple[ModelSpec, str, str | None]]:
        """Be made again in another process: it follows from these."""
        return Calendar, (self.spec, self.first, self.begin)

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """Every Dag of the model and its datasets."""
        verbs = ("score", "monitor", "decide", "train", "release", "rollback")
        takes = (dag_id for dataset in self.datasets for dag_id in ingestions(dataset))
        return (*takes, *(f"{self.spec.name}.{verb}" for verb in verbs))

    def round_of(self, partition: str) -> str:
        """Return the round in which the rows of a partition are decided on."""
        if self.grain is self.spec.calendar or grain_of(partition) is not HOUR:
            return partition
        return self.grain.key_of(self.spec.rows.partition(partition).start, self.spec.timezone)

    def rows_in(self, key: str) -> list[str]:
        """Return the partitions of the rows that are decided on in a round."""
        if self.grain is self.spec.calendar:
            return [key]
        return Partition(key, self.spec.timezone, self.grain).keys(self.spec.calendar)

    def as_of(self, key: str) -> str:
        """Return the day as of which the decision of a round is taken."""
        return self.spec.schedule.known_on(key)

    def history(self) -> tuple[list[Step], list[Step]]:
        """Return what the first training needs: runs of sources, and of what derives from them."""
        steps: tuple[list[Step], list[Step]] = ([], [])
        for dataset in self.datasets:
            steps[bool(dataset.source.reads)].extend(self._known(dataset, self.cutoff))
        return steps

    def news(self, key: str) -> list[Step]:
        """Return the runs of sources that come due with a round."""
        return self._due_with(key, (one for one in self.datasets if not one.source.reads))

    def computed(self, key: str) -> list[Step]:
        """Return the runs of derived datasets that follow the news of a round, in their order."""
        return self._due_with(key, (one for one in self.datasets if one.source.reads))

    def scored_after(self, key: str) -> list[str]:
        """Return the partitions of the rows of which all that a scoring waits for comes with it."""
        return self._rows_due(key, partial(scored_on, self.spec))

    def labelled_after(self, key: str) -> list[str]:
        """Return the scored partitions whose labels come with a round, for the first time or late.

        Those before the first round are named, too, though nothing has scored them.
        """
        found = set(self._rows_due(key, partial(labelled_on, self.spec)))
        if self.spec.label.dataset.refresh_steps is not None:
            found.update(self._rows_due(key, partial(labelled_on, self.spec, refreshed=True)))
        return sorted(found)

    def trained_from(self, train: Duration) -> str:
        """Return the first partition of the rows that the first training uses, of such a window."""
        label, spec = self.spec.label.dataset, self.spec
        n_due = _n_due(lambda n: label.due(label.calendar.shift(label.first, n)), self.cutoff)
        newest = label.calendar.shift(label.first, max(n_due - 1, 0))
        evaluated = window_start(label.calendar, newest, spec.evaluation)
        if spec.embargo:
            before = label.calendar.shift(evaluated, -1)
            evaluated = window_start(label.calendar, before, spec.embargo)
        trained = window_start(label.calendar, label.calendar.shift(evaluated, -1), train)
        return spec.calendar.key_of(label.partition(trained).start, spec.timezone)

    def _due_with(self, key: str, datasets: Iterable[DatasetSpec]) -> list[Step]:
        now, before = self._nights(key)
        return [step for one in datasets for step in self._known(one, now, after=before)]

    def _nights(self, key: str) -> tuple[str, str]:
        """Return the days as of which a round and the one before it are decided."""
        return self.as_of(key), self.as_of(self.grain.shift(key, -1))

    def _known(self, dataset: DatasetSpec, as_of: str, *, after: str = "") -> list[Step]:
        steps = []
        for late, dag_id in enumerate(ingestions(dataset)):
            due = partial(dataset.due, refreshed=bool(late))
            keys = due_between(dataset, self._begins[dataset.name], due, after, as_of)
            steps += [Step(dag_id, key) for key in keys]
        return steps

    def _rows_due(self, key: str, due: Callable[[str], str]) -> list[str]:
        rows, (now, before) = self.spec.rows, self._nights(key)
        return due_between(rows, self._begins[rows.name], due, before, now)

    @cached_property
    def _begins(self) -> dict[str, str]:
        """The first partition of each dataset that is taken in."""
        spec, begin = self.spec, self.begin or self.trained_from(self.spec.train)
        found: dict[str, str] = {}
        for dataset, key in _needed(spec, begin):
            found[dataset.name] = max(dataset.first, min(key, found.get(dataset.name, key)))
        return found


def scored_on(spec: ModelSpec, partition: str) -> str:
    """Return the day as of which all that the scoring of a partition waits for is known."""
    return max(_last_due(spec, one, partition) for one in spec.triggers)


def labelled_on(spec: ModelSpec, partition: str, *, refreshed: bool = False) -> str:
    """Return the day as of which a partition is scored and has its labels, or its late ones."""
    labelled = _last_due(spec, spec.label.dataset, partition, refreshed=refreshed)
    return max(scored_on(spec, partition), labelled)


def _last_due(
    spec: ModelSpec, dataset: DatasetSpec, partition: str, *, refreshed: bool = False
) -> str:
    """Return when a dataset has all of one of the rows' partitions."""
    key = partition
    if dataset.grain != spec.rows.grain:
        key = spec.rows.partition(partition).keys(dataset.calendar)[-1]
    return dataset.due(key, refreshed=refreshed)


def due_between(
    dataset: DatasetSpec, begin: str, due: Callable[[str], str], after: str, until: str
) -> list[str]:
    """Return the partitions that come due after one day and until another, in order."""
    grain = dataset.calendar
    low, high = (_n_due(lambda n: due(grain.shift(begin, n)), day) for day in (after, until))
    last = dataset.last
    keys = (grain.shift(begin, n) for n in range(low, high))
    return [key for key in keys if last is None or key <= last]


def _n_due(due: Callable[[int], str], day: str) -> int:
    """Return how many partitions are due by a day; later ones are never due earlier."""
    limit = 1
    while due(limit - 1) <= day:
        limit *= 2
    return bisect_right(range(limit), day, key=due)


def _needed(spec: ModelSpec, begin: str) -> Iterator[tuple[DatasetSpec, str]]:
    """Yield what is needed for the rows of a partition: datasets, and from which partition on."""
    start = spec.rows.partition(begin).start
    for item in spec.inputs:
        dataset = item.dataset
        if spec.is_snapshot(item):
            yield from _with_reads(
                dataset, dataset.schedule.newest_before(start, dataset.delay_steps)
            )
        else:
            yield from _with_reads(dataset, _looked_back(item, _key_at(spec, dataset, begin)))
    label = spec.label.dataset
    yield from _with_reads(label, _key_at(spec, label, begin))


def _with_reads(dataset: DatasetSpec, key: str) -> Iterator[tuple[DatasetSpec, str]]:
    yield dataset, key
    for item in dataset.source.reads:
        yield from _with_reads(item.dataset, _looked_back(item, key))


def _looked_back(item: InputSpec, key: str) -> str:
    if not item.lookback:
        return key
    grain = item.dataset.calendar
    return window_start(grain, grain.shift(key, -1), item.lookback)


def _key_at(spec: ModelSpec, dataset: DatasetSpec, begin: str) -> str:
    """Return the partition of a dataset in which one of the model begins."""
    if dataset.grain == spec.rows.grain:
        return begin
    return spec.rows.partition(begin).keys(dataset.calendar)[0]


def ingestions(dataset: DatasetSpec) -> tuple[str, ...]:
    """Return the Dags that take a dataset's partitions, that for late rows last."""
    late = () if dataset.refresh_steps is None else (f"{dataset.name}.refresh",)
    return (f"{dataset.name}.ingest", *late)


def with_inputs(datasets: Iterable[DatasetSpec]) -> list[DatasetSpec]:
    """Return datasets and what derived ones of them are computed from, which comes before them."""
    found: dict[str, DatasetSpec] = {}
    for dataset in datasets:
        inputs = with_inputs(item.dataset for item in dataset.source.reads)
        found |= {one.name: one for one in (*inputs, dataset) if one.name not in found}
    return list(found.values())
