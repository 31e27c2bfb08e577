"""``mlops doctor``: what of this Airflow is not as the loop needs it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor import Finding

__all__ = ["doctor"]

_STDOUT = 1
_CODES = {"fine": 0, "alarm": 1, "cannot tell": 3}
_STYLES = {"fine": "green", "alarm": "red", "cannot tell": "yellow"}


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False
) -> None:
    """Say what is missing in the Airflow of this environment, where, and how to set it.

    Exit code 0: all is fine; 1: something is not; 3: something cannot be known.
    """
    connect()
    from mlops_airflow.doctor import examine, worst

    with _silence():
        findings = examine()
    answer = worst(findings)
    if as_json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        typer.echo(json.dumps({"answer": answer, "findings": rows}, indent=2))
    else:
        _print(findings)
    raise typer.Exit(_CODES[answer])


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop what Airflow logs while it is looked at, some of it to the standard output itself."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        sys.stdout.flush()
        os.dup2(kept, _STDOUT)
        os.close(nowhere)
        os.close(kept)


def _print(findings: list[Finding]) -> None:
    console = output()
    table = Table(box=None, pad_edge=False)
    for head in ("check", "answer", "found", "place"):
        table.add_column(head, overflow="fold")
    for one in findings:
        answer = f"[{_STYLES[one.answer]}]{one.answer}[/]"
        table.add_row(escape(one.check), answer, escape(one.found), escape(one.place))
    console.print(table)
    counts = (f"{sum(one.answer == name for one in findings)} {name}" for name in _CODES)
    console.print(f"\n{', '.join(counts)}")
    if fixes := [one for one in findings if one.fix]:
        console.print("\nHow to set it:")
    for one in fixes:  # never wrapped: it is there to be copied
        console.print(f"  {one.check}: {one.fix}", markup=False, soft_wrap=True)
