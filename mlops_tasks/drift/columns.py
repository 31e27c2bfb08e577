"""What drift needs to know of a column; the profiles of `mlops_tasks.profiles` have it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Categories", "Column", "Numbers", "is_categories", "present_rows"]


class Column(Protocol):
    """A column of a profile: rows, and how many of them have no value."""

    @property
    def kind(self) -> str:
        """One of ``numeric``, ``time`` and ``category``."""

    @property
    def n(self) -> int:
        """All rows."""

    @property
    def n_null(self) -> int:
        """Rows without a value."""


class Numbers(Column, Protocol):
    """A column of numbers, or of instants in microseconds, as a sketch."""

    @property
    def n_finite(self) -> int:
        """Rows with a finite value: no null, no NaN, no infinity."""

    @property
    def minimum(self) -> float:
        """Smallest finite value."""

    @property
    def maximum(self) -> float:
        """Largest finite value."""

    @property
    def mean(self) -> float:
        """Mean of the finite values, exact."""

    @property
    def variance(self) -> float:
        """Variance of the finite values, exact."""

    @property
    def rank_error(self) -> float:
        """Largest error of a share that `cdf` returns."""

    def quantiles(self, q: Floats) -> Floats:
        """Return values below which these shares of the finite values lie."""

    def cdf(self, x: Floats) -> Floats:
        """Return the shares of the finite values that are at most `x`."""


class Categories(Column, Protocol):
    """A column of categories: the frequent ones with counts."""

    @property
    def is_exact(self) -> bool:
        """Whether every category was counted."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows by category, of the frequent ones."""

    @property
    def n_other(self) -> int:
        """Rows of all other categories."""


def is_categories(column: Column) -> TypeGuard[Categories]:
    """Tell whether a column holds categories; all others hold numbers.

    Parameters
    ----------
    column : Column
        Profile of the column.

    Returns
    -------
    bool
        True for categories.
    """
    return column.kind == "category"


def present_rows(column: Numbers | Categories) -> int:
    """Count the rows that have a value to compare.

    Parameters
    ----------
    column : Numbers or Categories
        Profile of the column.

    Returns
    -------
    int
        Rows with a finite number, or with any category.
    """
    if is_categories(column):
        return column.n - column.n_null
    return column.n_finite  # type: ignore[union-attr]
