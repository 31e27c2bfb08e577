"""``mlops incidents``: what is wrong, who looks after it, and how it ended."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mlops_airflow.commands.asked import REFUSED, JsonOption, fail
from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.policy.incidents import Delivery, Incident, IncidentBook, Timing

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="What is wrong, who looks after it, how it ended.")
Name = Annotated[
    str,
    typer.Argument(
        help="As the list and messages show it, flight_delays/scoring/1; without the number the "
        "newest one.",
        show_default=False,
    ),
]
Note = Annotated[str, typer.Option("--because", help="A word about it; it is kept with your name.")]


@app.command("list")
def list_incidents(
    subject: Annotated[str | None, typer.Argument(help="Model or dataset; all by default.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, show_default=False, help="Write all of them to this page, too."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List open incidents, with how long it takes to detect, take up and recover.

    Exit code 0: none is open; 1: some are; 3: cannot tell.
    """
    from mlops_tasks.policy.incidents import median_timing

    with _book() as book:
        known = book.all(subject=subject, history=True)
    shown = [one for one in known if every or one.is_open]
    figures = median_timing(known)
    if html is not None:
        _write_page(html, known, subject)
    if as_json:
        incidents = [_plain(one) for one in shown]
        _print_json({"incidents": incidents, "medians_s": _seconds(figures)})
    else:
        _show_list(shown, figures, n_all=len(known))
    raise typer.Exit(int(any(one.is_open for one in known)))


@app.command()
def show(name: Name, *, as_json: JsonOption = False) -> None:
    """Show an incident: what it cost, what to do, who was told, and each change.

    Exit code 0: it has ended; 1: it is open; 3: there is none of that name.
    """
    from mlops_tasks.policy.incidents import deliveries_of

    with _book() as book:
        found = book.find(name)
        changes = [
            one for one in book.changes(found.subject, found.cause) if one.number == found.number
        ]
        told = deliveries_of(found, book.ledger)
    if as_json:
        _print_json(_plain(found, changes=changes, told=told))
    else:
        _show(found, changes, told)
    raise typer.Exit(int(found.is_open))


@app.command()
def ack(name: Name, *, because: Note = "", as_json: JsonOption = False) -> None:
    """Say that you look after an incident; exit code 3: it is not open."""
    with _book() as book:
        found = book.acknowledge(book.find(name), getpass.getuser(), because.strip())
    _say(found, f"{found.id} is taken up by {found.acknowledged_by}.", as_json=as_json)


@app.command()
def silence(
    name: Name,
    *,
    length: Annotated[
        str, typer.Option("--for", help="How long, as 12h, 3d or 2w.", show_default=False)
    ],
    because: Note = "",
    as_json: JsonOption = False,
) -> None:
    """Let nobody be told of an incident for a time; it stays open. Exit code 3: it is not open."""
    from mlops_tasks.partitions import Duration

    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        lasting = Duration.of(length)
    except ValueError as error:
        raise typer.BadParameter(f"--for: {error}") from None
    until = (now + (now - lasting.before(now))).replace(tzinfo=UTC)
    with _book() as book:
        found = book.silence(book.find(name), until, getpass.getuser(), because.strip())
    text = f"{found.id} is silent until {until:%Y-%m-%d %H:%M} UTC; it stays open."
    _say(found, text, as_json=as_json)


@app.command()
def close(
    name: Name,
    *,
    because: Annotated[str, typer.Option(help="How it ended.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """End an incident on your word. It opens again only with what was not in it.

    Exit code 3: it is not open.
    """
    if not because.strip():
        raise typer.BadParameter("say how it ended: --because")
    with _book() as book:
        before = book.find(name)
        found = book.close(before, because.strip(), by=getpass.getuser())
        if found is None:
            fail(f"{before.id} has ended already: {book.find(before.id).ended}")
        told = _tell(found, book)
    text = [f"{found.id} is closed.", *(one.text for one in told)]
    _say(found, "\n".join(text), as_json=as_json)


@app.command("test")
def try_channel(
    channel: Annotated[str, typer.Argument(help="As `notify` names it.", show_default=False)],
) -> None:
    """Send a made-up incident to a channel, to see that it arrives; nothing is written down.

    Exit code 0: it was sent; 1: it was not, and why.
    """
    connect()
    from airflow.sdk.exceptions import AirflowException

    from mlops_airflow.notifications.channels import send
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.policy.incidents.text import sample_incident

    try:
        with contextlib.redirect_stdout(sys.stderr):
            send(channel, sample_incident())
    except (MlopsError, AirflowException, OSError) as error:
        fail(f"{channel} was not told: {error}", REFUSED)
    output().print(f"A made-up incident was sent to {channel}.", markup=False)


def _tell(incident: Incident, book: IncidentBook) -> list[Delivery]:
    """Tell those that the spec names, or, where it cannot be read here, nobody: the clock does."""
    from mlops_airflow.notifications.telling import tell
    from mlops_airflow.projects import read_projects

    specs = [one for project in read_projects() for one in (*project.models, *project.datasets)]
    for spec in specs:
        if spec.name == incident.subject:
            return tell([incident], spec.notify, ledger=book.ledger)
    return tell([incident], None, ledger=book.ledger) if incident.subject == "mlops" else []


@contextlib.contextmanager
def _book() -> Iterator[IncidentBook]:
    """Give the incidents of the ledger, and end with a sentence where that is not possible."""
    connect()
    from airflow.sdk.exceptions import AirflowException

    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.policy.incidents import IncidentBook

    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield IncidentBook(LedgerHook().get_ledger(), by=getpass.getuser())
    except (MlopsError, AirflowException) as error:
        fail(str(error))
    finally:
        logging.disable(logging.NOTSET)


def _plain(incident: Incident, **more: Any) -> dict[str, Any]:
    from mlops_tasks.policy.incidents import timing_of
    from mlops_tasks.serialization import to_json

    words = {"id": incident.id, "title": incident.title, "impact": incident.impact}
    return words | to_json(incident) | {"times_s": _seconds(timing_of(incident))} | to_json(more)


def _seconds(timing: Timing) -> dict[str, float | None]:
    return {name: getattr(timing, name) for name in ("detect", "acknowledge", "recover")}


def _show_list(shown: list[Incident], figures: Timing, *, n_all: int) -> None:
    from mlops_tasks.policy.incidents.text import duration

    say = output().print
    if shown:
        sheet = Table("incident", "state", "opened (UTC)", "owner", "impact", box=None)
        for one in shown:
            state = _marks(one) if one.is_open else "closed"
            opened = one.opened_at[:16].replace("T", " ")
            sheet.add_row(*map(Text, (one.id, state, opened, one.owner, one.impact)))
        say(sheet)
    else:
        say("No incident is open.")
    if n_all:
        named = ("detect", "acknowledge", "recover")
        said = [f"to {name} {duration(getattr(figures, name))}" for name in named]
        plural = "" if n_all == 1 else "s"
        text = f"Median time {', '.join(said)}; {n_all} incident{plural}."
        say(text, markup=False, soft_wrap=True)


def _write_page(file: Path, incidents: list[Incident], subject: str | None) -> None:
    from mlops_tasks.storage import replace_file
    from mlops_tasks.timeline import render_incidents

    title = f"Incidents of {subject}" if subject else "Incidents"
    try:
        replace_file(file, render_incidents(incidents, title=title).encode())
    except OSError as error:
        fail(f"{file} cannot be written: {error}")


def _marks(incident: Incident) -> str:
    until = incident.silenced_until
    silent = until and datetime.fromisoformat(until) > datetime.now(UTC)
    return "silenced" if silent else "taken up" if incident.acknowledged_at else "open"


def _show(incident: Incident, changes: list[Incident], told: list[Delivery]) -> None:
    from mlops_airflow.summary import format_summary
    from mlops_tasks.policy.incidents.text import facts

    what = [
        f"{one.changed_at[:16].replace('T', ' ')} UTC {one.change}: {one.impact}" for one in changes
    ]
    said = facts(incident) | {"changes": what, "told": [one.text for one in told] or "nobody yet"}
    for line in format_summary(incident.title, said):
        output().print(line, markup=False, soft_wrap=True)


def _say(incident: Incident, text: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(_plain(incident))
    else:
        output().print(text, markup=False, soft_wrap=True)


def _print_json(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts, indent=2) + "\n")
