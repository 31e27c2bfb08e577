"""The contract of a dataset as an Arrow schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.specs.dataset import DatasetSpec

__all__ = ["arrow_schema", "arrow_type"]


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

    return pa.schema([(name, arrow_type(kind)) for name, kind in spec.columns.items()])


def arrow_type(declared: str) -> pa.DataType:
    """Return the Arrow type of a column that the contract declares, with or without ``?``."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }
    return types[declared.rstrip("?")]
