"""Windows of days: which days may be used, and their rows, at exact versions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.features import build_features, build_targets, join_targets
from mlops_tasks.lake import check_partition
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
    "shift_day",
    "split_days",
]


def shift_day(day: str, days: int) -> str:
    """Return the partition key some days after another one.

    Parameters
    ----------
    day : str
        Partition key, ``YYYY-MM-DD``.
    days : int
        Days to go on; negative goes back.

    Returns
    -------
    str
        Partition key.

    Examples
    --------
    >>> shift_day("2013-03-01", -1)
    '2013-02-28'
    """
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


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
    SpecError
        If `as_of` is not a day.
    """
    check_partition(as_of)
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
    spec: ModelSpec, pin: TrainingPin, window: tuple[str, str], *, lake: Lake
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

    Returns
    -------
    Table
        Key, `as_of`, features and ``y``, ordered by key.

    Raises
    ------
    NoLabelsError
        If no row has a target, or all targets are the same.
    """
    import pyarrow.compute as pc

    first, last = window
    rows = build_features(spec, pinned_inputs(spec, pin.inputs, window, lake=lake))
    labels = lake.read_pin(pin.labels, first=first, last=last)
    joined = join_targets(spec, rows, build_targets(spec, labels))
    kinds = pc.count_distinct(joined.column("y")).as_py()
    if kinds < 2:
        raise NoLabelsError(
            f"model {spec.name!r}, {first} to {last}: {joined.num_rows} of {rows.num_rows} rows "
            f"have a label from {spec.label.dataset.name!r}, {kinds} kind(s) of it; both classes "
            "are needed. Are the labels of these days ingested?"
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
    """Split rows by the day of their `as_of`, in UTC.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table
        From `labelled_rows`; at least one.

    Returns
    -------
    dict of str to Table
        By day, in order.

    Notes
    -----
    A day with less than half the rows of the median day is counted to its neighbour: the few hours
    that a local day leaves in the next UTC day differ from every whole day by their hours alone.
    """
    import numpy as np
    import pyarrow as pa

    stamps = rows.column(spec.as_of).to_pandas().dt.strftime("%Y-%m-%d").to_numpy(dtype=str)
    days, of_row, counts = np.unique(stamps, return_inverse=True, return_counts=True)
    (whole,) = np.nonzero(2 * counts >= np.median(counts))
    distance = np.abs(whole[np.newaxis, :] - np.arange(len(days))[:, np.newaxis])
    home = whole[distance.argmin(axis=1)][of_row]
    return {str(days[place]): rows.filter(pa.array(home == place)) for place in whole}


def _usable_days(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the days that every table has and whose labels are due by the night `as_of`."""
    due = shift_day(as_of, -spec.label.dataset.delay_days)
    tables = [set(lake.partitions(dataset.name, known_at=as_of)) for dataset in spec.datasets]
    return sorted(day for day in set.intersection(*tables) if day <= due)
