"""Common cells of two profiles of one column: bins of numbers, or categories."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.columns import is_categories
from mlops_tasks.exceptions import SchemaMismatchError

if TYPE_CHECKING:
    import numpy.typing as npt

    from mlops_tasks.drift.columns import Categories, Floats, Numbers

    Edges = int | npt.ArrayLike

__all__ = ["OTHER", "category_cells", "cell_counts", "cut_edges", "same_kind"]

OTHER = "(other)"
"""Name of the cell of all categories that were not counted one by one."""


def same_kind(reference: Numbers | Categories, current: Numbers | Categories) -> None:
    """Refuse to compare categories with numbers.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Two profiles.

    Raises
    ------
    SchemaMismatchError
        If one holds categories and the other numbers.
    """
    if is_categories(reference) != is_categories(current):
        raise SchemaMismatchError(
            f"the reference profile is {reference.kind}, the current one {current.kind}: they "
            "cannot be compared; profile both as the same type, or leave the column out"
        )


def cell_counts(
    reference: Numbers | Categories, current: Numbers | Categories, bins: Edges = 10
) -> tuple[Floats, Floats]:
    """Count both samples in the same cells.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Two profiles of one column.
    bins : int or array-like of float, default 10
        For numbers: how many bins of equal reference share, or the inner edges in the column's
        unit; a value on an edge belongs to the bin below. Ties may leave fewer bins.

    Returns
    -------
    tuple of array
        Rows per cell, reference and current. Categories are in the order of their names, the last
        cell holds the uncounted ones, if there are any. Missing values are in no cell.

    Raises
    ------
    SchemaMismatchError
        If one holds categories and the other numbers.
    """
    same_kind(reference, current)
    if is_categories(reference) and is_categories(current):
        _, old, new = category_cells(reference, current)
        return old, new
    edges = cut_edges(reference, bins) if isinstance(bins, int) else np.unique(bins)  # type: ignore[arg-type]
    return _in_bins(reference, edges), _in_bins(current, edges)  # type: ignore[arg-type]


def category_cells(reference: Categories, current: Categories) -> tuple[list[str], Floats, Floats]:
    """Count the rows of both samples by category.

    Parameters
    ----------
    reference, current : Categories
        Two profiles of one column.

    Returns
    -------
    tuple
        Names in order, the last being `OTHER` if a side has uncounted ones, and rows of each,
        reference and current.
    """
    names = sorted(reference.counts.keys() | current.counts.keys())
    sides = [[*map(dict(s.counts).get, names, repeat(0))] for s in (reference, current)]
    if reference.n_other or current.n_other:
        names.append(OTHER)
        sides[0].append(reference.n_other)
        sides[1].append(current.n_other)
    return names, np.array(sides[0], dtype=float), np.array(sides[1], dtype=float)


def cut_edges(reference: Numbers, n_bins: int) -> Floats:
    """Cut bins that hold equal shares of a reference.

    Parameters
    ----------
    reference : Numbers
        Profile with at least one finite value.
    n_bins : int
        Bins wanted, at least 2.

    Returns
    -------
    array of float
        Inner edges, in the column's unit, increasing.
    """
    return np.unique(reference.quantiles(np.arange(1, n_bins) / n_bins))


def _in_bins(column: Numbers, edges: Floats) -> Floats:
    if not column.n_finite:
        return np.zeros(len(edges) + 1)
    below = np.concatenate([[0.0], column.cdf(edges), [1.0]])
    return np.diff(below) * column.n_finite
