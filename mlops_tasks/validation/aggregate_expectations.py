"""Expectations about an aggregate of a column, which is taken in chunk by chunk, exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from mlops_tasks.validation.arrow_values import N_EXAMPLES, present_values, readable, to_python
from mlops_tasks.validation.check_outcomes import Finding
from mlops_tasks.validation.limits import Limits, are_comparable, members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.validation.expectation_types import How
    from mlops_tasks.validation.suite import Expectation

    Number = int | float | Fraction

__all__ = ["AGGREGATES", "Aggregate", "Distinct", "Extremes", "number_finding", "supports"]

_INT64_MAX = 2**63 - 1


class Aggregate(Protocol):
    """Takes in a column chunk by chunk, and judges it at the end."""

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""

    def finding(self, expectation: Expectation) -> Finding:
        """Judge all values so far."""


def supports(expectation: Expectation, schema: pa.Schema) -> bool:
    """Return whether an aggregate judges it on this type; otherwise GX does, on a frame."""
    import pyarrow.types as pt

    how = expectation.how
    if how not in AGGREGATES:
        return False
    kind = schema.field(expectation.named[0]).type
    if how == "extremes":
        return are_comparable(kind, Limits.of(expectation.kwargs).given)
    if how in ("sum", "mean", "stdev"):
        return pt.is_boolean(kind) or are_comparable(kind, (0,))
    return not pt.is_nested(kind)


def number_finding(value: Number | None, kwargs: Mapping[str, Any]) -> Finding:
    """Judge one number of a whole column; None and NaN, where there is none, meet no limit."""
    if value is None or value != value:
        return Finding(success=False, observed="null")
    return Finding(Limits.of(kwargs).hold(value), observed=readable(value))


class Extremes:
    """The smallest and the largest value."""

    def __init__(self) -> None:
        self._parts: list[pa.ChunkedArray] = []

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""
        self._parts.append(_ends(present_values(values)))

    def ends(self) -> pa.ChunkedArray:
        """Return the smallest and the largest value; null for no values."""
        return _ends(_concatenated(self._parts))

    def finding(self, expectation: Expectation) -> Finding:
        """Judge the end that the expectation is about."""
        end = self.ends().slice(int("_max_" in expectation.kind), 1)
        (held,) = Limits.of(expectation.kwargs).mask(end).to_pylist()
        return Finding(bool(held), observed=readable(to_python(end)[0]))


class Distinct:
    """Every different value once, and how many values there are."""

    def __init__(self) -> None:
        self._seen: pa.ChunkedArray | None = None
        self._n = 0

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = present_values(values)
        self._n += len(values)
        known = [values] if self._seen is None else [self._seen, values]
        self._seen = pa.chunked_array([pc.unique(_concatenated(known))])

    def column(self) -> pa.ChunkedArray:
        """Return the different values, in no order."""
        return self._seen

    def finding(self, expectation: Expectation) -> Finding:
        """Judge the number of different values or their share, or compare them with a set."""
        kwargs, column = expectation.kwargs, self.column()
        if expectation.how == "share_distinct":
            return number_finding(len(column) / self._n if self._n else 0.0, kwargs)
        if "value_set" not in kwargs:
            return number_finding(len(column), kwargs)
        parts = []
        if not expectation.kind.endswith("_contain_set"):
            parts.append(("unexpected", *_unexpected(column, kwargs["value_set"])))
        if not expectation.kind.endswith("_in_set"):
            parts.append(("missing", *_not_there(column, kwargs["value_set"])))
        lines = [f"{n} {word}: {', '.join(map(readable, some))}" for word, n, some in parts if n]
        return Finding(not lines, observed="; ".join(lines) or "nothing")


class _Sum:
    """The sum or the mean: exact of whole numbers and decimals, of any size."""

    def __init__(self) -> None:
        self._parts: list[Number] = []
        self._n = 0

    def add(self, values: pa.ChunkedArray) -> None:
        values = present_values(values)
        self._parts.append(_sum(values))
        self._n += len(values)

    def finding(self, expectation: Expectation) -> Finding:
        total = _added(self._parts)
        value = total if expectation.how == "sum" else _divided(total, self._n)
        return number_finding(value, expectation.kwargs)


class _Deviation:
    """The standard deviation of a sample.

    Notes
    -----
    Squared deviations of chunks are added with the term between their means: Chan, Golub, LeVeque
    (1979), Updating Formulae and a Pairwise Algorithm for Computing Sample Variances. Whole numbers
    are first moved towards zero by the first of them, so that their last digits count.
    """

    def __init__(self) -> None:
        self._n, self._mean, self._squares = 0, math.nan, 0.0
        self._center: int | None = None

    def add(self, values: pa.ChunkedArray) -> None:
        import numpy as np

        numbers = self._moved(present_values(values))
        if not len(numbers):
            return
        before, n = self._n, len(numbers)
        with np.errstate(all="ignore"):  # of infinities the deviation is NaN, which meets no limit
            own = float(numbers.mean())
            self._squares += float(((numbers - own) ** 2).sum())
            if before:
                self._squares += (own - self._mean) ** 2 * before * n / (before + n)
        self._n = before + n
        self._mean = own if not before else self._mean + (own - self._mean) * n / self._n

    def finding(self, expectation: Expectation) -> Finding:
        """Judge it; that of a single value is not defined."""
        known = self._n > 1 and self._squares >= 0
        value = math.sqrt(self._squares / (self._n - 1)) if known else None
        return number_finding(value, expectation.kwargs)

    def _moved(self, values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_integer(values.type):
            return _doubles(values)
        low, high = (end.as_py() for end in pc.min_max(values).values())
        if low is None:
            return np.zeros(0)
        self._center = low if self._center is None else self._center
        if max(high - self._center, self._center - low) > _INT64_MAX or high > _INT64_MAX:
            return _doubles(values) - float(self._center)
        return np.asarray(values.to_numpy().astype(np.int64) - self._center, np.float64)


class _SharePresent:
    """The share of rows that have a value."""

    def __init__(self) -> None:
        self.n_rows = self.n_present = 0

    def add(self, values: pa.ChunkedArray) -> None:
        self.n_rows += len(values)
        self.n_present += len(present_values(values))

    def finding(self, expectation: Expectation) -> Finding:
        share = self.n_present / self.n_rows if self.n_rows else 0.0
        return number_finding(share, expectation.kwargs)


#: By how an expectation is made.
AGGREGATES: dict[How, type[Aggregate]] = {
    "extremes": Extremes,
    "sum": _Sum,
    "mean": _Sum,
    "stdev": _Deviation,
    "distinct": Distinct,
    "share_present": _SharePresent,
    "share_distinct": Distinct,
}


def _ends(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(values)
    return pa.chunked_array([pa.array([ends["min"], ends["max"]], values.type)])


def _unexpected(column: pa.ChunkedArray, wanted: Sequence[Any]) -> tuple[int, list[Any]]:
    import pyarrow.compute as pc

    found = column.filter(pc.invert(members(column, wanted)))
    return len(found), to_python(found.slice(0, N_EXAMPLES))


def _not_there(column: pa.ChunkedArray, wanted: Sequence[Any]) -> tuple[int, list[Any]]:
    """Return what of a set no row has."""
    import pyarrow.compute as pc

    lost = [v for v in dict.fromkeys(wanted) if not pc.any(members(column, [v])).as_py()]
    return len(lost), lost[:N_EXAMPLES]


def _sum(values: pa.ChunkedArray) -> Number:
    """Add up values that are there; whole numbers and decimals exactly."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_boolean(kind):
        return int(values.cast(pa.int64()).to_numpy().sum())
    if pa.types.is_integer(kind):
        whole = values.to_numpy()
        # Halves of 32 bits: their sums fit 64 bits for up to two thousand million rows.
        return (int((whole >> 32).sum()) << 32) + int((whole & 0xFFFFFFFF).sum())
    if pa.types.is_decimal(kind):
        wide = pc.cast(values, pa.decimal256(76, kind.scale))
        return Fraction(pc.sum(wide, min_count=0).as_py())
    with np.errstate(all="ignore"):  # infinities, and what adds up to one, meet no finite limit
        return float(_doubles(values).sum())


def _added(parts: Sequence[Number]) -> Number:
    if all(isinstance(part, int | Fraction) for part in parts):
        return sum(parts)
    if all(map(math.isfinite, parts)):
        return math.fsum(parts)
    return sum(map(float, parts))


def _divided(total: Number, n: int) -> Number | None:
    if not n:
        return None
    return total / n if isinstance(total, float) else Fraction(total) / n


def _doubles(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    return np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy())


def _concatenated(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    import pyarrow as pa

    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
