"""The files of a project: what a person would have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import Duration
from mlops_tasks.scaffold.python_text import Call, Code, assigned, import_line, imports
from mlops_tasks.scaffold.source_text import labels_source, renamed, rows_source
from mlops_tasks.scaffold.sql_text import column_sql
from mlops_tasks.scaffold.test_text import test_module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.plan import Plan

__all__ = ["project_files"]

_IGNORED = """# Only dag.py builds Dags; the other files are imported by it, or by a test.
__init__.py
model.py
spec.py
test_*.py
"""


def project_files(plan: Plan) -> dict[str, str]:
    """Return the text of each file but the suites, by its path below the project's folder."""
    name = plan.model
    return {
        "__init__.py": f'"""The {name} model: {_question(plan)}."""\n',
        "spec.py": _spec(plan),
        "features.sql": _features(plan),
        "model.py": plan.estimator.text,
        "dag.py": _dag(plan),
        f"test_{name}.py": test_module(plan),
        ".airflowignore": _IGNORED,
    }


def _question(plan: Plan) -> str:
    return f"{', '.join(plan.target.columns)} of {plan.rows_name}"


def _spec(plan: Plan) -> str:
    rows, labels = _rows(plan), _labels(plan)
    model = _model(plan)
    used = {"DatasetSpec", "InputSpec", "LabelSpec", "ModelSpec"}
    for call in (rows, labels, model):
        used |= {item.name for item in call.arguments.values() if isinstance(item, Call)}
    used -= {"date"}
    blocks = [
        f'"""Everything that is unique to the {plan.model} model."""',
        "",
        "from datetime import date",
        "from pathlib import Path",
        "",
        import_line("mlops_tasks.specs", sorted(used)),
        "",
        "HERE = Path(__file__).parent",
        "",
        assigned(plan.rows_name.upper(), rows),
        "",
        assigned(plan.labels_name.upper(), labels),
        "",
        assigned("MODEL", model),
        "",
    ]
    return "\n".join(blocks)


def _rows(plan: Plan) -> Call:
    when = plan.moments.column
    at = f"at {when.name}" if when else "when their partition begins"
    described = f"What is known of {plan.rows_name} {at}."
    source = rows_source(plan)
    return _dataset(plan, plan.rows, plan.rows_name, described, source, plan.rows_columns)


def _labels(plan: Plan) -> Call:
    words = plan.labels.delay.words
    described = f"What came of {plan.rows_name}, known {words} later."
    rows, source = plan.target.rows, labels_source(plan)
    call = _dataset(plan, rows, plan.labels_name, described, source, plan.labels_columns)
    late = {"delay": str(plan.labels.delay)}
    if plan.labels.refresh_after is not None:
        late["refresh_after"] = str(plan.labels.refresh_after)
    return Call(call.name, {**call.arguments, **late})


def _dataset(
    plan: Plan,
    rows: Rows,
    name: str,
    described: str,
    source: Call,
    columns: Sequence[Column],
) -> Call:
    moments = plan.moments
    arguments: dict[str, object] = {"name": name, "description": described, "source": source}
    if moments.grain.name != "day":
        arguments["grain"] = moments.grain.name
    arguments["columns"] = {one.name: one.declared for one in columns}
    if rename := renamed(source, list(columns)):
        arguments["rename"] = rename
    arguments["key"] = plan.key
    if personal := tuple(one.name for one in columns if one.is_personal):
        arguments["personal"] = personal
    if moments.states_zone:
        arguments["timezone"] = moments.timezone
    if _has_others(rows, source, columns):
        arguments["extra_columns"] = "ignore"
    if convert := {one.name: one.convert for one in columns if one.convert}:
        arguments["convert"] = convert
    arguments["expectations"] = Code(f'HERE / "expectations" / "{name}.json"')
    arguments["start"] = moments.first
    if moments.has_ended:
        arguments["end"] = moments.last
    return Call("DatasetSpec", arguments)


def _has_others(rows: Rows, source: Call, columns: Sequence[Column]) -> bool:
    """Whether the source gives columns that this dataset must not have."""
    if "query" in source.arguments:
        return False
    return bool(set(rows.loaded.types) - {one.source_name for one in columns})


def _model(plan: Plan) -> Call:
    roles = plan.roles
    arguments: dict[str, object] = {
        "name": plan.model,
        "description": f"Predicts {_question(plan)}.",
        "inputs": (Code(f"InputSpec(dataset={plan.rows_name.upper()})"),),
        "label": Call(
            "LabelSpec",
            {"dataset": Code(plan.labels_name.upper()), "target": plan.target.expression},
        ),
    }
    if plan.target.problem_type != "binary":
        arguments["problem_type"] = plan.target.problem_type
    arguments["features_sql"] = Code('HERE / "features.sql"')
    arguments["as_of"] = plan.as_of
    features = {"categorical": roles.categorical, "numeric": roles.numeric, "text": roles.texts}
    for kind, found in features.items():
        if found:
            arguments[kind] = tuple(one.name for one in found)
    if plan.allowed:
        arguments["allow_leak_suspects"] = plan.allowed
    arguments["estimator"] = f"{plan.model}.model:build"
    arguments |= _windows(plan.windows.changed)
    return Call("ModelSpec", arguments)


def _windows(changed: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in changed.items():
        if isinstance(value, tuple):
            kind, fields = value
            texts = {k: str(v) if isinstance(v, Duration) else v for k, v in fields.items()}
            found[name] = Call(kind, texts)
        else:
            found[name] = str(value)
    return found


def _features(plan: Plan) -> str:
    moment = plan.moment_sql
    items = [
        *(column_sql(name) for name in plan.key),
        f"{moment} AS {plan.as_of}",
        *(one.selected for one in plan.roles.features),
    ]
    lines = ",\n    ".join(items)
    return (
        f"-- What is known at the row's moment, one row per row of {plan.rows_name}.\n"
        f"SELECT\n    {lines}\nFROM {column_sql(plan.rows_name)}\n"
    )


def _dag(plan: Plan) -> str:
    name = plan.model
    ours, own = "from mlops_airflow.lifecycle import build_dags", f"from {name}.spec import MODEL"
    return "\n".join(
        [
            f'"""The Dags of the {name} model, all from its spec."""',
            "",
            *imports([ours], [own], together=plan.is_in_repository),
            "",
            "build_dags(MODEL, namespace=globals())",
            "",
        ]
    )
