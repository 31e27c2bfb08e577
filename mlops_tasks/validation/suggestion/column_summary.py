"""A summary of each column over the rows of several partitions, taken in batch by batch."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

__all__ = ["MAX_CATEGORIES", "ColumnSummary", "contract_type"]

MAX_CATEGORIES = 30
_MAX_VALUES = 2_000
# Limits of doubles are no larger: beyond, there is no room for slack.
_LARGEST = sys.float_info.max
_SHAPES = (
    ("0-9", re.compile(r"[0-9]")),
    ("A-Z", re.compile(r"[A-Z]")),
    ("a-z", re.compile(r"[a-z]")),
)


def contract_type(kind: pa.DataType) -> str | None:
    """Return the contract's name of an Arrow type; None if a contract has none for it.

    Parameters
    ----------
    kind : DataType
        Type of a column in the lake.
    """
    import pyarrow.types as pt

    for name, belongs in (
        ("string", lambda t: pt.is_string(t) or pt.is_large_string(t) or pt.is_string_view(t)),
        ("int64", pt.is_integer),
        ("float64", pt.is_floating),
        ("bool", pt.is_boolean),
        ("timestamp", pt.is_timestamp),
        ("date", pt.is_date),
    ):
        if belongs(kind):
            return name
    return None


@dataclass(slots=True)
class ColumnSummary:
    """One column over all partitions looked at.

    Attributes
    ----------
    name, kind : str
        The column and its type in the contract.
    n_rows, n_null, n_not_finite : int
        Rows, those without a value, and those with NaN or infinity.
    low, high : Any
        Smallest and largest value that is one.
    values : Counter
        Different values, no more than a few thousand, with the number of partitions that have them.
    too_many : bool
        Whether there are more.
    present : list of float
        Share of rows with a value, partition by partition.
    latest : dict of str to Any
        Largest value of each partition that has any.
    """

    name: str
    kind: str
    n_rows: int = 0
    n_null: int = 0
    n_not_finite: int = 0
    low: Any = None
    high: Any = None
    values: Counter[Any] = field(default_factory=Counter)
    too_many: bool = False
    present: list[float] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    _before: tuple[int, int] = (0, 0)
    _newest: Any = None
    _here: set[Any] = field(default_factory=set)

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values of the current partition."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.n_rows += len(values)
        self.n_null += values.null_count
        good = values.drop_null()
        if pa.types.is_floating(good.type):
            finite = good.filter(pc.is_finite(good))
            self.n_not_finite += len(good) - len(finite)
            good = finite
        if not len(good):
            return
        ends = pc.min_max(good).as_py()
        self.low = ends["min"] if self.low is None else min(self.low, ends["min"])
        self.high = ends["max"] if self.high is None else max(self.high, ends["max"])
        self._newest = ends["max"] if self._newest is None else max(self._newest, ends["max"])
        if not self.too_many:
            self._here.update(pc.unique(good).to_pylist())
            self.too_many = len(self._here) > _MAX_VALUES

    def end(self, partition: str) -> None:
        """Close a partition: its share of values, and its largest one."""
        n_rows, n_null = self._before
        rows, nulls = self.n_rows - n_rows, self.n_null - n_null
        self.present.append(1 - nulls / rows if rows else 1.0)
        if self._newest is not None:
            self.latest[partition] = self._newest
        self.values.update(self._here)
        self.too_many = self.too_many or len(self.values) > _MAX_VALUES
        self._newest, self._here = None, set()
        self._before = (self.n_rows, self.n_null)

    @property
    def nullable(self) -> bool:
        """Whether a row without a value was seen."""
        return self.n_null > 0

    @property
    def categories(self) -> list[Any] | None:
        """All values, sorted, if they are few and come again row by row and day by day."""
        if self.too_many or not 0 < len(self.values) <= MAX_CATEGORIES:
            return None
        often = self.n_rows - self.n_null >= 10 * len(self.values)
        again = sum(n_days > 1 for n_days in self.values.values()) >= len(self.values) / 2
        return sorted(self.values) if often and (again or len(self.present) == 1) else None

    @property
    def shape(self) -> str | None:
        """A pattern that all texts fit, if they are of one kind and many; else nothing."""
        if self.kind != "string" or len(self.values) <= MAX_CATEGORIES or self.too_many:
            return None
        texts = [str(text) for text in self.values]
        letters = set("".join(texts))
        classes = [name for name, kind in _SHAPES if any(kind.fullmatch(c) for c in letters)]
        allowed = re.compile(f"[{''.join(classes)}]+") if classes else re.compile(r"(?!)")
        if not all(allowed.fullmatch(text) for text in texts):
            return None
        shortest, longest = min(map(len, texts)), max(map(len, texts))
        times = f"{{{shortest}}}" if shortest == longest else f"{{1,{2 * longest}}}"
        return f"^[{''.join(classes)}]{times}$"

    def range(self) -> tuple[float, float]:
        """Return limits with slack: as much again on both sides.

        Whole numbers stay whole, of any size; those that are never negative stay so, and so does
        what begins at zero.
        """
        low, high = self.low, self.high
        span = (high - low) or max(abs(high), 1)
        lower, upper = low - span, high + span
        if lower < 0 <= low and (self.kind == "int64" or low == 0):
            lower = 0
        if high <= 0:
            upper = min(upper, 0)
        if self.kind == "int64":
            return _rounded_whole(lower), -_rounded_whole(-upper)
        ends = max(float(lower), -_LARGEST), min(float(upper), _LARGEST)
        return _rounded(ends[0], math.floor), _rounded(ends[1], math.ceil)


def _rounded_whole(value: int) -> int:
    """Round a whole number down to two digits, or beyond one of two digits.

    Examples
    --------
    >>> _rounded_whole(4981), -_rounded_whole(-4981), -_rounded_whole(-(2**63)), _rounded_whole(7)
    (4900, 5000, 9300000000000000000, 7)
    """
    step = 10 ** max(len(str(abs(value))) - 2, 0)
    return int(value // step * step)


def _rounded(value: float, whole: Callable[[float], int]) -> float:
    """Round a number to two digits, up or down as `whole` does.

    Examples
    --------
    >>> _rounded(4981.0, math.ceil), _rounded(-0.123, math.floor), _rounded(0.0, math.ceil)
    (5000.0, -0.13, 0.0)
    """
    if not value or abs(value) >= _LARGEST:
        return float(value)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    if not step:  # of the smallest doubles
        return value
    return float(f"{whole(round(value / step, 9)) * step:.12g}")
