"""Pin: which days a training as of one night may use, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError, PartitionKeyError
from mlops_tasks.features import dataset_range, input_range
from mlops_tasks.lake import TrainingPin
from mlops_tasks.partitions import Duration, today, window_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["pin_training_data"]


def pin_training_data(spec: ModelSpec, as_of: str, *, lake: Lake) -> TrainingPin:
    """Choose and pin the days that a training as of one night may use.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The night, ``YYYY-MM-DD``. Only days whose label delay has passed by then are used, and
        of every day only what was known by then: a later correction changes no earlier training.
    lake : Lake
        The data.

    Returns
    -------
    TrainingPin
        The newest `evaluation_days` labelled days for evaluation, up to `train_days` before them
        for training, and exact versions of every table.

    Raises
    ------
    NoLabelsError
        If there are not enough labelled days for both windows.
    PartitionKeyError
        If `as_of` is not a day or lies in the future; of datasets that have ended, also if it lies
        after the last night on which their newest published days could bring news.
    """
    _refuse_ahead(spec, spec.check_as_of(as_of), lake)
    usable = _usable_partitions(spec, as_of, lake)
    training, evaluation = _windows(spec, usable)
    if not training:
        raise NoLabelsError(
            f"model {spec.name!r}: {len(usable)} labelled {spec.rows.grain}s are known as of "
            f"{as_of}, and the evaluation alone takes {spec.evaluation_days} days; ingest more of "
            f"{[dataset.name for dataset in spec.datasets]}"
        )
    first, last = training[0], evaluation[-1]
    inputs = {}
    for item in spec.inputs:
        begin, end = input_range(spec, item, first, last)
        table = lake.table(item.dataset.name)
        inputs[item.dataset.name] = table.pin(first=begin, last=end, known_at=as_of)
    begin, end = dataset_range(spec, spec.label.dataset, first, last)
    return TrainingPin(
        as_of=as_of,
        train=(first, training[-1]),
        evaluation=(evaluation[0], last),
        inputs=inputs,
        labels=lake.table(spec.label.dataset.name).pin(first=begin, last=end, known_at=as_of),
    )


def _refuse_ahead(spec: ModelSpec, as_of: str, lake: Lake) -> None:
    """Refuse a night that a replay of data from the past has not reached yet.

    Where the source goes on, today is the limit: it may be silent for a while. Where it has ended,
    every night after the last one with news would be the same training under a later name, and the
    nights before would not count it as their last training.
    """
    if spec.rows.end is None or spec.rows.end.isoformat() >= today(spec.timezone):
        return
    published = {one.name: lake.table(one.name).partitions() for one in spec.datasets}
    reached = [
        one.last_as_of(published[one.name][-1]) for one in spec.datasets if published[one.name]
    ]
    if reached and as_of > max(reached):
        raise PartitionKeyError(
            f"model {spec.name!r}: nothing is known as of {as_of} that is not known as of "
            f"{max(reached)}, by the newest days of {sorted(published)}; train as of that night or "
            "an earlier one, or ingest more days first"
        )


def _windows(spec: ModelSpec, usable: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the usable partitions: the newest for the evaluation, those before for the training.

    Both windows are calendar time: what is missing in one is not made up for by older partitions.
    """
    if not usable:
        return [], []
    grain = spec.calendar
    middle = window_start(grain, usable[-1], Duration(spec.evaluation_days, "d"))
    begin = window_start(grain, grain.shift(middle, -1), Duration(spec.train_days, "d"))
    return [key for key in usable if begin <= key < middle], [
        key for key in usable if key >= middle
    ]


def _usable_partitions(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the partitions of which every table has all, and whose labels are due by `as_of`."""
    label, keys = spec.label.dataset, lake.table(spec.rows.name).partitions(known_at=as_of)
    for dataset in spec.datasets[1:]:
        there = set(lake.table(dataset.name).partitions(known_at=as_of))
        keys = [key for key in keys if there.issuperset(_keys_in(spec, dataset, key))]
    return [
        key
        for key in keys
        if label.schedule.known_on(_keys_in(spec, label, key)[-1], label.delay_steps) <= as_of
    ]


def _keys_in(spec: ModelSpec, dataset: DatasetSpec, key: str) -> list[str]:
    """Return the keys of a dataset that share an instant with one partition of the model."""
    return dataset.calendar.range(*dataset_range(spec, dataset, key, key))
