"""The contract of a dataset in Arrow terms: its schema, and the rows that break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.spec import DatasetSpec

__all__ = ["arrow_schema", "contract_breaches"]


def arrow_schema(spec: DatasetSpec) -> pa.Schema:
    """Return the Arrow schema that the contract declares, timestamps in UTC microseconds.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.

    Returns
    -------
    Schema
        One field per contract column, in the contract's order.
    """
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind.rstrip("?")]) for name, kind in spec.columns.items()])


def contract_breaches(spec: DatasetSpec, rows: pa.Table) -> dict[str, list[int]]:
    """Find the rows that break the contract, by reason.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    rows : Table
        One partition, with the contract's columns and types.

    Returns
    -------
    dict of str to list of int
        Reason to row positions: ``null:<column>`` where nulls are not allowed,
        ``not_finite:<column>`` for NaN and infinity, ``duplicate_key`` for every row whose key
        occurs more than once: which of them is right cannot be known here.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    masks: dict[str, pa.Array] = {}
    for column in spec.columns:
        values = rows.column(column)
        if not spec.nullable(column):
            masks[f"null:{column}"] = pc.is_null(values)
        if pa.types.is_floating(values.type):
            masks[f"not_finite:{column}"] = pc.fill_null(pc.invert(pc.is_finite(values)), False)
    breaches = {reason: _positions(mask) for reason, mask in masks.items()}
    breaches["duplicate_key"] = _duplicates(rows.select(list(spec.key)))
    return {reason: found for reason, found in breaches.items() if found}


def _positions(mask: pa.Array) -> list[int]:
    import numpy as np

    # Not Arrow's own indices_nonzero: it crashes the process when there are no rows.
    return [int(i) for i in np.flatnonzero(mask.to_numpy(zero_copy_only=False))]


def _duplicates(keys: pa.Table) -> list[int]:
    import pyarrow as pa

    position = "__row"
    numbered = keys.append_column(position, pa.array(range(keys.num_rows), pa.int64()))
    groups = numbered.group_by(keys.schema.names).aggregate([(position, "list")])
    lists = groups.column(f"{position}_list").to_pylist()
    return sorted(row for group in lists if len(group) > 1 for row in group)
