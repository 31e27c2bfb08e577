"""One column of a stream of Arrow arrays, folded into its profile chunk by chunk."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from mlops_tasks.profiles.bridge import integers, valid, view
from mlops_tasks.profiles.columns import CategoryProfile, NumericProfile, TimeProfile
from mlops_tasks.profiles.frequency import FrequencyStream
from mlops_tasks.profiles.moments import Moments
from mlops_tasks.profiles.quantiles import QuantileStream

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

__all__ = ["CategoryStream", "NumericStream", "TimeStream", "kind_of"]

#: From here on, a double has no neighbour at a distance of 1.
_EXACT = 2.0**53


def kind_of(name: str, type_: pa.DataType) -> Literal["numeric", "category", "time"]:
    """Say as what a column is profiled.

    Parameters
    ----------
    name : str
        Name of the column, for the error.
    type_ : DataType
        Its Arrow type.

    Returns
    -------
    str
        ``"numeric"``, ``"category"`` or ``"time"``.

    Raises
    ------
    TypeError
        If there is no profile of such a type.

    Examples
    --------
    >>> import pyarrow as pa
    >>> kind_of("carrier", pa.dictionary(pa.int32(), pa.string()))
    'category'
    """
    import pyarrow.types as pt

    if pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_):
        return "numeric"
    if pt.is_timestamp(type_) or pt.is_date(type_):
        return "time"
    if _is_text(type_) or pt.is_boolean(type_) or pt.is_dictionary(type_) or pt.is_null(type_):
        return "category"
    raise TypeError(
        f"no profile for column {name!r} of type {type_}: cast it to a number, a time or text, "
        "or name the columns to profile without it"
    )


class NumericStream:
    """Fold chunks of a numeric column."""

    def __init__(self) -> None:
        self._n = self._null = self._nan = self._pos_inf = self._neg_inf = self._rounded = 0
        self._low, self._high = float("inf"), float("-inf")
        self._ends: list[int] = []
        self._moments = Moments()
        self._sketch = QuantileStream()
        self._counts_integers = False

    def add(self, column: pa.Array, z: Floats) -> tuple[float, npt.NDArray[np.bool_] | None]:
        """Fold one chunk, and leave its distances from a center in `z`, 0 where there are none.

        Returns the center, and where finite values are unless they are everywhere.
        """
        import numpy as np
        import pyarrow.compute as pc
        import pyarrow.types as pt

        self._counts_integers |= not pt.is_floating(column.type)
        if pt.is_integer(column.type):
            ends = [end.as_py() for end in pc.min_max(column).values()]
            self._ends += [end for end in ends if end is not None]
        values = _doubles(column)
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(values.sum())
            present = None
            if column.null_count or not np.isfinite(total):
                present = np.isfinite(values)
            self._count(column, values, present)
            finite = values if present is None else values[present]
            mean = _mean(finite, total if present is None else None)
            if present is None:
                distances = np.subtract(values, mean, out=z)
            else:
                z.fill(0.0)
                distances = finite - mean
                z[present] = distances
            self._fold(np.sort(finite), Moments.of(finite, mean, distances))
        return mean, present

    def finish(self) -> NumericProfile:
        """Return the profile of all chunks."""
        moments = self._moments
        low, high = (min(self._ends), max(self._ends)) if self._ends else (self._low, self._high)
        return NumericProfile(
            n=self._n,
            n_null=self._null,
            n_nan=self._nan,
            n_pos_inf=self._pos_inf,
            n_neg_inf=self._neg_inf,
            n_rounded=self._rounded,
            minimum=low if moments.n else float("nan"),
            maximum=high if moments.n else float("nan"),
            moments=moments,
            sketch=self._sketch.finish(),
        )

    def _count(
        self, column: pa.Array, values: Floats, present: npt.NDArray[np.bool_] | None
    ) -> None:
        import numpy as np

        self._n += len(values)
        self._null += column.null_count
        if present is not None and not present.all():
            self._nan += int(np.isnan(values).sum()) - column.null_count
            self._pos_inf += int((values == np.inf).sum())
            self._neg_inf += int((values == -np.inf).sum())

    def _fold(self, ordered: Floats, moments: Moments) -> None:
        import numpy as np

        if not len(ordered):
            return
        self._sketch.add(ordered)
        self._moments = Moments.merged([self._moments, moments])
        self._low = min(self._low, float(ordered[0]))
        self._high = max(self._high, float(ordered[-1]))
        if self._counts_integers:
            below, upto = np.searchsorted(ordered, [np.nextafter(-_EXACT, 0), _EXACT])
            self._rounded += int(below) + len(ordered) - int(upto)


class TimeStream:
    """Fold chunks of a column of timestamps or dates."""

    def __init__(self) -> None:
        self._n = self._null = 0
        self._bounds: list[int] = []
        self._moments = Moments()
        self._sketch = QuantileStream()

    def add(self, column: pa.Array) -> None:
        """Fold one chunk."""
        import numpy as np

        self._n += len(column)
        self._null += column.null_count
        times = _microseconds(column.drop_null())
        if not len(times):
            return
        self._bounds = [
            min([*self._bounds, int(times.min())]),
            max([*self._bounds, int(times.max())]),
        ]
        values = np.sort(times).astype(np.float64)
        mean = float(values.mean())
        moments = Moments.of(values, mean, values - mean)
        self._moments = Moments.merged([self._moments, moments])
        self._sketch.add(values)

    def finish(self) -> TimeProfile:
        """Return the profile of all chunks."""
        low, high = self._bounds or (None, None)
        return TimeProfile(self._n, self._null, low, high, self._moments, self._sketch.finish())


class CategoryStream:
    """Fold chunks of a column of texts, booleans or dictionary values.

    Parameters
    ----------
    type_ : DataType
        Of the column.
    """

    def __init__(self, type_: pa.DataType) -> None:
        import pyarrow.types as pt

        self._is_text = _is_text(type_.value_type if pt.is_dictionary(type_) else type_)
        self._n = self._null = self._total = 0
        self._bounds: list[int] = []
        self._frequencies = FrequencyStream()

    def add(self, column: pa.Array) -> None:
        """Fold one chunk."""
        import numpy as np
        import pyarrow.compute as pc

        values, counts = _distinct(column)
        self._n += len(column)
        self._null += len(column) - int(counts.sum())
        if not len(values):
            return
        if self._is_text:
            lengths = view(pc.utf8_length(values), np.int64)
            self._total += int(lengths @ counts)
            self._bounds = [
                min([*self._bounds, int(lengths.min())]),
                max([*self._bounds, int(lengths.max())]),
            ]
        self._frequencies.add(values, counts)

    def finish(self) -> CategoryProfile:
        """Return the profile of all chunks."""
        found = self._frequencies.finish()
        counts = dict(zip(found.values.to_pylist(), found.counts.tolist(), strict=True))
        shortest, longest = self._bounds or (0, 0)
        return CategoryProfile(
            n=self._n,
            n_null=self._null,
            counts=MappingProxyType(counts),
            n_other=self._n - self._null - sum(counts.values()),
            error=found.error,
            is_exact=found.registers is None,
            is_text=self._is_text,
            total_length=self._total,
            min_length=shortest,
            max_length=longest,
            registers=found.registers,
        )


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))


def _doubles(column: pa.Array) -> Floats:
    """Return the values as doubles, NaN for null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    # Integers beyond 2**53 are rounded here, and counted.
    doubles = pc.cast(column, pa.float64(), safe=False)
    values: Floats = view(doubles, np.float64)
    return np.where(valid(doubles), values, np.nan) if doubles.null_count else values


def _mean(finite: Floats, total: float | None) -> float:
    import numpy as np

    if not len(finite):
        return 0.0
    mean = (float(finite.sum()) if total is None else total) / len(finite)
    if np.isfinite(mean):
        return mean
    # The sum is beyond the largest double; the mean is not.
    return float(np.clip((finite / len(finite)).sum(), finite.min(), finite.max()))


def _microseconds(column: pa.Array) -> Counts:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    options = pc.CastOptions(pa.timestamp("us", zone), allow_time_truncate=True)
    return view(pc.cast(column, options=options), np.int64)


def _names(values: pa.Array) -> pa.Array:
    """Return values as text, whole doubles as whole numbers: 1.0 and 1 are the same code."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    texts = pc.cast(values, pa.large_string())
    if not pt.is_floating(values.type):
        return texts
    small = pc.less(pc.abs(values), 2.0**63)
    whole = pc.and_(small, pc.equal(pc.round(values), values))
    digits = pc.cast(pc.if_else(whole, values, None), pa.int64())
    return pc.coalesce(pc.cast(digits, pa.large_string()), texts)


def _distinct(column: Any) -> tuple[pa.Array, Counts]:
    """Return the different values of a column as texts, and how often each occurs."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_dictionary(column.type) and column.dictionary.null_count:
        column = column.dictionary_decode()
    if pt.is_null(column.type) or pt.is_string_view(column.type):
        column = pc.cast(column, pa.large_string())
    if pt.is_floating(column.type):
        # NaN is missing, and there is one zero.
        column = pc.add(pc.if_else(pc.is_nan(column), None, column), pa.scalar(0, column.type))
    if not pt.is_dictionary(column.type):
        column = column.dictionary_encode()
    at = view(pc.cast(column.indices, pa.int64()).drop_null(), np.int64)
    counts = np.bincount(at, minlength=len(column.dictionary))
    values = _names(column.dictionary)
    used = np.flatnonzero(counts)
    if len(used) < len(counts):  # a dictionary may list values that no row has
        values, counts = values.take(integers(used)), counts[used]
    return values, counts
