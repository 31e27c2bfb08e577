"""Windows of days: which days may be used, and their rows, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError, PartitionKeyError
from mlops_tasks.features import build_features, build_targets, join_targets
from mlops_tasks.partitions import (
    check_instants,
    check_night,
    days_of,
    last_night,
    shift_day,
    today,
)
from mlops_tasks.types import TrainingPin

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake import Lake
    from mlops_tasks.spec import ModelSpec
    from mlops_tasks.types import Pin

__all__ = [
    "feature_rows",
    "labelled_rows",
    "pin_training_data",
    "pinned_inputs",
    "published_inputs",
    "split_days",
]


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
    _refuse_ahead(spec, check_night(spec, as_of), lake)
    days = _usable_days(spec, as_of, lake)
    evaluation = days[-spec.evaluation_days :]
    training = days[: -spec.evaluation_days][-spec.train_days :]
    if not training:
        raise NoLabelsError(
            f"model {spec.name!r}: {len(days)} labelled days are known as of {as_of}, and the "
            f"evaluation alone takes {spec.evaluation_days}; ingest more days of "
            f"{[dataset.name for dataset in spec.datasets]}"
        )
    first, last = training[0], evaluation[-1]
    inputs = {
        item.dataset.name: lake.pin(
            item.dataset.name,
            first=shift_day(first, -item.lookback_days),
            last=last,
            known_at=as_of,
        )
        for item in spec.inputs
    }
    return TrainingPin(
        as_of=as_of,
        train=(first, training[-1]),
        evaluation=(evaluation[0], last),
        inputs=inputs,
        labels=lake.pin(spec.label.dataset.name, first=first, last=last, known_at=as_of),
    )


def feature_rows(spec: ModelSpec, lake: Lake, *, first: str, last: str) -> pa.Table:
    """Return key, `as_of` and features of all rows from `first` to `last`, as published now.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    lake : Lake
        The data.
    first, last : str
        Days, both inclusive.

    Returns
    -------
    Table
        From `build_features`.
    """
    return build_features(spec, published_inputs(spec, lake, first=first, last=last))


def published_inputs(
    spec: ModelSpec, lake: Lake, *, first: str, last: str
) -> dict[str, ds.Dataset]:
    """Return what ``features.sql`` may read for the rows of some days, to be streamed.

    Parameters
    ----------
    spec, lake, first, last
        As for `feature_rows`.

    Returns
    -------
    dict of str to Dataset
        By dataset, each with its look-back before `first`.
    """
    inputs = {}
    for item in spec.inputs:
        name = item.dataset.name
        start = shift_day(first, -item.lookback_days)
        inputs[name] = lake.scan(name, lake.commits(name, first=start, last=last))
    return inputs


def labelled_rows(
    spec: ModelSpec, pin: TrainingPin, window: tuple[str, str], *, lake: Lake, n_classes: int = 2
) -> pa.Table:
    """Return the pinned rows of one window that have a label, with the target as ``y``.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    pin : TrainingPin
        The exact versions.
    window : tuple of str
        First and last day, both inclusive: ``pin.train`` or ``pin.evaluation``.
    lake : Lake
        The data.
    n_classes : int, default 2
        So many classes of the target are needed: 2 to learn, 1 to look.

    Returns
    -------
    Table
        Key, `as_of`, features and ``y``, ordered by key.

    Raises
    ------
    NoLabelsError
        If no row has a target, or the targets are of fewer classes.
    """
    import pyarrow.compute as pc

    first, last = window
    # Targets first: a condition that cannot be one is known before the long query is run.
    targets = build_targets(spec, lake.read_pin(pin.labels, first=first, last=last))
    rows = build_features(spec, pinned_inputs(spec, pin.inputs, window, lake=lake))
    joined = join_targets(spec, rows, targets)
    kinds = pc.count_distinct(joined.column("y")).as_py()
    if kinds < n_classes:
        raise NoLabelsError(
            f"model {spec.name!r}, {first} to {last}: {joined.num_rows} of {rows.num_rows} rows "
            f"have a label from {spec.label.dataset.name!r}, of {kinds} of the "
            f"{n_classes} classes that are needed. Are the labels of these days ingested?"
        )
    return joined


def pinned_inputs(
    spec: ModelSpec, pins: Mapping[str, Pin], window: tuple[str, str], *, lake: Lake
) -> dict[str, ds.Dataset]:
    """Return what ``features.sql`` may read for the pinned rows of one window, to be streamed.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    pins : mapping of str to Pin
        By dataset; each reaches back before the window as far as its input looks back.
    window : tuple of str
        First and last day, both inclusive.
    lake : Lake
        The data.

    Returns
    -------
    dict of str to Dataset
        By dataset.
    """
    first, last = window
    return {
        item.dataset.name: lake.scan_pin(
            pins[item.dataset.name], first=shift_day(first, -item.lookback_days), last=last
        )
        for item in spec.inputs
    }


def split_days(spec: ModelSpec, rows: pa.Table) -> dict[str, pa.Table]:
    """Split rows by the day of their `as_of`, in the zone of the model's datasets.

    Parameters
    ----------
    spec : ModelSpec
        The model; of anything that names an `as_of` and no zone, days begin in UTC.
    rows : Table
        From `labelled_rows`.

    Returns
    -------
    dict of str to Table
        By day, in order.

    Raises
    ------
    FeatureError
        If `as_of` is no instant, null, or outside the years 1 to 9999.

    Notes
    -----
    A day with less than half the rows of the median day is counted to its neighbour: the few rows
    that are asked for before their day begins differ from every whole day by their hours alone.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = rows.column(spec.as_of)
    check_instants(moments, what=f"as_of {spec.as_of!r}")
    if not rows.num_rows:
        return {}
    of_row = days_of(moments, getattr(spec, "timezone", "UTC"))
    counted = pc.value_counts(of_row)
    by_day = sorted((one["values"], one["counts"]) for one in counted.to_pylist())
    days, counts = [day for day, _ in by_day], np.array([count for _, count in by_day])
    (whole,) = np.nonzero(2 * counts >= np.median(counts))
    distance = np.abs(whole[np.newaxis, :] - np.arange(len(days))[:, np.newaxis])
    place = pc.index_in(of_row, pa.array(days)).to_numpy()
    home = whole[distance.argmin(axis=1)][place]
    return {days[day]: rows.filter(pa.array(home == day)) for day in whole}


def _refuse_ahead(spec: ModelSpec, as_of: str, lake: Lake) -> None:
    """Refuse a night that a replay of data from the past has not reached yet.

    Where the source goes on, today is the limit: it may be silent for a while. Where it has ended,
    every night after the last one with news would be the same training under a later name, and the
    nights before would not count it as their last training.
    """
    if spec.rows.end is None or spec.rows.end.isoformat() >= today(spec.timezone):
        return
    published = {one.name: lake.partitions(one.name) for one in spec.datasets}
    reached = [
        last_night(one, published[one.name][-1]) for one in spec.datasets if published[one.name]
    ]
    if reached and as_of > max(reached):
        raise PartitionKeyError(
            f"model {spec.name!r}: nothing is known as of {as_of} that is not known as of "
            f"{max(reached)}, by the newest days of {sorted(published)}; train as of that night or "
            "an earlier one, or ingest more days first"
        )


def _usable_days(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the days that every table has and whose labels are due by the night `as_of`."""
    due = shift_day(as_of, -spec.label.dataset.delay_days)
    tables = [set(lake.partitions(dataset.name, known_at=as_of)) for dataset in spec.datasets]
    return sorted(day for day in set.intersection(*tables) if day <= due)
