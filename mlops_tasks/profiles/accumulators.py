"""Fold a column of Arrow arrays into its profile, chunk by chunk."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from mlops_tasks.profiles.categories import CategoryProfile
from mlops_tasks.profiles.frequent_items import FrequencyAccumulator
from mlops_tasks.profiles.numeric import NumericProfile, merged_moments
from mlops_tasks.profiles.quantiles import QuantileAccumulator
from mlops_tasks.profiles.zero_copy import integers, valid, view

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

__all__ = ["CategoryAccumulator", "NumericAccumulator", "kind_of"]


def kind_of(name: str, type_: pa.DataType) -> Literal["numeric", "category", "time"]:
    """Return the kind of profile that a column of some type has; of other types there is none.

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


class NumericAccumulator:
    """Fold chunks of a column of numbers or of times."""

    def __init__(self, kind: Literal["numeric", "time"]) -> None:
        self._kind = kind
        self._n = self._n_nan = self._n_pos_inf = self._n_neg_inf = self._n_finite = 0
        self._mean = self._second = 0.0
        self._low, self._high = float("inf"), float("-inf")
        self._sketch = QuantileAccumulator()

    def add(self, column: pa.Array) -> None:
        """Fold one chunk."""
        import numpy as np

        values = _doubles(_microseconds(column) if self._kind == "time" else column)
        self._n += len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(values.sum())
            if column.null_count or not np.isfinite(total):
                finite = values[np.isfinite(values)]
                self._count_others(values, len(finite), column.null_count)
                if len(finite):
                    self._fold(finite, _mean(finite, float(finite.sum())))
            elif len(values):
                self._fold(values, total / len(values))

    def finish(self) -> NumericProfile:
        """Return the profile of all chunks."""
        some = self._n_finite > 0
        return NumericProfile(
            kind=self._kind,
            n=self._n,
            n_nan=self._n_nan,
            n_pos_inf=self._n_pos_inf,
            n_neg_inf=self._n_neg_inf,
            mean=self._mean if some else float("nan"),
            second=self._second,
            minimum=self._low if some else float("nan"),
            maximum=self._high if some else float("nan"),
            sketch=self._sketch.finish(),
        )

    def _count_others(self, values: Floats, n_finite: int, n_null: int) -> None:
        import numpy as np

        if n_finite + n_null < len(values):
            self._n_nan += int(np.isnan(values).sum()) - n_null
            self._n_pos_inf += int((values == np.inf).sum())
            self._n_neg_inf += int((values == -np.inf).sum())

    def _fold(self, finite: Floats, mean: float) -> None:
        import numpy as np

        distances = finite - mean
        n = np.array([self._n_finite, len(finite)], np.float64)
        means, seconds = [self._mean, mean], [self._second, float((distances * distances).sum())]
        moments = merged_moments(n, np.array(means), np.array(seconds))
        self._mean, self._second = map(float, moments)
        self._n_finite += len(finite)
        ordered = np.sort(finite)
        self._low = min(self._low, float(ordered[0]))
        self._high = max(self._high, float(ordered[-1]))
        self._sketch.add(ordered)


class CategoryAccumulator:
    """Fold chunks of a column of texts, booleans or dictionary values."""

    def __init__(self) -> None:
        self._n = self._n_null = 0
        self._frequencies = FrequencyAccumulator()

    def add(self, column: pa.Array) -> None:
        """Fold one chunk."""
        values, counts = _distinct(column)
        self._n += len(column)
        self._n_null += len(column) - int(counts.sum())
        if len(values):
            self._frequencies.add(values, counts)

    def finish(self) -> CategoryProfile:
        """Return the profile of all chunks."""
        found = self._frequencies.finish()
        counts = dict(zip(found.values.to_pylist(), found.counts.tolist(), strict=True))
        return CategoryProfile(
            n=self._n,
            n_null=self._n_null,
            counts=MappingProxyType(counts),
            error=found.error,
            is_exact=found.is_exact,
        )


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))


def _doubles(column: pa.Array) -> Floats:
    """Return the values as doubles, NaN for null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    # Integers beyond 2**53 are rounded here.
    doubles = pc.cast(column, pa.float64(), safe=False)
    values: Floats = view(doubles, np.float64)
    return np.where(valid(doubles), values, np.nan) if doubles.null_count else values


def _mean(finite: Floats, total: float) -> float:
    import numpy as np

    mean = total / len(finite)
    if np.isfinite(mean):
        return mean
    # The sum is beyond the largest double; the mean is not.
    return float(np.clip((finite / len(finite)).sum(), finite.min(), finite.max()))


def _microseconds(column: pa.Array) -> pa.Array:
    """Return times as whole microseconds since 1970 in UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    options = pc.CastOptions(pa.timestamp("us", zone), allow_time_truncate=True)
    return pc.cast(pc.cast(column, options=options), pa.int64())


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
