"""Expectations about single rows whose values are compared: exactly, on Arrow columns."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mlops_tasks.validation.arrow_values import N_EXAMPLES, is_missing, readable, to_python
from mlops_tasks.validation.check_outcomes import Finding
from mlops_tasks.validation.limits import Limits, are_comparable, is_number, members
from mlops_tasks.validation.row_conditions import selected_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.validation.suite import Expectation

    Mask = npt.NDArray[np.bool_]

__all__ = ["evaluate", "supports"]

_BETWEEN = "expect_column_values_to_be_between"
_IN_SET = "expect_column_values_to_be_in_set"
_NOT_IN_SET = "expect_column_values_to_not_be_in_set"
_GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
_EQUAL = "expect_column_pair_values_to_be_equal"
_PAIRS = "expect_column_pair_values_to_be_in_set"
_SUM = "expect_multicolumn_sum_to_equal"
_DIFFERENT = "expect_select_column_values_to_be_unique_within_record"
_EXACT_DOUBLE = 2**53


def supports(expectation: Expectation, schema: pa.Schema) -> bool:
    """Return whether it is judged here on columns of these types; otherwise by GX, on a frame."""
    import pyarrow.types as pt

    kind, kwargs = expectation.kind, expectation.kwargs
    types = [schema.field(name).type for name in expectation.named]
    if kind == _BETWEEN:
        return are_comparable(types[0], Limits.of(kwargs).given)
    if kind in (_IN_SET, _NOT_IN_SET, _PAIRS):
        return not any(pt.is_nested(one) for one in types)
    if kind in (_GREATER, _EQUAL, _DIFFERENT):
        return len({_family(one) for one in types}) == 1
    return kind == _SUM and {_family(one) for one in types} == {"number"}


def evaluate(expectation: Expectation, chunk: pa.Table) -> Finding:
    """Judge every row of a chunk; positions are those in the chunk."""
    import numpy as np
    import pyarrow as pa

    rows, selected = selected_rows(expectation.kwargs, chunk)
    columns = [rows.column(name) for name in expectation.named]
    judged = _judged(expectation, columns)
    bad = np.flatnonzero(judged & ~_CHECKS[expectation.kind](expectation.kwargs, columns))
    taken = [to_python(one.take(pa.array(bad[:N_EXAMPLES], pa.int64()))) for one in columns]
    examples = tuple(readable(v[0] if len(v) == 1 else v) for v in zip(*taken, strict=True))
    return Finding(
        success=not len(bad),
        row_wise=True,
        n_rows=int(judged.sum()),
        n_bad=len(bad),
        positions=bad if selected is None else selected[bad],
        examples=examples,
    )


def _judged(expectation: Expectation, columns: list[pa.ChunkedArray]) -> Mask:
    """Return the rows that are judged: those whose missing values are not to be ignored."""
    import numpy as np

    missing = np.stack([is_missing(one) for one in columns])
    ignored = expectation.kwargs.get("ignore_row_if")
    if ignored in ("neither", "never"):
        return np.ones(missing.shape[1], np.bool_)
    some = ignored in ("either_value_is_missing", "any_value_is_missing")
    left_out: Mask = (np.any if some else np.all)(missing, axis=0)
    return ~left_out


def _family(kind: pa.DataType) -> str:
    """Name the types whose values are compared with each other."""
    import pyarrow.types as pt

    if pt.is_integer(kind) or pt.is_floating(kind):
        return "number"
    if pt.is_date(kind) or pt.is_timestamp(kind):
        return "time" if getattr(kind, "tz", "UTC") else "local time"
    return str(kind)


def _true(mask: pa.ChunkedArray) -> Mask:
    import pyarrow.compute as pc

    found: Mask = pc.fill_null(mask, fill_value=False).to_numpy()
    return found.copy() if not found.flags.writeable else found


def _between(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    return _true(Limits.of(kwargs).mask(columns[0]))


def _in_set(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    return _true(members(columns[0], kwargs["value_set"]))


def _not_in_set(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    return ~_in_set(kwargs, columns)


def _greater(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    less, equal = _order(columns[1], columns[0])
    return less | equal if kwargs.get("or_equal") else less


def _equal(_: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    return _order(*columns)[1]


def _in_pairs(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    import numpy as np

    found = np.zeros(len(columns[0]), np.bool_)
    for pair in kwargs["value_pairs_set"]:
        sides = zip(columns, pair, strict=True)
        found |= np.logical_and.reduce([_is(column, value) for column, value in sides])
    return found


def _is(column: pa.ChunkedArray, value: Any) -> Mask:
    return is_missing(column) if value is None else _true(members(column, [value]))


def _sums_to(kwargs: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    """Add whole numbers of any size; a row with a missing value has no sum."""
    import numpy as np
    import pyarrow.types as pt

    total = kwargs["sum_total"]
    there = ~np.any([is_missing(one) for one in columns], axis=0)
    if all(pt.is_integer(one.type) for one in columns):
        sums = sum((_wide(one) for one in columns), start=0)
        equal: Mask = np.asarray(sums == total, np.bool_)
        return np.asarray(there & equal, np.bool_)
    rows = zip(*(one.to_pylist() for one in columns), strict=True)
    found = [bool(ok) and _adds_up(row, total) for ok, row in zip(there, rows, strict=True)]
    return np.array(found, np.bool_)


def _wide(column: pa.ChunkedArray) -> Any:
    """Return whole numbers that do not overflow where some are large."""
    import numpy as np
    import pyarrow.compute as pc

    values = pc.fill_null(column, 0).to_numpy()
    large = len(values) and max(abs(int(values.min())), abs(int(values.max()))) > _EXACT_DOUBLE
    return values.astype(object if large else np.int64)


def _adds_up(row: tuple[Any, ...], total: Any) -> bool:
    """Compare as doubles are added, but for whole numbers that no double holds."""
    if any(isinstance(value, int) and abs(value) > _EXACT_DOUBLE for value in row):
        finite = all(is_number(value) and abs(value) != float("inf") for value in row)
        return finite and sum(map(Fraction, row)) == total
    return bool(sum(row) == total)


def _all_different(_: dict[str, Any], columns: list[pa.ChunkedArray]) -> Mask:
    """Return where no value comes twice in a row; two missing ones are the same."""
    import numpy as np

    different = np.ones(len(columns[0]), np.bool_)
    missing = [is_missing(one) for one in columns]
    for i, left in enumerate(columns):
        for j in range(i):
            different &= ~(_order(left, columns[j])[1] | (missing[i] & missing[j]))
    return different


def _order(left: pa.ChunkedArray, right: pa.ChunkedArray) -> tuple[Mask, Mask]:
    """Return where the left value is less than the right one, and where they are equal."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_date(left.type) or pt.is_date(right.type):
        left, right = (pc.cast(one, pa.timestamp("us", tz="UTC")) for one in (left, right))
    a, b = left, right
    mixed = pt.is_floating(left.type) != pt.is_floating(right.type)
    if mixed:
        a, b = (pc.cast(one, pa.float64(), safe=False) for one in (left, right))
    less, equal = _true(pc.less(a, b)), _true(pc.equal(a, b))
    if mixed:  # whole numbers that were rounded are compared again, one by one
        whole = b if pt.is_floating(left.type) else a
        beyond = _true(pc.greater_equal(pc.abs(whole), _EXACT_DOUBLE))
        at = np.flatnonzero(beyond & ~is_missing(left) & ~is_missing(right))
        few = pa.array(at, pa.int64())
        pairs = list(zip(left.take(few).to_pylist(), right.take(few).to_pylist(), strict=True))
        less[at] = [one < other for one, other in pairs]
        equal[at] = [one == other for one, other in pairs]
    return less, equal


_CHECKS: dict[str, Callable[[dict[str, Any], list[pa.ChunkedArray]], Mask]] = {
    _BETWEEN: _between,
    _IN_SET: _in_set,
    _NOT_IN_SET: _not_in_set,
    _GREATER: _greater,
    _EQUAL: _equal,
    _PAIRS: _in_pairs,
    _SUM: _sums_to,
    _DIFFERENT: _all_different,
}
