"""Windows of days: which days may be used, and their rows, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError, NoLabelsError
from mlops_tasks.features.build import build_features
from mlops_tasks.features.moments import refuse_one_day
from mlops_tasks.features.snapshots import snapshot_range, snapshot_rows
from mlops_tasks.features.splits import split_part
from mlops_tasks.features.table_rows import labelled_table_rows
from mlops_tasks.features.targets import build_targets, join_targets
from mlops_tasks.lake.schema import PARTITION_COLUMN
from mlops_tasks.partitions import days_of, window_start
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake import Lake, Pin, Table, TrainingPin
    from mlops_tasks.specs import DatasetSpec, EstimatorSpec, InputSpec, ModelSpec

__all__ = [
    "dataset_range",
    "days_of_rows",
    "feature_rows",
    "input_range",
    "labelled_rows",
    "pinned_inputs",
    "published_inputs",
    "split_days",
]


def feature_rows(
    spec: ModelSpec, lake: Lake, *, first: str, last: str, known_at: str | None = None
) -> pa.Table:
    """Return key, `as_of` and features of all rows from `first` to `last`, as published now.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    lake : Lake
        The data.
    first, last : str
        Days, both inclusive.
    known_at : str, optional
        Only what was known by that day.

    Returns
    -------
    Table
        From `build_features`.
    """
    inputs = published_inputs(spec, lake, first=first, last=last, known_at=known_at)
    return build_features(spec, inputs)


def published_inputs(
    spec: ModelSpec, lake: Lake, *, first: str, last: str, known_at: str | None = None
) -> dict[str, ds.Dataset]:
    """Return what the features may read for the rows of some days, to be streamed.

    Parameters
    ----------
    spec, lake, first, last, known_at
        As for `feature_rows`.

    Returns
    -------
    dict of str to Dataset
        By dataset, each with its look-back before `first`, and with the key of each row's partition
        as ``partition_key``.
    """
    inputs = {}
    for item in spec.inputs:
        name, table = item.dataset.name, lake.table(item.dataset.name)
        begin, end = input_range(spec, item, (first, last), table, known_at=known_at)
        commits = table.commits(first=begin, last=end, known_at=known_at)
        if spec.is_snapshot(item):
            inputs[name] = snapshot_rows(item.dataset, table, commits)
        else:
            inputs[name] = table.scan(commits)
    return inputs


def labelled_rows(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    window: tuple[str, str],
    *,
    lake: Lake,
    learn: bool = True,
) -> pa.Table:
    """Return the pinned rows of one window that have a label, with the target as ``y``.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model.
    pin : TrainingPin
        The exact versions.
    window : tuple of str
        First and last day, both inclusive: ``pin.train`` or ``pin.evaluation``.
    lake : Lake
        The data.
    learn : bool, default True
        Whether the rows are to be learnt from: targets that are all the same will not do then. Of
        a random split, these are the rows of the training, and the others those of the evaluation.

    Returns
    -------
    Table
        Key, `as_of`, features and ``y``, ordered by key.

    Raises
    ------
    NoLabelsError
        If no row has a target, or nothing can be learnt from those that have.
    """
    if isinstance(spec, TableModel):
        joined, n_rows = labelled_table_rows(spec, pin, window, lake=lake)
    else:
        joined, n_rows = _labelled_project_rows(spec, pin, window, lake=lake)
    if pin.random is not None:
        joined = split_part(spec, joined, pin.random, learn=learn)
    problem, why = problem_type(spec.problem_type), ""
    if not joined.num_rows:
        why = "Are the labels of these days ingested?"
    elif learn:
        why = problem.learnable(spec, joined.column(TARGET).to_numpy(zero_copy_only=False))
    if why:
        raise NoLabelsError(
            f"model {spec.name!r}, {window[0]} to {window[1]}: {joined.num_rows} of {n_rows} rows "
            f"have a label from {spec.labels_table!r}, {why}"
        )
    return joined


def _labelled_project_rows(
    spec: ModelSpec, pin: TrainingPin, window: tuple[str, str], *, lake: Lake
) -> tuple[pa.Table, int]:
    """Join the features of a project with its labels; also return how many rows there were."""
    begin, end = dataset_range(spec, spec.label.dataset, *window)
    # Targets first: an expression that cannot be one is known before the long query is run.
    targets = build_targets(
        spec, lake.table(pin.labels.table).read_pin(pin.labels, first=begin, last=end)
    )
    rows = build_features(spec, pinned_inputs(spec, pin.inputs, window, lake=lake))
    if window == pin.train:
        refuse_one_day(spec, rows.column(spec.as_of), _partitions(spec, pin, window, lake))
    return join_targets(spec, rows, targets), rows.num_rows


def _partitions(spec: ModelSpec, pin: TrainingPin, window: tuple[str, str], lake: Lake) -> set[str]:
    """Return the partitions of a window that have rows to score."""
    rows = pin.inputs[spec.rows.name]
    commits = lake.table(rows.table).pinned_commits(rows, first=window[0], last=window[1])
    return {commit.partition for commit in commits if commit.n_rows}


def pinned_inputs(
    spec: ModelSpec, pins: Mapping[str, Pin], window: tuple[str, str], *, lake: Lake
) -> dict[str, ds.Dataset]:
    """Return what the features may read for the pinned rows of one window, to be streamed.

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
        By dataset, with ``partition_key`` as in `published_inputs`.
    """
    inputs = {}
    for item in spec.inputs:
        pin = pins[item.dataset.name]
        table = lake.table(pin.table)
        if spec.is_snapshot(item):
            commits = table.pinned_commits(pin, first=pin.first, last=pin.last)
            inputs[item.dataset.name] = snapshot_rows(item.dataset, table, commits)
            continue
        begin, end = input_range(spec, item, window, table)
        commits = table.pinned_commits(pin, first=begin, last=end)
        inputs[item.dataset.name] = table.scan(commits, columns=[*pin.columns, PARTITION_COLUMN])
    return inputs


def days_of_rows(spec: EstimatorSpec, rows: pa.Table) -> npt.NDArray[Any]:
    """Return the day of each row, by its `as_of` in the zone of the model's datasets.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table
        From `labelled_rows`.

    Returns
    -------
    array of str, shape (n_rows,)
        ``YYYY-MM-DD``.
    """
    days = days_of(rows.column(spec.as_of), spec.timezone)
    found: npt.NDArray[Any] = days.to_numpy(zero_copy_only=False)
    return found


def input_range(
    spec: ModelSpec,
    item: InputSpec,
    window: tuple[str, str],
    table: Table,
    *,
    known_at: str | None = None,
) -> tuple[str, str]:
    """Return which partitions of an input the rows of some partitions of a model may read.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    item : InputSpec
        One of its inputs.
    window : tuple of str
        Partition keys of the model, both inclusive.
    table : Table
        The table of the input, where it is a snapshot.
    known_at : str, optional
        Only snapshots that were known by that day.

    Returns
    -------
    tuple of str
        Keys of the input's own grain, both inclusive, with its look-back; of a snapshot, those of
        the newest ones before the moments of the window.
    """
    if spec.is_snapshot(item):
        return snapshot_range(spec, item.dataset, table, window, known_at=known_at)
    begin, end = dataset_range(spec, item.dataset, *window)
    if item.lookback:
        before = item.dataset.calendar.shift(begin, -1)
        begin = window_start(item.dataset.calendar, before, item.lookback)
    return begin, end


def dataset_range(spec: ModelSpec, dataset: DatasetSpec, first: str, last: str) -> tuple[str, str]:
    """Return which partitions of a dataset share an instant with some partitions of a model.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dataset : DatasetSpec
        One of its datasets.
    first, last : str
        Partition keys of the model, both inclusive.

    Returns
    -------
    tuple of str
        Keys of the dataset's own grain, both inclusive.
    """
    if dataset.grain == spec.rows.grain:
        return first, last
    begin, end = (spec.rows.partition(key).keys(dataset.calendar) for key in (first, last))
    return begin[0], end[-1]


def split_days(spec: EstimatorSpec, rows: pa.Table) -> dict[str, pa.Table]:
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
    _check_instants(moments, what=f"as_of {spec.as_of!r}")
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


def _check_instants(moments: pa.ChunkedArray, *, what: str) -> None:
    import pyarrow.types as pt

    if not (pt.is_timestamp(moments.type) and moments.type.tz):
        raise FeatureError(
            f"{what} must be an instant, a timestamp with a zone, and is {moments.type}; write "
            "<column>::TIMESTAMP AT TIME ZONE '<zone whose clock it shows>' in the query"
        )
    if moments.null_count:
        raise FeatureError(f"{what} is null in {moments.null_count} of {len(moments)} rows")
