"""``mlops history`` and ``mlops served``: who decided, when, and about whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.table import Table
from rich.text import Text

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.registry.history import Delivery, History
    from mlops_tasks.registry.served import Prediction, Served

__all__ = ["history", "served"]

Model = Annotated[str, typer.Argument(help="Registered model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
_EXIT = {"fine": 0, "alarm": 1, "cannot_tell": 3}


def history(
    model: Model,
    verdicts: Annotated[
        bool, typer.Option("--verdicts", help="Also what the gate said, promoted or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a model: who moved its champion, when, why, on what evidence.

    Exit code 0; 3: the ledger does not know the model.
    """
    connect()
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.registry.history import model_history
    from mlops_tasks.serialization import to_json

    try:
        ledger = LedgerHook().get_ledger()
        found, known = model_history(model, ledger=ledger, verdicts=verdicts), ledger.models()
    except MlopsError as error:
        _fail(str(error))
    if not found.moves and model not in known:
        _fail(f"the ledger does not know {model!r}; it knows {', '.join(known) or 'no model'}")
    if as_json:
        output().print_json(json.dumps(to_json(found)))
    else:
        _show_history(found)


def _show_history(found: History) -> None:
    sheet = Table("when (UTC)", "what", "from", "to", "who", "why", "run", "entry", box=None)
    for move in found.moves:
        versions = move.before or "none", move.after or "none"
        texts = (
            move.by or "not recorded",
            move.reason,
            move.dag_run,
            f"{move.seq}:{move.digest[:12]}",
        )
        cells = move.at[:16].replace("T", " "), move.kind, *versions, *texts
        sheet.add_row(*map(Text, cells))
    say = output().print
    say(sheet)
    say(f"Champion of {found.model}: {found.champion or 'none'}", markup=False)
    for line in _delivery_lines(found.delivery):
        say(line, markup=False)


def _delivery_lines(figures: Delivery) -> list[str]:
    def told(value: float | None, text: str) -> str:
        return "cannot tell" if value is None else text

    rate, share = figures.promotions_per_month, figures.share_rolled_back
    lead = told(figures.lead_time_s, f"{_span(figures.lead_time_s)} in the median")
    back = told(figures.time_to_roll_back_s, f"{_span(figures.time_to_roll_back_s)} in the median")
    return [
        f"Promotions: {figures.n_promotions} in {figures.days:.1f} days, "
        f"{told(rate, f'{rate or 0:.1f} a month')}",
        f"From pinned data to promotion: {lead}, of {figures.lead_times}",
        f"From promotion to rollback: {back}, of {figures.n_rollbacks}",
        f"Rolled back: {told(share, f'{share or 0:.0%} of the promoted versions')}",
    ]


def _span(seconds: float | None) -> str:
    minutes = (seconds or 0) / 60
    if minutes < 90:
        return f"{minutes:.1f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def served(
    model: Model,
    at: Annotated[str, typer.Option(help="Time, as 2024-03-16T08:00; UTC without a zone.")],
    key: Annotated[
        list[str] | None, typer.Option(help="Of the row, COLUMN=VALUE; once for each column.")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="Only look into this partition.")] = None,
    table: Annotated[str, typer.Option(help="Table of the predictions, if another one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say which version decided at a time and, with --key, what it said about a row.

    Exit code 0: it is known; 1: another version than a champion has predicted; 3: cannot tell.
    """
    connect()
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.registry.served import served as who_served
    from mlops_tasks.serialization import to_json

    try:
        found = who_served(
            model,
            _time(at),
            ledger=LedgerHook().get_ledger(),
            lake=LakeHook().get_conn(),
            key=_key(key),
            table=table,
            partition=partition,
        )
    except MlopsError as error:
        _fail(str(error))
    if as_json:
        output().print_json(json.dumps(to_json(found)))
    else:
        _show_served(found)
    raise typer.Exit(_EXIT[found.answer])


def _show_served(found: Served) -> None:
    say = output().print
    by = f" by {found.by}" if found.by else ""
    who = f"version {found.version}, champion since {found.since}{by}" if found.version else "none"
    say(f"{found.model} at {found.at}: {who}", markup=False, soft_wrap=True)
    for one in found.predictions:
        say(_predicted(one), markup=False, soft_wrap=True)
        if one.replaced is not None:
            values = ", ".join(f"{k} {v}" for k, v in one.replaced["values"].items())
            gone = f"version {one.replaced['model_version']}: {values}" if values else "not in it"
            when = one.replaced["committed_at"]
            say(f"  replaced by a later scoring, {when}: {gone}", markup=False, soft_wrap=True)
    if found.reason:
        word = "ALARM" if found.answer == "alarm" else "Cannot tell"
        say(f"{word}: {found.reason}", markup=False, soft_wrap=True)


def _predicted(one: Prediction) -> str:
    values = ", ".join(f"{name} {value}" for name, value in one.values.items())
    return (
        f"{one.partition}: version {one.model_version} said {values}; committed "
        f"{one.committed_at or 'at a time that was not recorded'} as version {one.table_version} "
        f"of the table, known at {one.known_at}"
    )


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"--at {text!r} is no time; write 2024-03-16T08:00+00:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _key(parts: list[str] | None) -> dict[str, str] | None:
    if not parts:
        return None
    if wrong := [part for part in parts if "=" not in part]:
        raise typer.BadParameter(f"--key {wrong[0]!r} is no COLUMN=VALUE")
    return dict(part.split("=", 1) for part in parts)


def _fail(text: str) -> NoReturn:
    output(stderr=True).print(f"mlops: {text}", markup=False, soft_wrap=True)
    raise typer.Exit(3)
