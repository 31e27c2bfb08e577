"""For the tests of a model project: what is scored is what the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.features.build import build_features
from mlops_tasks.features.comparison import different_cells
from mlops_tasks.features.result import place
from mlops_tasks.features.windows import feature_rows, input_range, pinned_inputs
from mlops_tasks.personal import redacted, redacted_row

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec

__all__ = ["assert_parity"]


def assert_parity(spec: ModelSpec, day: str, *, lake: Lake, window_days: int = 3) -> int:
    """Assert that a day has the same features in a training set and as a scoring partition.

    The day is read twice, as the two steps read it: from pinned versions in the midst of a window
    of several days, and alone as published. Features that look at other rows than the day's and
    its look-back, such as an average over all rows that are given, give two answers.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    day : str
        A published day, ``YYYY-MM-DD``.
    lake : Lake
        With that day, and better some days around it: without them the two are read alike.
    window_days : int, default 3
        How many days before and after belong to the training set, as far as they are published.

    Returns
    -------
    int
        How many rows were compared, at least 1.

    Raises
    ------
    AssertionError
        If a row differs in the two, naming the first one and its column; or
        if the day has no rows, as nothing is proved then.
    FeatureError, LeakageError
        If the features cannot be built, read the labels, or see the future.

    Notes
    -----
    Values are the same if they are equal in type and value, or both null, or both NaN.
    """
    spec.calendar.check(day)
    here = f"{place(spec)}, {day}"
    scored = feature_rows(spec, lake, first=day, last=day)
    if not scored.num_rows:
        raise AssertionError(f"{here}: {spec.rows.name!r} has no rows to compare")
    trained = _trained(spec, day, lake, window_days)
    key = list(spec.key)
    order = [(name, "ascending") for name in key]
    trained = trained.join(scored.select(key), key, join_type="left semi").sort_by(order)
    scored = scored.sort_by(order)
    _assert_same_cells(spec, here, trained, scored)
    return int(scored.num_rows)


def _trained(spec: ModelSpec, day: str, lake: Lake, window_days: int) -> pa.Table:
    """Build the features of the days around, from pins, as a training does."""
    earliest, latest = (spec.calendar.shift(day, steps) for steps in (-window_days, window_days))
    around = [d for d in lake.table(spec.rows.name).partitions() if earliest <= d <= latest]
    window = (around[0], around[-1])
    pins = {}
    for item in spec.inputs:
        table = lake.table(item.dataset.name)
        begin, end = input_range(spec, item, window, table)
        pins[item.dataset.name] = table.pin(first=begin, last=end)
    return build_features(spec, pinned_inputs(spec, pins, window, lake=lake))


def _assert_same_cells(spec: ModelSpec, here: str, trained: pa.Table, scored: pa.Table) -> None:
    if first := different_cells(trained, scored):
        name = next(iter(first))
        row = scored.slice(first[name], 1).to_pylist()[0]
        maker = "query" if spec.features_sql else "function"
        key = redacted_row(spec, {name: row[name] for name in spec.key})
        one, other = (
            redacted(spec, name, repr(rows.column(name)[first[name]].as_py()))
            for rows in (trained, scored)
        )
        raise AssertionError(
            f"{here}: row {key} has {name} = {one} in the training set "
            f"and {other} when scored; columns that differ: {list(first)}. The {maker} looks at "
            "rows outside the day and its look-back"
        )
