"""``mlops check``: what cannot work is found before it runs, in seconds."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.projects import Project
    from mlops_tasks.checks import CheckResult
    from mlops_tasks.specs import ModelSpec

__all__ = ["check"]

_STYLES = {"fine": "green", "alarm": "red", "cannot tell": "yellow"}


def check(
    model: Annotated[
        str | None, typer.Argument(help="Name of a model; without one, all are checked.")
    ] = None,
    *,
    partition: Annotated[
        str | None,
        typer.Option(help="Partition to look at, such as 2024-03-01; by default the newest."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the projects; Airflow's Dag folder by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Look for what cannot work, without training: spec, Dags, data, features, estimator, windows.

    Exit code 0: all is fine; 1: something cannot work; 3: something cannot be known.
    """
    connect()
    from mlops_tasks.checks import exit_code

    checked: dict[str, list[CheckResult]] = {}
    with _quiet():
        for name, results in _check_all(model, partition, folder):
            checked[name] = results
            if not as_json:
                _print(name, results)
    everything = [result for results in checked.values() for result in results]
    if as_json:
        sys.stdout.write(json.dumps(_as_json(checked), indent=2) + "\n")
    raise typer.Exit(exit_code(everything))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what steps log and libraries warn of away: the table says it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(before)


def _check_all(
    model: str | None, partition: str | None, folder: Path | None
) -> Iterator[tuple[str, list[CheckResult]]]:
    """Check the asked model or all; a project that cannot be read is reported beside the others."""
    from mlops_airflow.projects import projects_folder, read_projects
    from mlops_tasks.checks import CheckResult
    from mlops_tasks.spelling import did_you_mean

    folder = (folder or projects_folder()).resolve()
    projects = read_projects(folder)
    found: dict[str, tuple[Project, ModelSpec]] = {}
    for project in projects:
        found.update({one.name: (project, one) for one in project.models})
        # The folder of a project is mostly called as its model.
        if project.error and model in (None, project.name):
            yield project.name, [CheckResult("spec", project.name, "alarm", project.error)]
    if model is not None and model not in found:
        if model in {project.name for project in projects if project.error}:
            return
        known = did_you_mean(model, found)
        text = f"there is no model {model!r} in {folder}; {known}"
        yield model, [CheckResult("spec", f"model {model!r}", "alarm", text)]
        return
    for name, (project, spec) in found.items():
        if model in (None, name):
            yield name, list(_check_one(project, spec, folder, partition))


def _check_one(
    project: Project, spec: ModelSpec, folder: Path, partition: str | None
) -> Iterator[CheckResult]:
    import tempfile

    from mlops_airflow.hooks.source import SourceHook
    from mlops_tasks.checks import CheckResult, Sample, check_model
    from mlops_tasks.lake import Lake

    file = project.file.relative_to(folder)
    yield CheckResult("spec", str(file), "fine", "imports, and every spec in it is valid")
    yield from _check_dags(project, spec, folder)
    with tempfile.TemporaryDirectory(prefix="check-") as lake:
        look = Sample(
            spec,
            Lake(Path(lake)),
            lambda source: SourceHook(source.conn_id).get_source(source),
            partition=partition,
        )
        yield from check_model(look)


def _check_dags(project: Project, spec: ModelSpec, folder: Path) -> Iterator[CheckResult]:
    """Import the Dag files of the project as Airflow would, and look for the model's Dags."""
    from airflow.sdk import DAG

    from mlops_airflow.projects import explain_load, load_module
    from mlops_tasks.checks import CheckResult

    built = set()
    for path in sorted(project.file.parent.glob("*.py")):
        if "airflow" not in path.read_text("utf-8", "replace"):
            continue
        try:
            values = vars(load_module(folder, path)).values()
        except Exception as error:  # a project's own code may fail with anything
            where = str(path.relative_to(folder))
            yield CheckResult("dags", where, "alarm", explain_load(error, folder))
            return
        built |= {value.dag_id for value in values if isinstance(value, DAG)}
    ours = sorted(one for one in built if one.startswith(f"{spec.name}."))
    where = f"{project.file.parent.name}/dag.py"
    if not ours:
        fix = "call build_dags(<the model>, namespace=globals()) there"
        text = f"no file of the project builds the Dags of {spec.name!r}"
        yield CheckResult("dags", where, "alarm", text, fix)
        return
    yield CheckResult("dags", where, "fine", f"builds {', '.join(sorted(built))}")


def _print(name: str, results: list[CheckResult]) -> None:
    table = Table("check", "where", "answer", "what", box=None, title=name, title_justify="left")
    table.columns[1].overflow = table.columns[3].overflow = "fold"
    for one in _folded(results):
        text = escape(one.message) + (f"\n[dim]Fix: {escape(one.fix)}[/]" if one.fix else "")
        answer = f"[{_STYLES[one.answer]}]{one.answer}[/]"
        table.add_row(one.check, escape(one.where), answer, text)
    console = output()
    console.print(table)
    console.print()


def _folded(results: list[CheckResult]) -> list[CheckResult]:
    """Make one line of all that was not looked at because of the same mistake."""
    from dataclasses import replace

    kept = [one for one in results if not one.follows]
    for text in dict.fromkeys(one.message for one in results if one.follows):
        same = [one for one in results if one.follows and one.message == text]
        names = ", ".join(dict.fromkeys(one.check for one in same))
        first = same[0]
        kept.append(replace(first, check=f"{len(same)} others", where=names) if same[1:] else first)
    return kept


def _as_json(checked: dict[str, list[CheckResult]]) -> dict[str, Any]:
    from mlops_tasks.checks import exit_code

    everything = [result for results in checked.values() for result in results]
    return {
        "exit_code": exit_code(everything),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "models": {name: [asdict(one) for one in results] for name, results in checked.items()},
    }
