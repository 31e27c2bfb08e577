"""Values that are there: nulls and NaN are missing, and any value can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["is_missing", "present_values", "to_python"]


def is_missing(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return where a value is null or NaN."""
    import pyarrow.compute as pc

    missing: npt.NDArray[np.bool_] = pc.is_null(values, nan_is_null=True).to_numpy()
    return missing


def present_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values without nulls and NaN, and zeros without a sign: they are all equal."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = values.drop_null()
    if pa.types.is_floating(values.type):
        values = values.filter(pc.invert(pc.is_nan(values)))
        values = pc.add(values, pa.scalar(0.0, values.type))
    return values


def to_python(values: pa.ChunkedArray) -> list[Any]:
    """Return values as Python has them; times that Python has not, as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return list(values.to_pylist())
    except (ValueError, OverflowError):  # years before 1 and after 9999
        kind = values.type
        if pa.types.is_timestamp(kind):
            values = pc.cast(values, pa.timestamp(kind.unit))
        return list(pc.cast(values, pa.string()).to_pylist())
