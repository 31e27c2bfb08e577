"""Values of Arrow columns: which are missing, and how they are shown to a person."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["N_EXAMPLES", "is_missing", "present_values", "readable", "to_python"]

#: Values shown of those that fall short.
N_EXAMPLES = 5


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


def readable(value: Any) -> str:
    """Return a value as a person reads it, in at most 200 characters.

    Examples
    --------
    >>> readable(3.0), readable([1.5, None]), readable({"a": 2})
    ('3', '1.5, null', 'a 2')
    """
    if isinstance(value, dict):
        text = ", ".join(f"{name} {readable(item)}" for name, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        text = ", ".join(readable(item) for item in value)
    elif _is_null(value):
        text = "null"
    elif hasattr(value, "isoformat"):
        text = value.isoformat().replace("+00:00", "Z")
    elif isinstance(value, bool | str):
        text = str(value)
    else:
        text = _number(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _is_null(value: Any) -> bool:
    """Recognise None, NaN and NaT, which are unequal to themselves, and pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _number(value: Any) -> str:
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, Decimal | Fraction) and math.isfinite(value) and value == int(value):
        return str(int(value))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    if math.isfinite(number) and number == int(number) and abs(number) < 2**53:
        return str(int(number))
    return f"{number:.6g}"
