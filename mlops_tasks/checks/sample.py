"""What the checks look at: a few partitions of a model's data, in a lake that is thrown away."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_tasks.checks.newest import newest_ended, newest_partition
from mlops_tasks.exceptions import EmptyPartitionError, MlopsError, SourceNotFoundError
from mlops_tasks.features import (
    build_targets,
    dataset_range,
    feature_rows,
    input_range,
    join_targets,
)
from mlops_tasks.partitions import window_start
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import Source
    from mlops_tasks.specs import DatasetSpec, ModelSpec, SourceSpec
    from mlops_tasks.steps.validate import ValidationResult

    T = TypeVar("T")

__all__ = ["NO_ROWS", "Sample", "once"]

#: As an error says that a partition has nothing.
NO_ROWS = (EmptyPartitionError, SourceNotFoundError)
# Partitions in a row, the newest ones: until there are enough labelled rows, and no more than so.
_FEWEST, _MOST = 3, 8
_ENOUGH_ROWS = 2000
# Earlier partitions that are looked at, too, as far back as the features look.
_LOOKBACK = 14
# Earlier partitions whose rows are looked at alone, spread over the life of a dataset.
_SPREAD = 3


def once(method: Callable[[Any], T]) -> Callable[[Any], T]:
    """Ask a method once, see `Sample.ask`."""

    @wraps(method)
    def answer(self: Sample) -> T:
        return self.ask(method.__name__, lambda: method(self))

    return answer


class Sample:
    """The newest partitions of a model, taken in as the schedule would take them in.

    Everything is looked up when it is first asked for, and only then.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    lake : Lake
        Empty; thrown away afterwards.
    source_of : callable
        From the source of a dataset's spec to what reads it.
    partition : str, optional
        The partition to look at; by default the newest one of which rows and labels are there.
    now : datetime, optional
        What the clock shows.
    """

    def __init__(
        self,
        spec: ModelSpec,
        lake: Lake,
        source_of: Callable[[SourceSpec], Source],
        *,
        partition: str | None = None,
        now: datetime | None = None,
    ) -> None:
        self.spec, self.lake, self.asked = spec, lake, partition
        self.now = now or datetime.now(UTC)
        self._answers: dict[str, tuple[Any, Exception | None]] = {}
        #: Which check has reported an error first, by the error; others only refer to it.
        self.reported: dict[int, tuple[str, str]] = {}
        self._source_of = source_of
        self._unusable: dict[str, Exception] = {}
        self._taken: dict[tuple[str, str], ValidationResult] = {}
        self._token = 0

    def ask(self, name: str, question: Callable[[], T]) -> T:
        """Ask once: the same answer, or the very same error, comes every time."""
        if name not in self._answers:
            try:
                self._answers[name] = question(), None
            except Exception as error:  # also one that is not ours: a check says so
                self._answers[name] = None, error
        found, failure = self._answers[name]
        if failure is not None:
            raise failure
        answer: T = found
        return answer

    # --- datasets

    @property
    def datasets(self) -> list[DatasetSpec]:
        """Every dataset, before a derived one what it is computed from; the label last."""
        found: dict[str, DatasetSpec] = {}

        def add(dataset: DatasetSpec) -> None:
            for item in dataset.source.reads:
                add(item.dataset)
            found.setdefault(dataset.name, dataset)

        for dataset in self.spec.datasets:
            add(dataset)
        return list(found.values())

    def source(self, dataset: DatasetSpec) -> Source:
        """Return what reads a dataset; a connection that has failed once fails again at once."""
        if dataset.source.reads:
            return PublishedDatasets(self.lake)
        kind, conn_id = dataset.source.kind, dataset.source.conn_id
        if conn_id in self._unusable:
            raise self._unusable[conn_id]
        return self.ask(f"{kind} {conn_id}", lambda: self._source_of(dataset.source))

    def give_up(self, conn_id: str, error: Exception) -> None:
        """Remember that a connection cannot be used."""
        self._unusable[conn_id] = error

    def take(self, dataset: DatasetSpec, key: str) -> ValidationResult:
        """Ingest and validate one partition; the same answer or error comes every time."""
        return self.ask(f"take {dataset.name} {key}", lambda: self._take(dataset, key))

    def _take(self, dataset: DatasetSpec, key: str) -> ValidationResult:
        dataset.check_partition(key)
        for item in dataset.source.reads:
            first = key
            if item.lookback:
                before = item.dataset.calendar.shift(key, -1)
                first = window_start(item.dataset.calendar, before, item.lookback)
            self.take(item.dataset, key)
            self.take_all(item.dataset, first, key)
        self._token += 1
        taken = ingest(dataset, key, source=self.source(dataset), lake=self.lake, token=self._token)
        found = validate(dataset, taken.raw, lake=self.lake, token=self._token)
        self._taken[dataset.name, key] = found
        return found

    def take_all(self, dataset: DatasetSpec, first: str, last: str) -> None:
        """Take the partitions of a window; one that has no rows is a gap, as in production."""
        first = max(first, dataset.first)
        # The last one first: its error is that which the check of the rows reports.
        for key in reversed(dataset.calendar.range(first, last)[-_MOST - _LOOKBACK :]):
            try:
                self.take(dataset, key)
            except NO_ROWS:
                continue

    def of_partition(self, dataset: DatasetSpec, key: str) -> list[str]:
        """Return the keys of a dataset that share an instant with a partition of the model."""
        inputs = [item for item in self.spec.inputs if item.dataset.name == dataset.name]
        if any(self.spec.is_snapshot(item) for item in inputs):
            delay = dataset.delay_steps
            return [dataset.schedule.newest_before(self.spec.rows.partition(key).end, delay)]
        if dataset.grain == self.spec.rows.grain:
            return [key]
        return dataset.calendar.range(*dataset_range(self.spec, dataset, key, key))

    # --- partitions

    @property
    @once
    def partition(self) -> str:
        """The partition that is looked at."""
        if self.asked is not None:
            return self.spec.rows.check_partition(self.asked)
        rows, label = self.newest(self.spec.rows), self.newest(self.spec.label.dataset)
        if rows is None:
            raise EmptyPartitionError(self._nothing(self.spec.rows))
        if label is None:
            return rows
        begin = self.spec.label.dataset.partition(label).start
        return min(rows, self.spec.calendar.key_of(begin, self.spec.timezone))

    def newest(self, dataset: DatasetSpec) -> str | None:
        """Return the newest partition that a dataset has rows of; None if it has none at all."""
        return self.ask(
            f"newest {dataset.name}", lambda: newest_partition(dataset, self.source, self.now)
        )

    def _nothing(self, dataset: DatasetSpec) -> str:
        return (
            f"dataset {dataset.name!r}: the source {dataset.source.conn_id!r} has no rows in any "
            f"{dataset.grain} that was tried between {dataset.first} and {dataset.last or 'now'}"
            f"{self._missing(dataset)}; look at {dataset.source.found_by}, and at `start` and `end`"
        )

    def _missing(self, dataset: DatasetSpec) -> str:
        """Say what is not there where the newest rows should be."""
        key = newest_ended(dataset, self.now)
        try:
            self.take(dataset, key)
        except SourceNotFoundError as error:
            return f": for {key} {error.reason}"
        except Exception:
            return ""
        return ""

    @property
    @once
    def partitions(self) -> list[str]:
        """The partitions whose rows features and estimator are tried on, in order."""
        spec, found, n_rows = self.spec, [self.partition], 0
        while True:
            key = found[0]
            self._take_for(key)
            n_rows += self.take(spec.rows, key).published.n_rows
            enough = n_rows >= _ENOUGH_ROWS and len(found) >= _FEWEST
            if enough or len(found) == _MOST or key <= spec.rows.first:
                return found
            earlier = spec.calendar.shift(key, -1)
            try:
                self.take(spec.rows, earlier)
            except MlopsError:
                return found
            found.insert(0, earlier)

    def _take_for(self, key: str) -> None:
        """Take what the features of a partition may read, and its labels."""
        for item in self.spec.inputs:
            dataset = item.dataset
            if self.spec.is_snapshot(item):
                self.take(dataset, self.of_partition(dataset, key)[-1])
                begins = self.spec.rows.partition(key).start
                first = dataset.schedule.newest_before(begins, dataset.delay_steps)
                self.take_all(dataset, first, self.of_partition(dataset, key)[-1])
                continue
            table = self.lake.table(dataset.name)
            first, last = input_range(self.spec, item, (key, key), table)
            self.take_all(dataset, first, last)
        label = self.spec.label.dataset
        keys = self.of_partition(label, key)
        self.take_all(label, keys[0], keys[-1])

    def spread(self, dataset: DatasetSpec) -> Iterator[str]:
        """Give a few earlier partitions of a dataset: the one before, others all over its life."""
        newest = self.of_partition(dataset, self.partition)[-1]
        n_before = dataset.calendar.between(dataset.first, newest)
        steps = {n_before * number // _SPREAD for number in range(1, _SPREAD)}
        steps |= {1} if n_before else set()
        yield from (dataset.calendar.shift(newest, -step) for step in sorted(steps) if step)

    # --- rows

    @property
    @once
    def features(self) -> pa.Table:
        """The features of the partitions, from `build_features`."""
        keys = self.partitions
        return feature_rows(self.spec, self.lake, first=keys[0], last=keys[-1])

    @property
    @once
    def labels(self) -> pa.Table:
        """The rows of the label dataset of the partitions."""
        label = self.spec.label.dataset
        keys = self.partitions
        first, last = self.of_partition(label, keys[0])[0], self.of_partition(label, keys[-1])[-1]
        self.take(label, last)
        return self.lake.table(label.name).read(first=first, last=last)

    @property
    @once
    def targets(self) -> pa.Table:
        """Key and target of the labels, from `build_targets`."""
        return build_targets(self.spec, self.labels)

    @property
    @once
    def labelled(self) -> pa.Table:
        """The features of the rows whose target is known, with the target."""
        return join_targets(self.spec, self.features, self.targets)

    @property
    def learnable(self) -> str:
        """Why nothing can be learnt from these rows; empty if something can."""
        if not self.labelled.num_rows:
            return "no row has a label"
        target = self.labelled.column(TARGET).to_numpy(zero_copy_only=False)
        return problem_type(self.spec.problem_type).learnable(self.spec, target)

    def per_partition(self, dataset: DatasetSpec) -> float:
        """Return how many rows a partition of a dataset has, by those that were taken."""
        counts = [found.published.n_rows for _, found in self.validated(dataset)]
        return sum(counts) / len(counts) if counts else 0.0

    def validated(self, dataset: DatasetSpec) -> Sequence[tuple[str, ValidationResult]]:
        """Return what was taken of a dataset so far, in order."""
        return sorted(
            ((key, found) for (name, key), found in self._taken.items() if name == dataset.name),
            key=lambda one: one[0],
        )
