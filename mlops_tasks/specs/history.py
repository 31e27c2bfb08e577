"""What a partition is compared with: the published ones before it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlops_tasks.specs.base import SpecModel

__all__ = [
    "CategoryGrowthSpec",
    "FreshnessSpec",
    "HistorySpec",
    "KeyOverlapSpec",
    "RowCountSpec",
]

Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["critical", "warning", "info"]


class RowCountSpec(SpecModel):
    """The row count against the trailing partitions: their median and their robust spread.

    Attributes
    ----------
    severity : str
        ``critical``, ``warning`` or ``info``.
    spreads : float
        Fails when the count lies further from the median than this many spreads; the spread is
        1.4826 times the median absolute deviation, the standard deviation of a normal sample.
    min_change : float
        Never fails on a smaller share of the median than this.
    """

    severity: Severity = "warning"
    spreads: float = Field(default=5.0, gt=0)
    min_change: float = Field(default=0.5, ge=0)


class FreshnessSpec(SpecModel):
    """The newest value of a time column against the end of the partition's day.

    The day ends at midnight of the dataset's `timezone`, UTC without one.

    Attributes
    ----------
    column : str
        A timestamp column of the contract.
    max_age_h : float
        Fails when the newest value is older than this many hours at the end of the day.
    severity : str
        ``critical``, ``warning`` or ``info``.
    """

    column: str
    max_age_h: float = Field(default=24.0, gt=0)
    severity: Severity = "warning"


class KeyOverlapSpec(SpecModel):
    """The share of keys that the partitions right before this one have too.

    Attributes
    ----------
    max_share : float
        Fails above: events must not come twice.
    min_share : float
        Fails below: a snapshot must know most of the things of the day before.
    partitions : int
        How many partitions before this one are looked at.
    severity : str
        ``critical``, ``warning`` or ``info``.
    """

    max_share: Share = 1.0
    min_share: Share = 0.0
    partitions: int = Field(default=1, ge=1, le=366)
    severity: Severity = "warning"


class CategoryGrowthSpec(SpecModel):
    """Values of category columns that no trailing partition had.

    Attributes
    ----------
    columns : tuple of str
        Columns of the contract.
    max_new : int
        Fails when a column has more new values than this.
    severity : str
        ``critical``, ``warning`` or ``info``.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    max_new: int = Field(default=0, ge=0)
    severity: Severity = "warning"


class HistorySpec(SpecModel):
    """Checks of a partition against the published ones before it; None leaves one out.

    Attributes
    ----------
    window : int
        Trailing partitions that are looked at.
    min_partitions : int
        With fewer the answer is "too little history to tell".
    row_count : RowCountSpec or None
        On by default.
    freshness, key_overlap, categories : FreshnessSpec, KeyOverlapSpec, CategoryGrowthSpec or None
        Off by default.
    """

    window: int = Field(default=14, ge=1, le=366)
    min_partitions: int = Field(default=5, ge=1)
    row_count: RowCountSpec | None = RowCountSpec()
    freshness: FreshnessSpec | None = None
    key_overlap: KeyOverlapSpec | None = None
    categories: CategoryGrowthSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_partitions > self.window:
            raise ValueError("min_partitions must not be larger than window")
        return self
