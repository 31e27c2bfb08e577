"""Expectations that need a whole column at once: its median, quantiles, order and mode."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mlops_tasks.validation.aggregate_expectations import number_finding
from mlops_tasks.validation.arrow_values import (
    N_EXAMPLES,
    is_missing,
    present_values,
    readable,
    to_python,
)
from mlops_tasks.validation.check_outcomes import Finding
from mlops_tasks.validation.limits import Limits, are_comparable, is_instant, members
from mlops_tasks.validation.row_conditions import selected_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.validation.suite import Expectation

__all__ = ["evaluate", "supports"]

_MEDIAN = "expect_column_median_to_be_between"
_QUANTILES = "expect_column_quantile_values_to_be_between"
_MOST_COMMON = "expect_column_most_common_value_to_be_in_set"
_INCREASING = "expect_column_values_to_be_increasing"
_DECREASING = "expect_column_values_to_be_decreasing"


def supports(expectation: Expectation, schema: pa.Schema) -> bool:
    """Return whether it is judged here on a column of this type; otherwise by GX, on a frame."""
    import pyarrow.types as pt

    if expectation.kind not in _CHECKS:
        return False
    kind = schema.field(expectation.named[0]).type
    if expectation.kind == _MOST_COMMON:
        return not pt.is_nested(kind)
    if expectation.kind == _QUANTILES:
        return are_comparable(kind, (0,))
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return all(map(is_instant, Limits.of(expectation.kwargs).given))
    return are_comparable(kind, Limits.of(expectation.kwargs).given)


def evaluate(expectation: Expectation, rows: pa.Table) -> Finding:
    """Judge a column of all rows; positions are those among them."""
    selected, positions = selected_rows(expectation.kwargs, rows)
    finding = _CHECKS[expectation.kind](expectation, selected.column(expectation.named[0]))
    if positions is not None and finding.positions is not None:
        finding.positions = positions[finding.positions]
    return finding


def _median(expectation: Expectation, values: pa.ChunkedArray) -> Finding:
    import pyarrow as pa

    kind = values.type
    ordered = _ordered(values)
    if not len(ordered):
        return number_finding(None, expectation.kwargs)
    middle = _between_neighbours(ordered, (len(ordered) - 1) / 2)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        at = pa.chunked_array([pa.array([math.floor(middle)], pa.timestamp("us", tz="UTC"))])
        (held,) = Limits.of(expectation.kwargs).mask(at).to_pylist()
        return Finding(bool(held), observed=readable(to_python(at)[0]))
    return number_finding(middle, expectation.kwargs)


def _quantiles(expectation: Expectation, values: pa.ChunkedArray) -> Finding:
    import numpy as np

    asked, ordered = expectation.kwargs["quantile_ranges"], _ordered(values)
    if not len(ordered):
        return number_finding(None, expectation.kwargs)
    method: Any = expectation.kwargs.get("allow_relative_error") or "nearest"
    places: Any = np.quantile(np.arange(float(len(ordered))), asked["quantiles"], method=method)
    found = [_between_neighbours(ordered, place) for place in places.tolist()]
    held = [
        Limits(*limits).hold(value)
        for value, limits in zip(found, asked["value_ranges"], strict=True)
    ]
    observed = {"quantiles": asked["quantiles"], "values": found}
    return Finding(all(held), observed=readable(observed))


def _most_common(expectation: Expectation, values: pa.ChunkedArray) -> Finding:
    import pyarrow.compute as pc

    counted = pc.value_counts(present_values(values))
    rows = counted.field("counts")
    modes = counted.field("values").filter(pc.equal(rows, pc.max(rows))) if len(rows) else rows
    n_wanted = _n_members(modes, expectation.kwargs["value_set"]) if len(rows) else 0
    ties = expectation.kwargs.get("ties_okay")
    success = n_wanted > 0 if ties else len(modes) == 1 and n_wanted == 1
    return Finding(success, observed=readable(to_python(modes)))


def _n_members(values: pa.Array, wanted: Any) -> int:
    """Count the values that are among those wanted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return int(pc.sum(members(pa.chunked_array([values]), wanted)).as_py() or 0)


def _in_order(expectation: Expectation, values: pa.ChunkedArray) -> Finding:
    """Compare each value with the one before it; missing ones are passed over."""
    import numpy as np
    import pyarrow as pa

    at = np.flatnonzero(~is_missing(values))
    numbers = _numbers(values)
    before, after = numbers[:-1], numbers[1:]
    if expectation.kind == _DECREASING:
        before, after = after, before
    good = after > before if expectation.kwargs.get("strictly") else after >= before
    bad = at[1:][~np.asarray(good, np.bool_)]
    examples = to_python(values.take(pa.array(bad[:N_EXAMPLES], pa.int64())))
    return Finding(
        success=not len(bad),
        row_wise=True,
        n_rows=len(at),
        n_bad=len(bad),
        positions=bad,
        examples=tuple(map(readable, examples)),
    )


def _ordered(values: pa.ChunkedArray) -> npt.NDArray[Any]:
    import numpy as np

    return np.sort(_numbers(values))


def _numbers(values: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return the values that are there; times in microseconds, decimals as fractions."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values = present_values(values)
    if pa.types.is_date(values.type):
        values = pc.cast(values, pa.timestamp("us"))
    if pa.types.is_timestamp(values.type):
        values = pc.cast(pc.cast(values, pa.timestamp("us", values.type.tz)), pa.int64())
    if pa.types.is_decimal(values.type):
        return np.array([*map(Fraction, values.to_pylist())], object)
    found: npt.NDArray[Any] = values.to_numpy()
    return found


def _between_neighbours(ordered: npt.NDArray[Any], place: float) -> Any:
    """Return the value at a place in an order, or the right mix of those beside it."""
    low, high = (_plain(ordered[at(place)]) for at in (math.floor, math.ceil))
    part = place - math.floor(place)
    if not part or low == high:
        return low
    if isinstance(low, float):
        return low * (1 - part) + high * part
    return Fraction(low) + Fraction(part) * (high - low)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


_CHECKS: dict[str, Callable[[Expectation, pa.ChunkedArray], Finding]] = {
    _MEDIAN: _median,
    _QUANTILES: _quantiles,
    _MOST_COMMON: _most_common,
    _INCREASING: _in_order,
    _DECREASING: _in_order,
}
