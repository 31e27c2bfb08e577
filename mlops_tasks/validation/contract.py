"""Rows that violate the contract: nulls, NaN and infinity, other days, and keys that come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ValidationFailedError
from mlops_tasks.personal import redacted_row
from mlops_tasks.sources import day_column, in_other_days
from mlops_tasks.spelling import shortened
from mlops_tasks.validation.duplicates import with_one_zero

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

    Positions = npt.NDArray[np.int64]

__all__ = ["duplicate_violations", "row_violations"]

_EXAMPLES = 3


def row_violations(
    spec: DatasetSpec, partition: str, chunk: pa.Table
) -> Iterator[tuple[str, Positions]]:
    """Find the rows of a chunk that the contract does not allow, by reason.

    Yields ``null:<column>`` where the contract allows none, ``not_finite:<column>`` for NaN and
    infinity, ``other_day:<column>`` and ``no_day:<column>`` where the source names a column that
    says the day of a row, each with the positions in the chunk.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in spec.columns:
        values = chunk.column(name)
        if values.null_count and not spec.nullable(name):
            yield f"null:{name}", np.flatnonzero(pc.is_null(values).to_numpy())
        if pa.types.is_floating(values.type):
            finite = np.isfinite(pc.fill_null(values, 0.0).to_numpy())
            if not finite.all():
                yield f"not_finite:{name}", np.flatnonzero(~finite)
    if (column := day_column(spec)) is not None:
        times = chunk.column(column)
        other = in_other_days(spec.partition(partition), times)
        if pc.any(other, min_count=0).as_py():
            yield f"other_day:{column}", np.flatnonzero(other.to_numpy())
        if times.null_count and spec.nullable(column):
            yield f"no_day:{column}", np.flatnonzero(pc.is_null(times).to_numpy())


def duplicate_violations(spec: DatasetSpec, rows: pa.Table) -> dict[str, list[int]]:
    """Decide about rows that share a key, as the spec's `duplicates` says.

    Takes all rows, or all of those whose key occurs more than once, and returns positions: under
    ``duplicate_key`` every row whose key occurs more than once, since which of them is right cannot
    be known here. With ``duplicates="keep_last"`` the latest row of a key is none, the others are
    ``superseded``; only where the latest is not one row but several that differ, these are
    ``duplicate_key``. With ``duplicates="fail"`` it raises `ValidationFailedError`.
    """
    groups = _groups(with_one_zero(rows.select(list(spec.key))), _order(spec, rows))
    if not len(groups):
        return {}
    if spec.duplicates == "fail":
        raise _duplicates_refused(spec, rows, groups)
    if spec.duplicates == "keep_last":
        return _superseded(spec, rows, groups)
    return {"duplicate_key": sorted(groups.flatten().to_pylist())}


def _order(spec: DatasetSpec, rows: pa.Table) -> pa.Array:
    """Return the positions of the rows from the first to the last one, nulls before all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if spec.order_by is None:
        return pa.array(range(rows.num_rows), pa.int64())
    keys = [(spec.order_by, "ascending", "at_start")]
    return pc.sort_indices(rows, sort_keys=keys).cast(pa.int64())


def _groups(keys: pa.Table, order: pa.Array) -> pa.ListArray:
    """Return the positions of all rows that share a key, a list for each such key, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    position = "__row"
    numbered = keys.take(order).append_column(position, order)
    # One thread: several would give the positions in any order.
    grouped = numbered.group_by(keys.schema.names, use_threads=False)
    lists = grouped.aggregate([(position, "list")]).column(f"{position}_list")
    shared = lists.filter(pc.greater(pc.list_value_length(lists), 1))
    return pa.concat_arrays(shared.chunks) if shared.num_chunks else pa.array([], lists.type)


def _superseded(spec: DatasetSpec, rows: pa.Table, groups: pa.ListArray) -> dict[str, list[int]]:
    times = rows.column(spec.order_by).to_pylist()
    found: dict[str, list[int]] = {"superseded": [], "duplicate_key": []}
    for group in groups.to_pylist():
        last = times[group[-1]]
        latest = [i for i in group if times[i] is last or times[i] == last]
        same = len(latest) == 1 or _all_equal(with_one_zero(rows.take(latest)))
        found["duplicate_key"] += [] if same else latest
        found["superseded"] += group[:-1] if same else group[: -len(latest)]
    return {reason: sorted(positions) for reason, positions in found.items()}


def _all_equal(rows: pa.Table) -> bool:
    first, *others = rows.to_pylist()
    return all(repr(row) == repr(first) for row in others)  # NaN is like NaN


def _duplicates_refused(
    spec: DatasetSpec, rows: pa.Table, groups: pa.ListArray
) -> ValidationFailedError:
    some = [positions[0] for positions in groups.slice(0, _EXAMPLES).to_pylist()]
    keys = [
        tuple(redacted_row(spec, key).values())
        for key in rows.select(list(spec.key)).take(some).to_pylist()
    ]
    return ValidationFailedError(
        f"dataset {spec.name!r}: {len(groups)} keys {list(spec.key)} occur more than once, such as "
        f"{shortened(keys)}, and the spec says duplicates='fail'; nothing was published. Fix the "
        "source, or choose 'quarantine' or 'keep_last' in the spec"
    )
