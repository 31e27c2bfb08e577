"""The test of a project: two rows like those of the source, and what becomes of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from mlops_tasks.personal import HIDDEN
from mlops_tasks.scaffold.python_text import Code, assigned, import_line, imports
from mlops_tasks.scaffold.sql_text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.plan import Plan

__all__ = ["test_module"]

_BODY = '''

def table(dataset: DatasetSpec, rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as the first partition of a dataset has them."""
    made = pa.Table.from_pylist(rows, arrow_schema(dataset))
    return made.append_column("partition_key", pa.array([dataset.first] * len(rows)))


def test_dags_parse() -> None:
    """The Dags of the model are built."""
    found = {one.dag_id for one in vars(dag).values() if isinstance(one, DAG)}
    verbs = ("score", "monitor", "decide", "train")
    assert {f"{MODEL.name}.{verb}" for verb in verbs} <= found


def test_rows_become_features_and_labels_targets() -> None:
    """The estimator learns from what two rows and their labels become."""
    rows = build_features(MODEL, {MODEL.rows.name: table(MODEL.rows, ROWS)})
    features = feature_frame(MODEL, rows)
    assert tuple(features.columns) == MODEL.features

    targets = build_targets(MODEL, table(MODEL.label.dataset, LABELS))
    y = targets.column("y").to_pylist()
    assert y == TARGETS

    estimator = build(
        categorical=MODEL.categorical,
        numeric=MODEL.numeric,
TEXT        random_state=0,
    )
    estimator.fit(pd.concat([features] * 30, ignore_index=True), y * 30)
    assert len(estimator.predict(features)) == len(ROWS)
'''


def test_module(plan: Plan) -> str:
    """Return the text of the test."""
    rows, labels, targets = _rows(plan), *_labels(plan)
    constants = [assigned("ROWS", rows), assigned("LABELS", labels), assigned("TARGETS", targets)]
    texts = "\n".join(constants)
    names = [name for name in ("UTC", "date", "datetime") if f"{name}(" in texts or name == "UTC"]
    names = [name for name in names if name != "UTC" or "UTC" in texts]
    first = [f"from {plan.model} import dag"]
    first += [f"from {plan.model}.model import build", f"from {plan.model}.spec import MODEL"]
    functions = ["build_features", "build_targets", "feature_frame"]
    ours = [
        import_line("mlops_tasks.features", functions),
        "from mlops_tasks.specs import DatasetSpec",
        "from mlops_tasks.specs.schema import arrow_schema",
    ]
    lines = [
        f'"""The {plan.model} project: rows like those of its source go through it."""',
        "",
        *([import_line("datetime", names)] if names else []),
        "from typing import Any",
        "",
        "import pandas as pd",
        "import pyarrow as pa",
        "from airflow.sdk import DAG",
        *([""] if plan.is_in_repository else []),
        *imports(ours, first, together=plan.is_in_repository),
        "",
        *constants,
    ]
    text = "        text=MODEL.text,\n" if plan.roles.texts else ""
    return "\n".join(lines) + "\n" + _BODY.replace("TEXT", text)


def _rows(plan: Plan) -> list[object]:
    """Return two rows: numbers from the middle of their range, texts that are common."""
    values = {one.name: _typical(plan, one) for one in plan.rows_columns}
    return [{name: pair[at] for name, pair in values.items()} for at in (0, 1)]


def _typical(plan: Plan, one: Column) -> tuple[object, object]:
    if one.name in plan.key and not one.is_time:
        return (1, 2) if one.kind == "int64" else ("1", "2")
    if plan.moments.column is not None and one.name == plan.moments.column.name:
        return _moments(plan, one, 0)
    if one.is_time:
        return _moments(plan, one, 1)
    if one.is_personal:
        return HIDDEN, HIDDEN
    if one.name in {feature.name for feature in plan.roles.texts}:
        return "a few words", "some other words"
    if one.name in plan.roles.left_out and one.kind == "string":
        return "a", "b"
    found = _two_values(plan.rows, one)
    return (found[0], found[-1]) if found else (None, None)


def _two_values(rows: Rows, one: Column) -> list[object]:
    name, table = quoted(one.name), quoted(rows.table)
    if one.kind in ("int64", "float64"):
        asked = f"SELECT unnest(quantile_disc({name}, [0.25, 0.75])) FROM {table}"
    else:
        asked = (
            f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL "
            f"GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT 2"
        )
    return [row[0] for row in rows.loaded.connection.execute(asked).fetchall()]


def _moments(plan: Plan, one: Column, days_before: int) -> tuple[object, object]:
    day = plan.moments.first - dt.timedelta(days=days_before)
    if one.kind == "date":
        return day, day
    hours = (9, 15)
    first, second = (
        Code(f"datetime({day.year}, {day.month}, {day.day}, {hour}, tzinfo=UTC)") for hour in hours
    )
    return first, second


def _labels(plan: Plan) -> tuple[list[object], list[object]]:
    """Return two labels with different targets, and these targets."""
    rows, expression = plan.target.rows, plan.target.expression
    others = [one for one in plan.labels_columns if one.name not in plan.key]
    names = ", ".join(quoted(one.name) for one in others)
    asked = rows.loaded.connection.sql(
        f"SELECT y, {names} FROM (SELECT ({expression}) AS y, * FROM {quoted(rows.table)}) "
        f"WHERE y IS NOT NULL QUALIFY row_number() OVER (PARTITION BY y ORDER BY {names}) = 1 "
        "ORDER BY y"
    )
    # By Arrow: DuckDB itself gives Python instants by a package that is not there.
    found = [tuple(row.values()) for row in asked.to_arrow_table().to_pylist()]
    picked = [found[len(found) // 4], found[len(found) * 3 // 4]]
    keys: Sequence[dict[str, object]] = [
        {name: _typical(plan, plan.rows.columns[name])[at] for name in plan.key} for at in (0, 1)
    ]
    labels: list[object] = [
        {**key, **{c.name: _shown(c, v) for c, v in zip(others, row[1:], strict=True)}}
        for key, row in zip(keys, picked, strict=True)
    ]
    return labels, [_target(plan, row[0]) for row in picked]


def _shown(one: Column, value: Any) -> object:
    if one.is_personal and value is not None:
        return HIDDEN
    if isinstance(value, dt.datetime):
        at = value.astimezone(dt.UTC)
        return Code(
            f"datetime({at.year}, {at.month}, {at.day}, {at.hour}, {at.minute}, tzinfo=UTC)"
        )
    return value


def _target(plan: Plan, value: Any) -> object:
    if plan.target.problem_type == "binary":
        return int(value)
    return float(value) if plan.target.problem_type == "regression" else str(value)
