"""Columns boiled down, chunk by chunk, to a few values that GX judges as it judges them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.validation.kinds import How
    from mlops_tasks.validation.suite import Expectation

    Numbers = npt.NDArray[np.float64]

__all__ = ["REDUCED", "Distinct", "Extremes", "Reduction", "reduction_for"]

_MEAN = "expect_column_mean_to_be_between"


class Reduction(Protocol):
    """Takes in a column chunk by chunk and gives a short one in its place.

    Attributes
    ----------
    stands_in : str
        Kind of expectation that judges the short column, where it is not the one asked for.
    """

    stands_in: str

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""

    def column(self) -> pa.ChunkedArray:
        """Return the short column."""


def reduction_for(expectation: Expectation) -> Reduction:
    """Return what boils down the column of an expectation.

    Parameters
    ----------
    expectation : Expectation
        Its `how` is one of `REDUCED`.
    """
    return REDUCED[expectation.how]()


class Extremes:
    """Smallest and largest value of every chunk."""

    stands_in = ""

    def __init__(self) -> None:
        self._parts: list[pa.ChunkedArray] = []

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ends = pc.min_max(_present(values)).as_py()
        self._parts.append(pa.chunked_array([[ends["min"], ends["max"]]], values.type))

    def column(self) -> pa.ChunkedArray:
        """Return two values for every chunk."""
        return _concatenated(self._parts)


class Distinct:
    """Every different value once."""

    stands_in = ""

    def __init__(self) -> None:
        self._seen: pa.ChunkedArray | None = None

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in the next values."""
        import pyarrow.compute as pc

        known = [] if self._seen is None else [self._seen]
        self._seen = _chunked(pc.unique(_concatenated([*known, _chunked(_present(values))])))

    def column(self) -> pa.ChunkedArray:
        """Return the different values, in no order."""
        return self._seen


class _Sums:
    """The sum of every chunk; whole numbers stay whole."""

    stands_in = ""

    def __init__(self) -> None:
        self._parts: list[int | float] = []

    def add(self, values: pa.ChunkedArray) -> None:
        import pyarrow.compute as pc

        total = pc.sum(_present(values)).as_py()
        self._parts.append(0 if total is None else total)

    def column(self) -> pa.ChunkedArray:
        import pyarrow as pa

        return pa.chunked_array([pa.array(self._parts)])


class _Moments:
    """Count and mean of all values; one value with that mean stands for them."""

    stands_in = ""

    def __init__(self) -> None:
        self.n = 0
        self.mean = math.nan
        self._sums: list[float] = []

    def add(self, values: pa.ChunkedArray) -> None:
        self.include(_numbers(values))

    def include(self, numbers: Numbers) -> None:
        if len(numbers):
            self.n += len(numbers)
            self._sums.append(float(numbers.sum()))
            self.mean = math.fsum(self._sums) / self.n

    def column(self) -> pa.ChunkedArray:
        import pyarrow as pa

        return pa.chunked_array([pa.array([self.mean], pa.float64())])


class _Deviation(_Moments):
    """Two values with the standard deviation of all.

    Notes
    -----
    Squared deviations of chunks are added with the term between their means: Chan, Golub, LeVeque
    (1979), Updating Formulae and a Pairwise Algorithm for Computing Sample Variances.
    """

    def __init__(self) -> None:
        super().__init__()
        self._squares = 0.0

    def include(self, numbers: Numbers) -> None:
        if not len(numbers):
            return
        before, mean = self.n, self.mean
        own = float(numbers.mean())
        self._squares += float(((numbers - own) ** 2).sum())
        super().include(numbers)
        if before:
            self._squares += (own - mean) ** 2 * before * len(numbers) / self.n

    def column(self) -> pa.ChunkedArray:
        import pyarrow as pa

        if self.n < 2:  # the deviation of a sample of one is not defined
            return super().column()
        half = math.sqrt(self._squares / (self.n - 1)) / math.sqrt(2)
        return pa.chunked_array([pa.array([self.mean - half, self.mean + half], pa.float64())])


class _SharePresent:
    """One value: the share of rows that have one, of which GX then takes the mean."""

    stands_in = _MEAN

    def __init__(self) -> None:
        self.n_rows = self.n_present = 0

    def add(self, values: pa.ChunkedArray) -> None:
        self.n_rows += len(values)
        self.n_present += len(_present(values))

    def share(self) -> float:
        return self.n_present / self.n_rows if self.n_rows else 0.0

    def column(self) -> pa.ChunkedArray:
        import pyarrow as pa

        return pa.chunked_array([pa.array([self.share()], pa.float64())])


class _ShareDistinct(_SharePresent):
    """One value: the share of different values among those that are not missing."""

    def __init__(self) -> None:
        super().__init__()
        self._distinct = Distinct()

    def add(self, values: pa.ChunkedArray) -> None:
        super().add(values)
        self._distinct.add(values)

    def share(self) -> float:
        return len(self._distinct.column()) / self.n_present if self.n_present else 0.0


#: What boils down the column of an expectation, by how that is made.
REDUCED: dict[How, type[Reduction]] = {
    "extremes": Extremes,
    "sum": _Sums,
    "mean": _Moments,
    "stdev": _Deviation,
    "distinct": Distinct,
    "share_present": _SharePresent,
    "share_distinct": _ShareDistinct,
}


def _present(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Drop nulls and NaN, which pandas takes for the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = values.drop_null()
    if pa.types.is_floating(values.type):
        values = values.filter(pc.invert(pc.is_nan(values)))
    return values


def _numbers(values: pa.ChunkedArray) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    present = _present(values)
    if pa.types.is_boolean(present.type):
        present = pc.cast(present, pa.int8())
    numbers: Numbers = pc.cast(present, pa.float64(), safe=False).to_numpy()
    return numbers


def _chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _concatenated(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    import pyarrow as pa

    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
