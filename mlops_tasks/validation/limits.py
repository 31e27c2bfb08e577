"""Limits and sets of an expectation against values, without rounding either side."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa

__all__ = ["Limits", "are_comparable", "held_values", "is_instant", "is_number", "members"]


@dataclass(frozen=True, slots=True)
class Limits:
    """A lower and an upper limit, either of which may be missing or strict.

    Attributes
    ----------
    low, high : int, float, datetime or None
        As the suite has them: a whole number is never turned into a double.
    strict_low, strict_high : bool
        Whether the limit itself is outside.

    Examples
    --------
    >>> import pyarrow as pa
    >>> limits = Limits(low=2**53 + 1)
    >>> limits.hold(2**53), limits.mask(pa.chunked_array([[2**53, 2**53 + 1]])).to_pylist()
    (False, [False, True])
    """

    low: Any = None
    high: Any = None
    strict_low: bool = False
    strict_high: bool = False

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> Limits:
        """Read the limits off the arguments of an expectation."""
        strict = (bool(kwargs.get(f"strict_{end}")) for end in ("min", "max"))
        return cls(kwargs.get("min_value"), kwargs.get("max_value"), *strict)

    @property
    def given(self) -> list[Any]:
        """The limits that there are."""
        return [limit for limit in (self.low, self.high) if limit is not None]

    def hold(self, value: Any) -> bool:
        """Return whether a single value is within; Python compares its numbers exactly."""
        above = operator.gt if self.strict_low else operator.ge
        below = operator.lt if self.strict_high else operator.le
        return bool(
            (self.low is None or above(value, self.low))
            and (self.high is None or below(value, self.high))
        )

    def mask(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return for each value, of a type that `are_comparable`, whether it is within.

        Null for null.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_date(values.type):
            values = pc.cast(values, pa.timestamp("us", tz="UTC"))
        if pa.types.is_decimal(values.type):
            found = [None if value is None else self.hold(value) for value in values.to_pylist()]
            return pa.chunked_array([found], pa.bool_())
        ends = (self.low, self.strict_low, True), (self.high, self.strict_high, False)
        mask = pc.is_valid(values)
        for limit, strict, is_low in ends:
            if limit is not None:
                mask = pc.and_kleene(mask, _beyond(values, limit, strict=strict, is_low=is_low))
        return pc.if_else(pc.is_valid(values), mask, None)


def _beyond(values: pa.ChunkedArray, limit: Any, *, strict: bool, is_low: bool) -> pa.ChunkedArray:
    """Compare with one limit, which is first brought into the type of the values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_integer(kind):
        limit, strict = _as_integer(limit, kind, is_low=is_low), strict and _is_whole(limit)
        if limit is None:
            return pc.is_null(values)  # beyond all numbers of the type
    elif pa.types.is_floating(kind):
        values, kind = pc.cast(values, pa.float64()), pa.float64()
        limit, strict = _as_double(limit, is_low=is_low, strict=strict)
    compare: Callable[..., Any] = {
        (True, False): pc.greater_equal,
        (True, True): pc.greater,
        (False, False): pc.less_equal,
        (False, True): pc.less,
    }[is_low, strict]
    return compare(values, pa.scalar(limit, kind))


def _is_whole(limit: Any) -> bool:
    return math.isfinite(limit) and limit == math.floor(limit)


def _as_integer(limit: Any, kind: pa.DataType, *, is_low: bool) -> int | None:
    """Round a limit inwards; None if no integer of the type meets it."""
    bits, signed = kind.bit_width, not str(kind).startswith("u")
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if is_low:
        return None if limit > most else math.ceil(max(limit, least))
    return None if limit < least else math.floor(min(limit, most))


def _as_double(limit: Any, *, is_low: bool, strict: bool) -> tuple[float, bool]:
    """Round a limit inwards to a double, and return whether that is strict."""
    double = _nearest(limit)
    if double == limit:
        return double, strict
    inwards = math.inf if is_low else -math.inf
    outside = double < limit if is_low else double > limit
    return (math.nextafter(double, inwards) if outside else double), False


def _nearest(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def is_number(value: Any) -> bool:
    """Return whether a value is a number that can be compared: no boolean, no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return value == value


def is_instant(value: Any) -> bool:
    """Return whether a value is a moment with a zone."""
    return isinstance(value, datetime) and value.tzinfo is not None


def are_comparable(kind: pa.DataType, limits: Iterable[Any]) -> bool:
    """Return whether values of a type can be compared with limits exactly.

    They can if all limits are numbers for a column of numbers, or moments for one of times.
    """
    import pyarrow.types as pt

    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return all(map(is_number, limits))
    if pt.is_date(kind) or (pt.is_timestamp(kind) and kind.tz is not None):
        return all(map(is_instant, limits))
    return False


def members(values: pa.ChunkedArray, wanted: Iterable[Any]) -> pa.ChunkedArray:
    """Return for each value whether it is one of those wanted; no number is rounded for it.

    False for null. What no value of the type can be equal to is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if pa.types.is_date(values.type):
        values = pc.cast(values, pa.timestamp("us", tz="UTC"))
    if pa.types.is_decimal(values.type):
        known = set(wanted)
        return pa.chunked_array([[value in known for value in values.to_pylist()]], pa.bool_())
    return pc.is_in(values, value_set=pa.array(held_values(values.type, wanted), values.type))


def held_values(kind: pa.DataType, wanted: Iterable[Any]) -> list[Any]:
    """Return those of some values that a type can hold exactly, as values of it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> held_values(pa.int64(), [1.0, 1.5, 2**53 + 1, 2**64, "1", True])
    [1, 9007199254740993]
    >>> held_values(pa.float64(), [1, 2**53 + 1])
    [1.0]
    """
    import pyarrow.types as pt

    if pt.is_integer(kind):
        whole = (int(v) for v in wanted if is_number(v) and _is_whole(v))
        return [n for n in whole if _as_integer(n, kind, is_low=True) == n]
    if pt.is_floating(kind):
        return [_nearest(v) for v in wanted if is_number(v) and _nearest(v) == v]
    if pt.is_boolean(kind):
        return [value for value in wanted if isinstance(value, bool)]
    if pt.is_timestamp(kind):
        return [value for value in wanted if is_instant(value)]
    return [value for value in wanted if isinstance(value, str)]
