"""``mlops new``: look at a source and write a model project that runs on it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output
from mlops_airflow.stack.exceptions import StackError
from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.recorded_connections import record_connection
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.status import Status

    from mlops_tasks.scaffold import Draft, Location, Written
    from mlops_tasks.scaffold.answers import Question
    from mlops_tasks.sources import Connection

__all__ = ["new"]

_CI = Literal["github", "gitlab", "none"]
_console = Console(soft_wrap=True, highlight=False)


def new(
    model: Annotated[str, typer.Argument(help="Name of the model, such as late_orders.")],
    *,
    source: Annotated[
        str,
        typer.Option(help="SQLite file, folder of files, database URL, or a connection's id."),
    ] = "",
    table: Annotated[
        str,
        typer.Option(help="Table with the rows, or folder of their files in the source."),
    ] = "",
    query: Annotated[str, typer.Option(help="Query for the rows, in place of a table.")] = "",
    label_table: Annotated[
        str, typer.Option(help="Table or folder with the labels, if it is another one.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="Column or SQL expression to predict, such as 'delay > 15'.")
    ] = "",
    problem_type: Annotated[
        str, typer.Option(help="binary, multiclass or regression; by the target.")
    ] = "",
    time: Annotated[str, typer.Option(help="Column with the row's own moment.")] = "",
    key: Annotated[str, typer.Option(help="Columns that identify a row, with commas.")] = "",
    grain: Annotated[str, typer.Option(help="Partitions: hour, day, week or month.")] = "",
    timezone: Annotated[str, typer.Option(help="Zone of days, and of times without one.")] = "",
    delay: Annotated[str, typer.Option(help="When labels are known, such as 2d.")] = "",
    first: Annotated[str, typer.Option(help="First partition to take; the first there is.")] = "",
    ignore: Annotated[list[str] | None, typer.Option(help="Column not to take.")] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(help="Column that is known at the row's moment."),
    ] = None,
    conn_id: Annotated[str, typer.Option(help="Id of the connection; <model>_source.")] = "",
    dags: Annotated[
        Path | None, typer.Option(help="Folder of the projects; Airflow's Dag folder by default.")
    ] = None,
    ci: Annotated[
        _CI | None, typer.Option(help="File for continuous integration; by the git remote.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Look at a source, say what it seems to be, and write a model project that runs.

    What is not given is found in the data, or asked on a terminal. Files that are there are never
    overwritten: run it again to have missing ones written.
    """
    from mlops_airflow.projects import projects_folder
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.scaffold import Answers, check_model_name, draft, locate, write_files

    logging.disable(logging.WARNING)  # what matters of it is in the table
    try:
        settings = StackSettings.from_env()
        connect()
        folder = (dags or projects_folder()).resolve()
        check_model_name(model, folder)
        status = Console(stderr=True, highlight=False).status("looking at the source")
        ask = _asker(status, as_json=as_json)
        with status:
            if not source:
                source = ask(
                    _question("--source", "Where are the rows? A SQLite file, folder or URL")
                )
            answers = Answers(
                model,
                table=table,
                query=query,
                label_table=label_table,
                target=target,
                problem_type=problem_type,
                time_column=time,
                key=tuple(name.strip() for name in key.split(",") if name.strip()),
                grain=grain,
                timezone=timezone,
                delay=delay,
                first=first,
                ignore=tuple(ignore or ()),
                known=tuple(known or ()),
            )
            location = locate(source, conn_id or f"{model}_source", _defined)
            kind = _ci_of(folder) if ci is None else None if ci == "none" else ci
            made = draft(answers, location, folder, ci=kind, ask=ask, watch=status.update)
        recorded = not location.is_new or record_connection(
            settings.connections_file, location.connection.conn_id, location.as_json()
        )
        written = write_files(made.files)
    except (MlopsError, StackError) as error:
        _fail(str(error))
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        _print_json(made, written)
        return
    _show_found(made)
    _show_written(written)
    _show_connection(location, settings, recorded=recorded)
    _show_next(model, folder, made)


def _question(option: str, text: str) -> Question:
    from mlops_tasks.scaffold.answers import Question

    return Question(option, text)


def _asker(status: Status, *, as_json: bool) -> Callable[[Question], str]:
    """Return what asks a person at a terminal, and refuses elsewhere."""
    from mlops_tasks.exceptions import ScaffoldError

    def ask(question: Question) -> str:
        choices = ", ".join(question.choices)
        if as_json or not sys.stdin.isatty():
            one_of = f"; there are {choices}" if choices else ""
            raise ScaffoldError(f"{question.text} Say it with {question.option}{one_of}")
        status.stop()  # it would write over what is typed
        if choices:
            _console.print(f"{question.text}\n  {choices}", markup=False)
        text = question.option.removeprefix("--") if choices else question.text
        answer = str(typer.prompt(text)).strip()
        status.start()
        return answer

    return ask


def _defined(conn_id: str) -> Connection | None:
    """Return a connection of Airflow, or None."""
    from mlops_airflow.hooks.connections import defined_connection
    from mlops_tasks.exceptions import SourceAccessError

    if not conn_id.replace("_", "").replace("-", "").isalnum():
        return None
    try:
        return defined_connection(conn_id)
    except SourceAccessError:
        return None


def _ci_of(dags: Path) -> Literal["github", "gitlab"]:
    """Return what runs checks where the repository is pushed to."""
    command = ["git", "-C", str(dags if dags.is_dir() else Path.cwd()), "remote", "-v"]
    try:
        remotes = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return "github"
    return "gitlab" if "gitlab" in remotes else "github"


def _show_found(made: Draft) -> None:
    table = Table("", "found", "because", box=None, pad_edge=False)
    for one in made.found:
        why = f"{one.why} [{one.option}]" if one.option else one.why
        table.add_row(one.what, escape(one.value), escape(why))
    output().print(table)


def _show_written(written: Sequence[Written]) -> None:
    _console.print()
    for one in written:
        path = os.path.relpath(one.path)
        note = "  (yours is left as it is)" if one.state == "differs" else ""
        _console.print(f"{one.state:8} {path}{note}", markup=False)


def _show_connection(location: Location, settings: StackSettings, *, recorded: bool) -> None:
    conn_id = location.connection.conn_id
    if not location.is_new:
        _console.print(f"\nConnection {conn_id} is used as it is defined.", markup=False)
        return
    file = os.path.relpath(settings.connections_file)
    if not recorded:
        _console.print(
            f"\nConnection {conn_id} leads elsewhere in {file} and was left as it is; correct it "
            "there, or give another --conn-id.",
            markup=False,
        )
        return
    shown = json.loads(location.as_json())
    if "password" in shown:
        shown["password"] = "***"  # noqa: S105
    definition = shlex.quote(json.dumps(shown))
    _console.print(
        f"\nConnection {conn_id} is in {file}, which mlops and its stack read. Elsewhere:\n"
        f"  airflow connections add {conn_id} --conn-json {definition}",
        markup=False,
    )
    record = read_record(settings.record_file)
    if record and record.components:
        _console.print("The stack that runs takes it at its next start: mlops down, mlops up")


def _show_next(model: str, dags: Path, made: Draft) -> None:
    from mlops_airflow.projects import projects_folder

    folder = os.path.relpath(dags / model)
    others = dags != projects_folder().resolve()
    where = f"MLOPS_DAGS_FOLDER={os.path.relpath(dags)} " if others else ""
    _console.print(
        f"\nNext: read {folder}/spec.py, then\n  pytest {folder}\n  {where}mlops check {model}\n"
        f"  {where}mlops try {model}",
        markup=False,
    )
    if ended := next((one.value for one in made.found if one.what == "end"), ""):
        _console.print(
            f"\nThe newest rows are of {ended}, so the spec has an `end`: its Dags take nothing "
            "after it. If more rows come, take both `end` lines out.",
            markup=False,
        )


def _print_json(made: Draft, written: Sequence[Written]) -> None:
    found: list[dict[str, Any]] = [
        {"what": one.what, "value": one.value, "why": one.why, "option": one.option}
        for one in made.found
    ]
    files = [{"path": str(one.path), "state": one.state} for one in written]
    _console.print(json.dumps({"found": found, "files": files}, indent=2), markup=False)


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"mlops: {text}", markup=False)
    raise typer.Exit(1)
