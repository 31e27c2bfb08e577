"""The contract of a dataset: rows that share a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ValidationFailedError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

__all__ = ["duplicate_breaches", "with_one_zero"]

_EXAMPLES = 3


def duplicate_breaches(spec: DatasetSpec, rows: pa.Table) -> dict[str, list[int]]:
    """Decide about rows that share a key, as the spec's `duplicates` says.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    rows : Table
        All rows, or all of those whose key occurs more than once.

    Returns
    -------
    dict of str to list of int
        Row positions under ``duplicate_key``, every row whose key occurs more than once: which of
        them is right cannot be known here. With ``duplicates="keep_last"`` the latest row of a key
        is none, the others are ``superseded``; only where the latest is not one row but several
        that differ, these are ``duplicate_key``.

    Raises
    ------
    ValidationFailedError
        If there are such rows and the spec says ``duplicates="fail"``.
    """
    groups = _groups(with_one_zero(rows.select(list(spec.key))), _order(spec, rows))
    if not len(groups):
        return {}
    if spec.duplicates == "fail":
        raise _twice(spec, rows, groups)
    if spec.duplicates == "keep_last":
        return _superseded(spec, rows, groups)
    return {"duplicate_key": sorted(groups.flatten().to_pylist())}


def with_one_zero(rows: pa.Table) -> pa.Table:
    """Turn negative zeros into zeros: they are equal, but not the same bits.

    Parameters
    ----------
    rows : Table
        Of any columns.

    Returns
    -------
    Table
        The same rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            values = pc.add(rows.column(index), pa.scalar(0.0, field.type))
            rows = rows.set_column(index, field, values)
    return rows


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
        same = len(latest) == 1 or _all_equal(rows.take(latest))
        found["duplicate_key"] += [] if same else latest
        found["superseded"] += group[:-1] if same else group[: -len(latest)]
    return {reason: sorted(positions) for reason, positions in found.items()}


def _all_equal(rows: pa.Table) -> bool:
    first, *others = rows.to_pylist()
    return all(repr(row) == repr(first) for row in others)  # NaN is like NaN


def _twice(spec: DatasetSpec, rows: pa.Table, groups: pa.ListArray) -> ValidationFailedError:
    some = [positions[0] for positions in groups.slice(0, _EXAMPLES).to_pylist()]
    keys = [tuple(key.values()) for key in rows.select(list(spec.key)).take(some).to_pylist()]
    return ValidationFailedError(
        f"dataset {spec.name!r}: {len(groups)} keys {list(spec.key)} occur more than once, such as "
        f"{keys}, and the spec says duplicates='fail'; nothing was published. Mend the source, or "
        "choose 'quarantine' or 'keep_last' in the spec"
    )
