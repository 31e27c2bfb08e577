"""``mlops contract``: draft what the rows of a dataset should look like."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlops_tasks.lake import Lake
    from mlops_tasks.validation.suggestion import Suggestion

__all__ = ["app"]

app = typer.Typer(help="Contracts and suites of datasets.", no_args_is_help=True)

Target = Annotated[
    Path | None, typer.Option(help="Write the suite to this JSON file; never over another.")
]
Data = Annotated[
    str, typer.Argument(help="Dataset or table of the lake, or <connection>/<dataset>.")
]


@app.callback()
def contract() -> None:
    """Contracts and suites of datasets."""
    connect()


@app.command()
def suggest(
    data: Data,
    first: Annotated[str | None, typer.Option(help="First day to look at, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option(help="Last day to look at, YYYY-MM-DD.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone whose midnights end the days.")] = "UTC",
    personal: Annotated[
        list[str] | None,
        typer.Option(help="Column whose values must not be shown; those of its spec never are."),
    ] = None,
    write: Target = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """Draft a first contract and suite from data in the lake, to be reviewed and committed."""
    from zoneinfo import ZoneInfoNotFoundError

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.validation.suggestion import suggest as draft

    try:
        lake, table = _find(data)
        hides, unknown = _hiding(table.removesuffix("__raw"), personal or ())
        made = draft(lake, table, first=first, last=last, timezone=timezone, hides=hides)
        made = replace(made, notes=(*made.notes, *unknown))
    except MlopsError as error:
        _fail(str(error))
    except ZoneInfoNotFoundError:
        _fail(f"timezone {timezone!r} is unknown; write it like 'Europe/Berlin' or 'UTC'")
    if write is not None:
        _write(write, made)
    if as_json:
        _print(json.dumps(to_json(made), indent=2))
    else:
        _show(made, suite=write is None)


def _find(data: str) -> tuple[Lake, str]:
    """Return the lake and the table: the rows as extracted, if the dataset has them."""
    from mlops_airflow.hooks.lake import LakeHook

    conn_id, _, name = data.rpartition("/")
    lake = (LakeHook(conn_id) if conn_id else LakeHook()).get_conn()
    raw = f"{name}__raw"
    return lake, raw if "__" not in name and lake.exists(raw) else name


def _hiding(
    dataset: str, personal: Collection[str]
) -> tuple[Callable[[str], bool], tuple[str, ...]]:
    """Return which columns are personal: those named, and those of the spec; without it a note."""
    from mlops_airflow.projects import find_dataset
    from mlops_tasks.exceptions import SpecError

    try:
        spec = find_dataset(dataset)
    except SpecError:
        note = (
            f"no spec of {dataset!r} was read: nothing is known to be personal but what "
            "--personal names"
        )
        return lambda column: column in personal, (note,)
    return lambda column: column in personal or spec.hides(column), ()


def _show(made: Suggestion, *, suite: bool) -> None:
    _print(
        f"# Drawn from {made.n_rows:,} rows of {made.table!r}, {made.n_partitions} days from "
        f"{made.first} to {made.last}. Review it before you commit it."
    )
    for note in made.notes:
        _print(f"# Note: {note}")
    _print("\n# Into the dataset's spec:")
    _print("columns={")
    for name, kind in made.columns.items():
        _print(f'    "{name}": "{kind}",')
    _print("},")
    _print(f"key={made.key!r},")
    _print(f"history=HistorySpec({', '.join(f'{k}={v!r}' for k, v in made.history.items())}),")
    if suite:
        _print("\n# The suite, into the file that `expectations` names:")
        _print(_suite_text(made.suite))


def _write(path: Path, made: Suggestion) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_suite_text(made.suite) + "\n")
    except OSError as error:
        _fail(f"{path}: {error.strerror}; nothing was written")
    Console(stderr=True).print(f"Wrote {len(made.suite['expectations'])} expectations to {path}")


def _suite_text(suite: dict[str, Any]) -> str:
    """Return a suite as JSON with a line for each expectation, so that a change is easy to see."""
    items = ",\n".join(
        f"    {json.dumps(item, ensure_ascii=False)}" for item in suite["expectations"]
    )
    return f'{{\n  "name": {json.dumps(suite["name"])},\n  "expectations": [\n{items}\n  ]\n}}'


def _print(text: str) -> None:
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"mlops: {text}", markup=False)
    raise typer.Exit(1)
