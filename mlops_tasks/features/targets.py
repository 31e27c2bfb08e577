"""Targets: a SQL condition over the label rows, and the rows that it is known for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_repeatable
from mlops_tasks.personal import redacted_row

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.specs import ModelSpec

__all__ = ["TARGET", "build_targets", "join_targets"]

TARGET = "y"
_POSITION = "__row"
_HIGHEST = "__highest"
_ENDS = {"min": TARGET, "max": _HIGHEST}


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
        Key and ``y``, 0 or 1, each key once; rows whose condition is null are left out: they are
        unknown.

    Raises
    ------
    FeatureError
        If the condition does not run, reads the clock or is none (its type must be BOOLEAN), or if
        it is true and false for rows of one key.
    """
    keys = ", ".join(f'"{name}"' for name in spec.key)
    condition = spec.label.positive
    with (
        connect() as connection,
        explained(_label_place(spec), connection, has_personal=spec.has_personal) as ask,
    ):
        check_repeatable(_label_place(spec), connection, condition)
        connection.register("labels", labels)
        found = ask(f"SELECT {keys}, (\n{condition}\n) AS {TARGET} FROM labels")  # noqa: S608
        kind = str(found.types[-1])
        if kind != "BOOLEAN":
            raise FeatureError(
                f"{_label_place(spec)} gives {kind} and must be true or false; write a condition, "
                "such as <column> > 0"
            )
        known = found.filter(f"{TARGET} IS NOT NULL")
        ends = ", ".join(f"{end}({TARGET})::BIGINT AS {name}" for end, name in _ENDS.items())
        targets = known.aggregate(f"{keys}, {ends}", keys).order(keys).to_arrow_table()
    _refuse_contradictions(spec, targets)
    return targets.drop_columns([_HIGHEST])


def _refuse_contradictions(spec: ModelSpec, targets: pa.Table) -> None:
    import pyarrow.compute as pc

    both = targets.filter(pc.not_equal(targets.column(TARGET), targets.column(_HIGHEST)))
    if both.num_rows:
        first = both.select(list(spec.key)).slice(0, 1).to_pylist()[0]
        raise FeatureError(
            f"{_label_place(spec)} is true and false for rows of one key, of {both.num_rows} keys, "
            f"first {redacted_row(spec, first)}: the key of {spec.rows.name!r} must distinguish "
            f"the rows of {spec.label.dataset.name!r}"
        )


def join_targets(spec: ModelSpec, rows: pa.Table, targets: pa.Table) -> pa.Table:
    """Keep the rows whose target is known, and add it as ``y``.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows, targets : Table
        From `build_features` or a predictions partition, and from `build_targets`.

    Returns
    -------
    Table
        Ordered by key; without rows if no target is known.
    """
    import pyarrow as pa

    # By position: a join of Arrow takes lists, structs and the like in no column.
    positions = pa.array(range(rows.num_rows), pa.int64())
    keyed = rows.select(list(spec.key)).append_column(_POSITION, positions)
    both = keyed.join(targets, keys=list(spec.key), join_type="inner").sort_by(
        [(name, "ascending") for name in spec.key]
    )
    return rows.take(both.column(_POSITION)).append_column(TARGET, both.column(TARGET))


def _label_place(spec: ModelSpec) -> str:
    return f"model {spec.name!r}: label condition {spec.label.positive!r}"
