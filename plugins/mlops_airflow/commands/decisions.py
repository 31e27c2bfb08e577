"""``mlops decisions``: every night's answer about a model, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.policy.decisions import DecisionRow

__all__ = ["decisions"]

_WORDS = {"retrain": "retrain", "not_retrained": "not retrained", "cannot_tell": "cannot tell"}


def decisions(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    last: Annotated[int, typer.Option(min=1, help="Show the newest N decisions at most.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Show what was decided about a model, night by night: retrain, not, or nobody can tell.

    Exit code 0; 3: nothing was decided yet.
    """
    connect()
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.policy.decisions import decision_rows
    from mlops_tasks.serialization import to_json

    try:
        rows = decision_rows(model, last, ledger=LedgerHook().get_ledger())
    except MlopsError as error:
        output(stderr=True).print(f"mlops: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(3) from None
    if not rows:
        text = f"mlops: nothing was decided about {model!r} yet; {model}.decide does so"
        output(stderr=True).print(text, markup=False, soft_wrap=True)
        raise typer.Exit(3)
    if as_json:
        output().print_json(json.dumps([to_json(row) for row in rows]))
    else:
        _show(rows)


def _show(rows: list[DecisionRow]) -> None:
    sheet = Table("as of", "answer", "cause", "champion", "because", box=None)
    for row in rows:
        cause = "" if row.cause in ("none", "cannot_tell") else row.cause
        cells = row.as_of, _WORDS[row.answer], cause, row.champion or "none", row.reason
        sheet.add_row(*map(Text, cells))
    output().print(sheet)
    n = {answer: sum(row.answer == answer for row in rows) for answer in _WORDS}
    counted = ", ".join(f"{_WORDS[answer]} {count}" for answer, count in n.items())
    output().print(f"Of {len(rows)}: {counted}", markup=False)
    for helps in rows[-1].help:
        output().print(f"What would help: {helps}", markup=False, soft_wrap=True)
