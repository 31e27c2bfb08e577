"""Pin: which days a training may use as of its cut-off, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError, PartitionKeyError, PartitionNotFoundError
from mlops_tasks.features import check_table, dataset_range, input_range
from mlops_tasks.features.training_windows import cut_windows
from mlops_tasks.lake import RandomSplit, TrainingPin
from mlops_tasks.partitions import Coverage, check_past, today

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlops_tasks.lake import Lake, Pin, Table
    from mlops_tasks.specs import DatasetSpec, ModelSpec, TableModel

__all__ = [
    "corrected_since",
    "newest_as_of",
    "pin_evaluation",
    "pin_table",
    "pin_training_data",
]


def pin_training_data(spec: ModelSpec, as_of: str, *, lake: Lake) -> TrainingPin:
    """Choose and pin the days that a training may use as of its cut-off.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The cut-off, a day ``YYYY-MM-DD``. Only days whose label delay has passed by then are used,
        and of every day only what counts as known by then: a later correction changes no earlier
        training.
    lake : Lake
        The data.

    Returns
    -------
    TrainingPin
        The newest `evaluation` window of labelled partitions, up to the `train` window before it
        and the `embargo` for training, and exact versions of every table. Of a random split both
        windows are all of that.

    Raises
    ------
    NoLabelsError
        If not enough labelled days are known for both windows; it names those that are there but
        known later only, and what to do.
    PartitionKeyError
        If `as_of` is not a day or lies in the future; of datasets that have ended, also if it lies
        after the last day as of which their newest published days could bring news.
    """
    _refuse_ahead(spec, spec.check_as_of(as_of), lake)
    usable = _usable_partitions(spec, as_of, lake)
    windows = cut_windows(spec, usable)
    if not windows.train:
        raise NoLabelsError(_too_few(spec, as_of, usable, lake))
    first, last = windows.train[0], windows.evaluation[-1]
    inputs = {}
    for item in spec.inputs:
        table = lake.table(item.dataset.name)
        begin, end = input_range(spec, item, (first, last), table, known_at=as_of)
        inputs[item.dataset.name] = table.pin(first=begin, last=end, known_at=as_of)
    begin, end = dataset_range(spec, spec.label.dataset, first, last)
    return TrainingPin(
        as_of=as_of,
        train=(first, windows.train[-1]),
        evaluation=(windows.evaluation[0], last),
        inputs=inputs,
        labels=lake.table(spec.label.dataset.name).pin(first=begin, last=end, known_at=as_of),
        missing=windows.missing,
        embargo=str(windows.embargo) if windows.embargo else "",
        random=_random(spec),
    )


def pin_table(
    spec: TableModel,
    as_of: str,
    *,
    lake: Lake,
    first: str | None = None,
    last: str | None = None,
) -> TrainingPin:
    """Pin the rows of one table to train on: what counts as known by a day, at exact versions.

    Parameters
    ----------
    spec : TableModel
        The model, with its table.
    as_of : str
        The cut-off, a day ``YYYY-MM-DD``.
    lake : Lake
        The data.
    first, last : str, optional
        Partition keys, both inclusive; by default everything that is there.

    Returns
    -------
    TrainingPin
        Without an evaluation window: `pin_evaluation` adds one. Of a random split, one row in five
        of these is left to it.

    Raises
    ------
    PartitionNotFoundError
        If there is no such table, or no partition of the range is known by then.
    PartitionKeyError
        If `as_of` lies in the future, or a key is none of the table's grain.
    """
    check_past(as_of, spec.timezone, what=f"model {spec.name!r}: as_of")
    window, pin, missing = _pinned(spec, as_of, lake, first, last)
    return TrainingPin(
        as_of=as_of,
        train=window,
        evaluation=("", ""),
        inputs={spec.table: pin},
        labels=pin,
        missing={"train": missing} if missing else {},
        random=_random(spec),
    )


def pin_evaluation(
    spec: TableModel,
    trained: TrainingPin,
    as_of: str,
    *,
    lake: Lake,
    first: str | None = None,
    last: str | None = None,
) -> TrainingPin:
    """Pin the rows of one table to evaluate on, for a model that was trained on others.

    Parameters
    ----------
    spec : TableModel
        The model, with the table to evaluate on.
    trained : TrainingPin
        What it was trained on.
    as_of, lake
        As for `pin_table`.
    first, last : str, optional
        Partition keys, both inclusive; by default everything after the training, or, of a random
        split, what it was trained on.

    Returns
    -------
    TrainingPin
        The training window of the model, and the evaluation window with its exact versions.

    Raises
    ------
    PartitionNotFoundError, PartitionKeyError
        As for `pin_table`.
    """
    check_past(as_of, spec.timezone, what=f"model {spec.name!r}: as_of")
    if trained.random is not None:
        first, last = first or trained.train[0], last or trained.train[1]
    elif first is None:
        first = spec.calendar.shift(trained.train[1], 1)
    window, pin, missing = _pinned(spec, as_of, lake, first, last)
    return TrainingPin(
        as_of=as_of,
        train=trained.train,
        evaluation=window,
        inputs={spec.table: pin},
        labels=pin,
        missing={"evaluation": missing} if missing else {},
        random=trained.random,
    )


def _pinned(
    spec: TableModel, as_of: str, lake: Lake, first: str | None, last: str | None
) -> tuple[tuple[str, str], Pin, tuple[str, ...]]:
    """Return the window that has rows, their pin, and the partitions that are missing in it."""
    for key in filter(None, (first, last)):
        spec.calendar.check(key)
    table = lake.table(spec.table)
    there = table.partitions(known_at=as_of) if table.exists else []
    used = [key for key in there if (first or key) <= key <= (last or key)]
    if not used:
        known = f"{there[0]} to {there[-1]}" if there else "nothing"
        asked = f"from {first or 'its first'} to {last or 'its last'} {spec.grain}"
        raise PartitionNotFoundError(
            f"model {spec.name!r}: table {spec.table!r} has no rows {asked} that are known as of "
            f"{as_of}; it has {known}. Publish them first, or choose others by `first` and `last`"
        )
    check_table(spec, table)
    begin, end = first or used[0], last or used[-1]
    pin = table.pin(first=begin, last=end, known_at=as_of)
    missing = Coverage.of(spec.calendar, begin, end, set(used)).missing
    return (begin, end), pin, missing


def newest_as_of(spec: ModelSpec, day: str, *, lake: Lake) -> str:
    """Return the newest cut-off that a training can have: a day, unless the data ended before it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    day : str
        The day on which it is asked for.
    lake : Lake
        The data.

    Returns
    -------
    str
        The day itself while data go on; else the last one as of which published days bring news.
    """
    return min(_last_news(spec, lake) or day, day)


def _refuse_ahead(spec: ModelSpec, as_of: str, lake: Lake) -> None:
    """Refuse a day that a replay of data from the past has not reached yet.

    Where the source goes on, today is the limit: it may be silent for a while. Where it has ended,
    every day after the last one with news would be the same training under a later name, and the
    days before would not count it as their last training.
    """
    reached = _last_news(spec, lake)
    if reached is not None and as_of > reached:
        raise PartitionKeyError(
            f"model {spec.name!r}: nothing is known as of {as_of} that is not known as of "
            f"{reached}, by the newest days of {sorted(one.name for one in spec.datasets)}; train "
            "as of that day or an earlier one, or ingest more days first"
        )


def _last_news(spec: ModelSpec, lake: Lake) -> str | None:
    """Return the last day with news of data that have ended; None while they go on."""
    if spec.rows.end is None or spec.rows.end.isoformat() >= today(spec.timezone):
        return None
    published = {one.name: lake.table(one.name).partitions() for one in spec.datasets}
    reached = [
        one.last_as_of(published[one.name][-1]) for one in spec.datasets if published[one.name]
    ]
    return max(reached, default=None)


def _random(spec: ModelSpec | TableModel) -> RandomSplit | None:
    return RandomSplit(spec.random_state) if spec.split == "random" else None


def _usable_partitions(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the partitions of which every table has all, and whose labels are due by `as_of`."""
    known = {
        one.name: set(lake.table(one.name).partitions(known_at=as_of)) for one in spec.datasets
    }
    return _complete(spec, as_of, known)


def _complete(spec: ModelSpec, as_of: str, there: Mapping[str, Collection[str]]) -> list[str]:
    """List the partitions that are there in all datasets, and whose labels are due by `as_of`."""
    label, keys = spec.label.dataset, sorted(there[spec.rows.name])
    for dataset in (*spec.triggers[1:], label):
        keys = [k for k in keys if set(_keys_in(spec, dataset, k)) <= set(there[dataset.name])]
    return [
        key
        for key in keys
        if label.schedule.known_on(_keys_in(spec, label, key)[-1], label.delay_steps) <= as_of
    ]


def _keys_in(spec: ModelSpec, dataset: DatasetSpec, key: str) -> list[str]:
    """Return the keys of a dataset that share an instant with one partition of the model."""
    return dataset.calendar.range(*dataset_range(spec, dataset, key, key))


def _too_few(spec: ModelSpec, as_of: str, usable: Sequence[str], lake: Lake) -> str:
    """Return why there is no training, and what to do: they may be there, but known later only."""
    what = f"{spec.rows.grain}s"
    text = (
        f"model {spec.name!r}: {len(usable)} labelled {what} are known as of {as_of}, and the "
        f"evaluation alone takes {spec.evaluation.words}"
        + (f", the embargo before it {spec.embargo.words}" if spec.embargo else "")
    )
    known = {one.name: _first_known(lake.table(one.name)) for one in spec.datasets}
    late = {
        key: {one.name: _known_in(spec, one, key, known[one.name]) for one in spec.datasets}
        for key in set(_complete(spec, as_of, known)) - set(usable)
    }
    if not late:
        return f"{text}; ingest more of {list(known)}"
    causes = [name for name in known if any(one[name] > as_of for one in late.values())]
    first, last = (choose(max(one.values()) for one in late.values()) for choose in (min, max))
    later = f"Train as of {last} or a later day. " if _may_train_as_of(spec, last) else ""
    return (
        f"{text}. {len(late)} {'more ' if usable else ''}{what} are there, first known {first}: a "
        f"training as of an earlier day does not use them. {later}If they were really known by "
        f"{as_of}, take them in again with that day as `known_at` in the form of "
        f"{_ingests(causes)}. `mlops lake commits {causes[0]}` lists what was known when"
    )


def _known_in(spec: ModelSpec, dataset: DatasetSpec, key: str, known: Mapping[str, str]) -> str:
    """Return the day as of which all that a dataset has of one of the model's keys is known."""
    return max(known[one] for one in _keys_in(spec, dataset, key))


def _first_known(table: Table) -> dict[str, str]:
    """Return for each partition that has rows the first day as of which they are known."""
    first: dict[str, str] = {}
    for commit in table.all_commits() if table.exists else ():
        if commit.n_rows:
            first[commit.partition] = min(
                commit.known_at, first.get(commit.partition, "9999-12-31")
            )
    return first


def _ingests(datasets: Sequence[str]) -> str:
    return " and ".join(f"{name}.ingest" for name in datasets)


def _may_train_as_of(spec: ModelSpec, day: str) -> bool:
    try:
        spec.check_as_of(day)
    except PartitionKeyError:
        return False
    return True


def corrected_since(pin: TrainingPin, *, lake: Lake) -> dict[str, list[str]]:
    """Return the pinned days that have other rows by now, which the training does not use.

    Parameters
    ----------
    pin : TrainingPin
        From `pin_training_data`.
    lake : Lake
        The data.

    Returns
    -------
    dict of str to list of str
        By table, its days, in order; tables without any are left out.
    """
    found: dict[str, list[str]] = {}
    for one in pin.pins:
        table = lake.table(one.table)
        pinned = {commit.partition: commit.digest for commit in table.pinned_commits(one)}
        newest = table.commits(first=one.first, last=one.last)
        days = [c.partition for c in newest if c.digest != pinned.get(c.partition, c.digest)]
        if days:
            found[one.table] = days
    return found
