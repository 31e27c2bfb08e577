"""Targets: a SQL expression over the label rows, and the rows that it is known for."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_expression, check_repeatable
from mlops_tasks.personal import redacted, redacted_row
from mlops_tasks.problem_types import PROBLEM_TYPES, TARGET, problem_type
from mlops_tasks.profiles.zero_copy import integers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyRelation

    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["TARGET", "add_targets", "build_targets", "join_targets"]

_POSITION = "__row"
_HIGHEST = "__highest"


def build_targets(spec: ModelSpec, labels: pa.Table) -> pa.Table:
    """Turn label rows into targets.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    labels : Table
        Rows of the label dataset.

    Returns
    -------
    Table
        Key and ``y``, each key once: 0 or 1 for a binary model, the name of a class, or a finite
        number. Rows whose target is null are left out: they are unknown.

    Raises
    ------
    FeatureError
        If it is not one expression, does not run, reads the clock or is of a type that is no target
        of the model's problem type, gives a value that cannot be one, or differs for rows of one
        key.
    """
    keys = ", ".join(f'"{name}"' for name in spec.key)
    with _known(spec, labels, spec.key) as known:
        ends = f"min({TARGET}) AS {TARGET}, max({TARGET}) AS {_HIGHEST}"
        targets = known.aggregate(f"{keys}, {ends}", keys).order(keys).to_arrow_table()
    _refuse_contradictions(spec, targets)
    return targets.drop_columns([_HIGHEST])


def add_targets(spec: TableModel, rows: pa.Table) -> pa.Table:
    """Keep the rows of a table whose target, over their own columns, is known; add it as ``y``."""
    import pyarrow as pa

    numbered = rows.append_column(_POSITION, pa.array(range(rows.num_rows), pa.int64()))
    with _known(spec, numbered, (_POSITION,)) as known:
        found = known.order(_POSITION).to_arrow_table()
    return rows.take(found.column(_POSITION)).append_column(TARGET, found.column(TARGET))


@contextmanager
def _known(
    spec: ModelSpec | TableModel, labels: pa.Table, key: Sequence[str]
) -> Iterator[DuckDBPyRelation]:
    """Give key and target of the rows whose target is known, until the context ends."""
    problem, place = problem_type(spec.problem_type), _label_place(spec)
    check_expression(place, spec.target_sql)
    keys = ", ".join(f'"{name}"' for name in key)
    with (
        connect() as connection,
        explained(place, connection, known=_names(spec, labels)) as ask,
    ):
        check_repeatable(place, connection, spec.target_sql)
        # As NaN, which is above every number, zero by zero would be positive: it is unknown.
        for setting in ("ieee_floating_point_ops", "error_on_division_by_zero"):
            connection.execute(f"SET {setting} = false")
        connection.register("labels", labels)
        found = ask(f"SELECT {keys}, (\n{spec.target_sql}\n) AS {TARGET} FROM labels")  # noqa: S608
        kind = str(found.types[-1])
        kept = None if kind.endswith("]") else problem.target_cast(kind)  # a list is no target
        if not kept:
            raise FeatureError(
                f"{place} gives {kind} and must be {problem.target_form}{_fitting(kind)}"
            )
        known = found.filter(f"{TARGET} IS NOT NULL").project(
            f"{keys}, CAST({TARGET} AS {kept}) AS {TARGET}"
        )
        if condition := problem.wrong_target(TARGET):
            _refuse_wrong(spec, known.filter(condition).limit(1).to_arrow_table())
        yield known


def _names(spec: ModelSpec | TableModel, labels: pa.Table) -> str | None:
    """Return the names that an error may show; None where it may show all."""
    return " ".join(labels.schema.names) if spec.has_personal else None


def _fitting(sql_type: str) -> str:
    """Name the problem types that such a target is one of."""
    others = [name for name in PROBLEM_TYPES if problem_type(name).target_cast(sql_type)]
    return f", or the problem_type {' or '.join(map(repr, others))}" if others else ""


def _refuse_wrong(spec: ModelSpec | TableModel, wrong: pa.Table) -> None:
    if wrong.num_rows:
        row = wrong.to_pylist()[0]
        raise FeatureError(
            f"{_label_place(spec)} gives {_shown(spec, row.pop(TARGET))} for "
            f"{redacted_row(spec, row)} and must be "
            f"{problem_type(spec.problem_type).target_form}; null means unknown"
        )


def _shown(spec: ModelSpec | TableModel, target: object) -> str:
    """Return a target's value, unless it is made of a personal column."""
    words = set(re.findall(r"\w+", spec.target_sql)) & set(spec.target_columns)
    return redacted(spec, words, str(target))


def _refuse_contradictions(spec: ModelSpec, targets: pa.Table) -> None:
    import pyarrow.compute as pc

    both = targets.filter(pc.not_equal(targets.column(TARGET), targets.column(_HIGHEST)))
    if both.num_rows:
        row = both.slice(0, 1).to_pylist()[0]
        low, high = (_shown(spec, row.pop(name)) for name in (TARGET, _HIGHEST))
        raise FeatureError(
            f"{_label_place(spec)} is {low} and {high} for rows of one key, of {both.num_rows} "
            f"keys, first {redacted_row(spec, row)}: the key of {spec.rows.name!r} must "
            f"distinguish the rows of {spec.label.dataset.name!r}"
        )


def join_targets(
    spec: ModelSpec, rows: pa.Table, targets: pa.Table, *, by: Sequence[str] = ()
) -> pa.Table:
    """Keep the rows whose target is known, and add it as ``y``.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows, targets : Table
        From `build_features` or the predictions, and from `build_targets`.
    by : sequence of str, optional
        Other columns of the rows to order by, before the key.

    Returns
    -------
    Table
        Ordered by these columns and the key; without rows if no target is known.
    """
    import numpy as np

    # By position: a join of Arrow takes lists, structs and the like in no column.
    positions = integers(np.arange(rows.num_rows))
    keyed = rows.select([*by, *spec.key]).append_column(_POSITION, positions)
    both = keyed.join(targets, keys=list(spec.key), join_type="inner").sort_by(
        [(name, "ascending") for name in (*by, *spec.key)]
    )
    found = both.column(_POSITION).combine_chunks()
    # Predictions lie in this order already: then nothing is copied where all labels are known.
    if not found.equals(positions):
        rows = rows.take(found)
    return rows.append_column(TARGET, both.column(TARGET))


def _label_place(spec: ModelSpec | TableModel) -> str:
    return f"model {spec.name!r}: target {spec.target_sql!r}"
