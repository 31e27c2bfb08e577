"""What is known of one column: numbers, moments in time, or categories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from mlops_tasks.profiles.distinct import estimate_distinct

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.profiles.moments import Moments
    from mlops_tasks.profiles.quantiles import Quantiles

    Floats = npt.NDArray[np.float64]

__all__ = ["CategoryProfile", "ColumnProfile", "NumericProfile", "TimeProfile"]


class _Ordered:
    """What numbers and times have in common: moments, and a summary of their order."""

    __slots__ = ()

    moments: Moments
    sketch: Quantiles

    @property
    def n_finite(self) -> int:
        """Rows with a finite number, or with a time."""
        return self.moments.n

    @property
    def mean(self) -> float:
        """Mean of these values; NaN of none."""
        return self.moments.mean if self.moments.n else float("nan")

    @property
    def variance(self) -> float:
        """Mean squared distance of these values from their mean; NaN of none."""
        return self.moments.second / self.moments.n if self.moments.n else float("nan")

    @property
    def rank_error(self) -> float:
        """Largest error of `cdf`, in share of these values."""
        return self.sketch.rank_error

    def cdf(self, x: npt.ArrayLike) -> Floats:
        """Return the share of these values that are at most x.

        Parameters
        ----------
        x : array-like of float
            In the column's own unit; times are microseconds since 1970 in UTC.

        Returns
        -------
        array of float64
            In [0, 1], off by `rank_error` at most; NaN for NaN, and when there are no values.
        """
        return self.sketch.cdf(x)


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile(_Ordered):
    """Numbers: integers, floats and decimals, all as doubles.

    Attributes
    ----------
    n, n_null, n_nan, n_pos_inf, n_neg_inf : int
        Rows, and how many of them hold no finite number, by kind.
    n_rounded : int
        Integers and decimals beyond 2**53: a double cannot tell such a number from its neighbours,
        so identifiers of that size belong into a text column.
    minimum, maximum : int or float
        Of the finite values; of whole numbers of up to 64 bits exact. NaN when there are none.
    moments : Moments
        Of the finite values.
    sketch : Quantiles
        Of the finite values.
    """

    n: int
    n_null: int
    n_nan: int
    n_pos_inf: int
    n_neg_inf: int
    n_rounded: int
    minimum: int | float
    maximum: int | float
    moments: Moments
    sketch: Quantiles

    kind: ClassVar[Literal["numeric"]] = "numeric"

    @property
    def skew(self) -> float:
        """Third standardised moment of the finite values; NaN when they do not vary."""
        if not self.variance > 0:
            return float("nan")
        return float(self.moments.third / self.moments.n / self.variance**1.5)

    def quantiles(self, q: npt.ArrayLike) -> Floats:
        """Return the values below or at which the shares q of the finite values lie.

        Parameters
        ----------
        q : array-like of float
            In [0, 1]; 0 gives the minimum and 1 the maximum, exactly.

        Returns
        -------
        array of float64
            Values that occurred, nothing interpolated; NaN when there are none.
        """
        return _between(self.sketch.quantiles(q), q, float(self.minimum), float(self.maximum))


@dataclass(frozen=True, slots=True, eq=False)
class TimeProfile(_Ordered):
    """Timestamps and dates, as microseconds since 1970 in UTC; without a zone, UTC is taken.

    Attributes
    ----------
    n, n_null : int
        Rows, and those without a time.
    minimum, maximum : int or None
        First and last moment, exactly; None when there are none.
    moments : Moments
        Of the microseconds.
    sketch : Quantiles
        Of the microseconds; beyond the year 2255 rounded to some microseconds.
    """

    n: int
    n_null: int
    minimum: int | None
    maximum: int | None
    moments: Moments
    sketch: Quantiles

    kind: ClassVar[Literal["time"]] = "time"

    def quantiles(self, q: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the moments at or before which the shares q of the times lie.

        Parameters
        ----------
        q : array-like of float
            In [0, 1].

        Returns
        -------
        array of int64
            Microseconds; empty when there are no times.
        """
        import numpy as np

        if self.minimum is None or self.maximum is None:
            return np.zeros(0, np.int64)
        found = self.sketch.quantiles(q).astype(np.int64)
        return np.where(
            np.asarray(q) == 0, self.minimum, np.where(np.asarray(q) == 1, self.maximum, found)
        )


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """Texts, booleans (``false``, ``true``) and whatever a dictionary holds, as text.

    Attributes
    ----------
    n, n_null : int
        Rows, and those without a value.
    counts : mapping of str to int
        Values by falling count; all of them when `is_exact`, else the frequent ones. Those of a
        partition are right to the row, those of a merge may each lack up to `error`.
    n_other : int
        Rows with a value that is not in `counts`.
    error : int
        No value has more rows than its count, or 0 when it has none, plus this.
    is_exact : bool
        Whether every value is in `counts`.
    total_length, min_length, max_length : int
        Characters of all texts, of the shortest and of the longest; 0 for no text, and
        meaningless unless `is_text`.
    is_text : bool
        Whether the values are texts.
    registers : array of uint8, optional
        From which `n_distinct` is estimated; None when `is_exact`.
    """

    n: int
    n_null: int
    counts: Mapping[str, int]
    n_other: int
    error: int
    is_exact: bool
    is_text: bool = False
    total_length: int = 0
    min_length: int = 0
    max_length: int = 0
    registers: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    kind: ClassVar[Literal["category"]] = "category"

    @property
    def n_distinct(self) -> int:
        """Number of different values: exact with `is_exact`, else within about 2.3 %."""
        return len(self.counts) if self.registers is None else estimate_distinct(self.registers)

    @property
    def mean_length(self) -> float | None:
        """Mean number of characters; None when there is no text."""
        present = self.n - self.n_null
        return self.total_length / present if self.is_text and present else None


ColumnProfile = NumericProfile | CategoryProfile | TimeProfile


def _between(found: Floats, q: npt.ArrayLike, low: float, high: float) -> Floats:
    import numpy as np

    share = np.asarray(q, dtype=np.float64)
    return np.where(share == 0, low, np.where(share == 1, high, found))
