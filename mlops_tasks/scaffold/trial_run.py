"""A project tried on its own rows before it is written: ingested, validated, made into features."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import MlopsError, ScaffoldError
from mlops_tasks.features import build_features, build_targets, join_targets
from mlops_tasks.features.leaks import leak_suspects
from mlops_tasks.lake import PARTITION_COLUMN, Lake
from mlops_tasks.scaffold.python_text import WIDTH
from mlops_tasks.sources import SOURCES
from mlops_tasks.steps.ingest import ingest, raw_table
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation.suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from mlops_tasks.lake import Table
    from mlops_tasks.registry.versions import LeakSuspect
    from mlops_tasks.scaffold.answers import Assumptions
    from mlops_tasks.scaffold.plan import Plan
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["load_spec", "suites_of"]

_MOST_PARTITIONS = 30
_MOST_ROWS = 200_000
_MOST_VALIDATED = 6


def suites_of(
    plan: Plan, files: Mapping[str, str], noted: Assumptions
) -> tuple[dict[str, str], tuple[LeakSuspect, ...]]:
    """Return the suites of a project, drawn from rows that went through it, and leak suspects.

    Parameters
    ----------
    plan : Plan
        The project.
    files : mapping of str to str
        Its files, by their paths.
    noted : Assumptions
        What was found.

    Raises
    ------
    ScaffoldError
        If its own rows do not go through it, with what stopped them.
    """
    with tempfile.TemporaryDirectory(prefix="scaffold-") as folder:
        project = Path(folder, plan.model)
        suites = {
            f"expectations/{n}.json": _text(n, []) for n in (plan.rows_name, plan.labels_name)
        }
        for name, text in {**files, **suites}.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            return _drawn(plan, project, Lake(Path(folder, "lake")), noted)
        except MlopsError as error:
            raise ScaffoldError(
                f"the rows do not go through the project that they suggest: {error}"
            ) from error


def _drawn(
    plan: Plan, project: Path, lake: Lake, noted: Assumptions
) -> tuple[dict[str, str], tuple[LeakSuspect, ...]]:
    model = load_spec(project / "spec.py")
    source = SOURCES[model.rows.source.kind].from_connection(plan.connection)
    chosen = _chosen(plan)
    suites = {}
    for dataset in model.datasets:
        raws = [
            ingest(dataset, key, source=source, lake=lake, token=1, known_at=dataset.due(key)).raw
            for key in chosen
        ]
        name = f"expectations/{dataset.name}.json"
        suites[name] = _suite(plan, dataset, lake)
        (project / name).write_text(suites[name], encoding="utf-8")
        bad = 0
        # Each takes a while, and the suite is drawn from all of them.
        for raw in raws[:: max(len(raws) // _MOST_VALIDATED, 1)]:
            done = validate(dataset, raw, lake=lake, token=2, known_at=dataset.due(raw.partition))
            bad += done.n_quarantined
        if bad:
            noted.add("note", f"{bad:,} rows of {dataset.name} are quarantined", "see the suite")
    labelled = _labelled(model, lake, chosen)
    noted.add(
        "tried",
        f"{len(chosen)} partitions",
        f"ingested for suites and leaks; {labelled.num_rows:,} rows got features and a target",
    )
    return suites, leak_suspects(model, labelled)


def load_spec(spec: Path) -> ModelSpec:
    """Run the spec under a name that nothing else has."""
    found = importlib.util.spec_from_file_location(f"_scaffold_{spec.parent.name}", spec)
    assert found is not None  # noqa: S101 - it is a file of Python
    assert found.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    model: ModelSpec = module.MODEL
    return model


def _chosen(plan: Plan) -> list[str]:
    """Return the newest partitions whose labels are known, with the largest and the smallest."""
    counts = plan.moments.counts
    keys = list(counts)
    known = keys[: len(keys) - plan.labels.delay.steps(plan.moments.grain)] or keys
    by_size = sorted(known, key=lambda key: counts[key])
    step = max(len(known) // _MOST_PARTITIONS, 1)
    chosen, n_rows = {by_size[0], by_size[-1], known[0]}, 0
    for key in known[::-1][::step][:_MOST_PARTITIONS]:
        n_rows += counts[key]
        if n_rows > _MOST_ROWS:
            break
        chosen.add(key)
    return sorted(chosen)


def _suite(plan: Plan, dataset: DatasetSpec, lake: Lake) -> str:
    """Draft a suite; what it says of personal values stays out of the file."""
    drafted = suggest(
        lake, raw_table(dataset), name=dataset.name, timezone=dataset.timezone or "UTC"
    ).suite["expectations"]
    kept = [one for one in drafted if not _is_hidden(dataset, one["kwargs"])]
    return _text(dataset.name, kept)


def _is_hidden(dataset: DatasetSpec, arguments: Mapping[str, Any]) -> bool:
    column = arguments.get("column")
    return column is not None and (dataset.hides(column) or column not in dataset.columns)


def _text(name: str, expectations: Sequence[Mapping[str, Any]]) -> str:
    """Return a suite as JSON with an expectation a line, or an argument where that is too long."""
    items = ",\n".join(f"    {_item(one)}" for one in expectations)
    body = f"[\n{items}\n  ]" if items else "[]"
    return f'{{\n  "name": {json.dumps(name)},\n  "expectations": {body}\n}}\n'


def _item(one: Mapping[str, Any]) -> str:
    line = json.dumps(one, ensure_ascii=False)
    if len(line) + 5 <= WIDTH:
        return line
    parts = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in one.items()]
    return "{\n      " + ",\n      ".join(parts) + "\n    }"


def _labelled(model: ModelSpec, lake: Lake, partitions: Sequence[str]) -> pa.Table:
    """Make features and targets of the rows as they were ingested, and join them."""
    rows, labels = (
        _read(lake.table(raw_table(one)), partitions) for one in (model.rows, model.label.dataset)
    )
    features = build_features(model, {model.rows.name: rows})
    labelled = join_targets(model, features, build_targets(model, labels))
    if not labelled.num_rows:
        raise ScaffoldError(
            f"no row of {model.rows.name!r} finds its label in {model.label.dataset.name!r}"
        )
    return labelled


def _read(table: Table, partitions: Sequence[str]) -> pa.Table:
    """Read all columns, the key of the partition among them: it may say the rows' moments."""
    columns = list(dict.fromkeys((*table.schema.names, PARTITION_COLUMN)))
    return table.read(first=partitions[0], last=partitions[-1], columns=columns)
