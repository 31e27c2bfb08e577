"""The groups that a spec names, found in the rows of the features."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError, SpecError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_expression, check_repeatable
from mlops_tasks.gate.slices import Groups
from mlops_tasks.problem_types import TARGET
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import EstimatorSpec

__all__ = ["bin_names", "find_groups", "labelled_groups"]

_MOST_GROUPS, _TOO_MANY = 20, 1000
_POSITION, _GROUP = "__row", "__group"
_MISSING = "(missing)"


def find_groups(spec: EstimatorSpec, rows: pa.Table) -> list[Groups]:
    """Return the groups of each slice of a model's gate.

    Parameters
    ----------
    spec : EstimatorSpec
        The model.
    rows : Table
        The rows of the features, with the target.

    Returns
    -------
    list of Groups
        Of each slice at most the 20 largest groups, none smaller than ``gate.min_slice_rows``.
        Groups of a personal column are named by their rank, and not by its values.

    Raises
    ------
    SpecError
        If a column is not there, or what should be groups has more than a thousand values.
    FeatureError
        If an expression does not run.
    """
    found = []
    for name, groups in spec.gate.slices.items():
        place = f"model {spec.name!r}: gate.slices {name!r}"
        if isinstance(groups, str):
            values = _values(spec, place, groups, rows)
            hidden = any(spec.hides(word) for word in re.findall(r"\w+", groups))
        else:
            values, hidden = _bins(place, name, groups, rows), spec.hides(name)
        found.append(labelled_groups(name, values, spec.gate.min_slice_rows, place, hidden=hidden))
    return found


def labelled_groups(
    name: str, values: pa.Array, min_rows: int, place: str = "", *, hidden: bool = False
) -> Groups:
    """Return groups of equal values, the largest first.

    Parameters
    ----------
    name : str
        Of the slice.
    values : array of str
        One for each row; null is a group of its own.
    min_rows : int
        Smaller ones are left out.
    place : str
        Where they are named, for the error.
    hidden : bool, default False
        Whether the values must not be shown.

    Returns
    -------
    Groups
        The groups.
    """
    import numpy as np

    coded = values.fill_null(_MISSING).dictionary_encode()
    codes = np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)
    labels = coded.dictionary.to_pylist()
    if len(labels) > _TOO_MANY:
        raise SpecError(
            f"{place} has {len(labels)} different values, and is to have groups: cut a number into "
            f"bins, slices={{{name!r}: (10, 100)}}, or write an expression with few values"
        )
    counts = np.bincount(codes, minlength=len(labels))
    order = sorted(range(len(labels)), key=lambda one: (-counts[one], labels[one]))
    kept = [one for one in order if counts[one] >= min_rows][:_MOST_GROUPS]
    place_of = np.full(len(labels), -1, np.int64)
    place_of[kept] = np.arange(len(kept))
    shown = (
        [f"#{rank}" for rank in range(1, len(kept) + 1)] if hidden else [labels[k] for k in kept]
    )
    return Groups(name, tuple(shown), place_of[codes], len(labels) - len(kept))


def _values(spec: EstimatorSpec, place: str, expression: str, rows: pa.Table) -> pa.Array:
    import pyarrow as pa

    known = rows.drop_columns([TARGET]) if TARGET in rows.column_names else rows
    if expression in known.column_names:
        expression = f'"{expression}"'  # which may be a word of SQL
    check_expression(place, expression)
    shown = " ".join(known.column_names) if spec.has_personal else None
    numbered = known.append_column(_POSITION, pa.array(range(rows.num_rows), pa.int64()))
    with (
        connect() as connection,
        explained(place, connection, known=shown) as ask,
    ):
        check_repeatable(place, connection, expression)
        connection.register("rows", numbered)
        query = f"SELECT {_POSITION}, CAST((\n{expression}\n) AS VARCHAR) AS {_GROUP} FROM rows"  # noqa: S608
        found = ask(query).order(_POSITION).to_arrow_table()
    if found.num_rows != rows.num_rows:
        raise FeatureError(
            f"{place} gives {found.num_rows} values for {rows.num_rows} rows; write an expression "
            "over the columns of one row"
        )
    return found.column(_GROUP).combine_chunks()


def _bins(place: str, column: str, edges: Sequence[float], rows: pa.Table) -> pa.Array:
    import numpy as np
    import pyarrow as pa
    import pyarrow.types as pt

    if column not in rows.column_names:
        raise SpecError(f"{place}: no column {column!r}; {did_you_mean(column, rows.column_names)}")
    kind = rows.schema.field(column).type
    if not (pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)):
        raise SpecError(f"{place}: {column!r} is {kind} and is to be cut into bins: name a number")
    numbers: npt.NDArray[Any] = rows.column(column).cast(pa.float64(), safe=False).to_numpy()
    bins: npt.NDArray[np.int64] = np.searchsorted(edges, numbers, "right")
    names = np.array(bin_names([f"{edge:g}" for edge in edges]), dtype=object)
    return pa.array(names[bins], pa.string(), mask=np.isnan(numbers))


def bin_names(edges: Sequence[str]) -> list[str]:
    """Name the bins that rising edges make; a value on an edge is in the upper one."""
    if not edges:
        return ["all"]
    between = (f"{low} to {high}" for low, high in itertools.pairwise(edges))
    return [f"below {edges[0]}", *between, f"{edges[-1]} and above"]
