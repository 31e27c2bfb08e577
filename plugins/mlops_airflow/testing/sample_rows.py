"""Rows of a dataset for tests: given ones, or made up from its contract."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SchemaMismatchError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec

__all__ = ["publish_rows", "sample_rows"]

_WORDS = ("amber", "birch", "cedar", "delta", "ember")
_MISSING = 0.1
_MOST_ROWS = 1_000_000


def publish_rows(lake: Lake, dataset: DatasetSpec, partition: str, rows: Any) -> PartitionVersion:
    """Publish rows as a partition of a dataset, as `validate` would: known when they are due.

    Parameters
    ----------
    lake : Lake
        Where to.
    dataset : DatasetSpec
        The dataset; its contract is held, its expectations are not.
    partition : str
        Key of the partition, which they replace.
    rows : list of dict, Table or DataFrame
        The rows, with the columns of the contract.

    Returns
    -------
    PartitionVersion
        What was written.

    Raises
    ------
    SchemaMismatchError
        If a column is missing or unknown, or a value is null or of another type where the contract
        allows none.
    """
    from mlops_tasks.lake import overwrite_partition

    dataset.partition(partition)
    table = lake.table(dataset.name)
    content = _as_contract(dataset, rows)
    token = (table.newest_token(partition) if table.exists else 0) + 1
    known_at = dataset.due(partition)
    return overwrite_partition(table, partition, content, token=token, known_at=known_at)


def sample_rows(dataset: DatasetSpec, partition: str, n_rows: int = 100) -> pa.Table:
    """Make up rows that hold the contract of a dataset.

    Keys are unique, times lie within the partition, a tenth of what may be null is. The same
    partition has the same rows each time, and two datasets with a key column of the same name and
    type have the same keys in it, so that labels find their rows.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset.
    partition : str
        Key of the partition.
    n_rows : int, default 100
        How many, at most a million.

    Returns
    -------
    Table
        In the contract's types.

    Examples
    --------
    >>> from datetime import date
    >>> from mlops_tasks.specs import DatasetSpec
    >>> from mlops_tasks.specs.source import FileSource
    >>> orders = DatasetSpec(
    ...     name="orders",
    ...     description="Orders as they come in.",
    ...     source=FileSource(conn_id="shop", path="{partition}.csv"),
    ...     columns={"order_id": "string", "ordered_at": "timestamp", "price": "float64?"},
    ...     key=("order_id",),
    ...     start=date(2024, 3, 1),
    ... )
    >>> rows = sample_rows(orders, "2024-03-02", 50)
    >>> rows.num_rows, len(set(rows["order_id"].to_pylist())), rows["ordered_at"][0].as_py().day
    (50, 50, 2)
    """
    import numpy as np
    import pyarrow as pa

    from mlops_tasks.specs.schema import arrow_schema

    if not 0 <= n_rows <= _MOST_ROWS:
        raise ValueError(f"{n_rows} rows of {dataset.name!r}: 0 to {_MOST_ROWS} can be made up")
    columns = {}
    for name, declared in dataset.columns.items():
        # A column of its own seed: what the contract has beside it changes nothing in it.
        random = np.random.default_rng(zlib.crc32(f"{name}/{partition}".encode()))
        in_key = name in dataset.key
        values = _values(declared.rstrip("?"), dataset, partition, n_rows, random, in_key=in_key)
        if declared.endswith("?") and not in_key:
            missing = random.random(n_rows) < _MISSING
            values = [None if gone else v for gone, v in zip(missing, values, strict=True)]
        columns[name] = values
    return pa.table(columns, schema=arrow_schema(dataset))


def _values(
    kind: str,
    dataset: DatasetSpec,
    partition: str,
    n_rows: int,
    random: np.random.Generator,
    *,
    in_key: bool,
) -> list[Any]:
    span = dataset.partition(partition)
    if kind == "timestamp":
        step = (span.end - span.start) / max(n_rows, 1)
        return [span.start + number * step for number in range(n_rows)]
    if kind == "date":
        return [span.local_start.date()] * n_rows
    if kind == "int64":
        ordinal = dataset.calendar.number(dataset.calendar.begins(partition))
        return (
            [ordinal * _MOST_ROWS + number for number in range(n_rows)]
            if in_key
            else random.integers(0, 100, n_rows).tolist()
        )
    if kind == "string":
        return (
            [f"{partition}/{number}" for number in range(n_rows)]
            if in_key
            else [_WORDS[number] for number in random.integers(0, len(_WORDS), n_rows)]
        )
    if kind == "bool":
        return list((random.random(n_rows) < 0.5).tolist())
    return list(random.normal(50, 15, n_rows).round(2).tolist())


def _as_contract(dataset: DatasetSpec, rows: Any) -> pa.Table:
    """Return rows in the contract's types; what a dictionary lacks is null."""
    import pyarrow as pa

    from mlops_tasks.specs.schema import arrow_schema

    schema = arrow_schema(dataset)
    _check_names(dataset, rows)
    try:
        if isinstance(rows, pa.Table):
            table = rows.select(schema.names).cast(schema)
        elif hasattr(rows, "columns"):
            table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
        else:
            table = pa.Table.from_pylist(list(rows), schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaMismatchError(
            f"rows for dataset {dataset.name!r} do not fit its contract: {error}"
        ) from error
    for name, declared in dataset.columns.items():
        if not declared.endswith("?") and table[name].null_count:
            raise SchemaMismatchError(
                f"rows for dataset {dataset.name!r}: column {name!r} is null in "
                f"{table[name].null_count} of {table.num_rows}; the contract says {declared!r}, "
                f"write {declared + '?'!r} there if it may be"
            )
    return table


def _check_names(dataset: DatasetSpec, rows: Any) -> None:
    columns = getattr(rows, "column_names", getattr(rows, "columns", None))
    found = set(columns) if columns is not None else {name for row in rows for name in row}
    wanted = set(dataset.columns)
    missing = wanted - found if columns is not None else set()
    if missing or found - wanted:
        raise SchemaMismatchError(
            f"rows for dataset {dataset.name!r}: missing are {sorted(missing)}, unknown "
            f"{sorted(found - wanted)}; its contract has {sorted(wanted)}"
        )
