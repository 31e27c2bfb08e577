"""``mlops lake``: look after the tables without losing what a model was made from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mlops_airflow.commands.connections import connect

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake, Pin

__all__ = ["app"]

# At most this number of holders of pins are named per table.
_NAMED = 4
_WAY_OUT = (
    "Nothing was removed: a version may pin what would go. Start MLflow (`mlops up`) or fix what "
    "is named above; --ledger-only goes on with the pins in the ledger, which has those of every "
    "training that this ledger has seen."
)

app = typer.Typer(help="Look after the tables of the lake.", no_args_is_help=True)
app.callback()(connect)

Tables = Annotated[list[str] | None, typer.Argument(help="Tables; all of them by default.")]


@app.command()
def optimize(tables: Tables = None) -> None:
    """Gather commit records and checkpoint the logs, so that reading stays quick."""
    from mlops_tasks.lake import optimize as optimize_table

    lake = _lake()
    sheet = Table("table", "records gathered", "checkpoint at version", "log files removed")
    for name in track(tables or lake.tables(), "optimizing", transient=True):
        done = optimize_table(lake.table(name))
        counts = (done.rolled_up, done.checkpoint_version, done.removed)
        sheet.add_row(done.table, *map(str, counts))
    Console().print(sheet)


@app.command()
def vacuum(
    tables: Tables = None,
    keep_days: Annotated[int, typer.Option(help="Keep what was known in the last days.")] = 30,
    dry_run: Annotated[bool, typer.Option(help="Only report what would be removed.")] = False,
    ledger_only: Annotated[bool, typer.Option(help="Go on without the pins in MLflow.")] = False,
) -> None:
    """Remove data files that no pin, no current partition and no recent day needs."""
    from mlops_tasks.lake import vacuum as vacuum_table

    lake, ledger, registry = _lake(), _ledger_pins(), {} if ledger_only else _registry_pins()
    pins = registry | ledger
    removed = "would be removed" if dry_run else "removed"
    sheet, held = Table("table", removed, "bytes", "kept, and why"), list[str]()
    for name in track(tables or lake.tables(), "vacuuming", transient=True):
        done = vacuum_table(lake.table(name), pins=pins, keep_days=keep_days, dry_run=dry_run)
        kept = ", ".join(f"{n} {why}" for why, n in sorted(done.kept.items()))
        sheet.add_row(done.table, str(len(done.removed)), f"{done.removed_bytes:,}", kept)
        held += _held(name, done.held_by)
    Console().print(sheet)
    Console().print(*held, sep="", end="", soft_wrap=True)
    counts = f"{len(registry)} registered versions and {len(ledger)} trainings in the ledger"
    Console().print(f"The pins of {counts} were respected.")


@app.command()
def verify() -> None:
    """Read every row that a pin of the ledger names and prove that it is what was pinned."""
    from mlops_tasks.exceptions import MlopsError

    lake, failed = _lake(), 0
    pins = [pin for held in _ledger_pins().values() for pin in held]
    for pin in track(pins, "verifying pins", transient=True):
        try:
            lake.table(pin.table).verify_pin(pin)
        except MlopsError as error:
            failed += 1
            Console(stderr=True).print(str(error))
    if failed:
        raise typer.Exit(1)
    Console().print("Every pinned row is what was pinned.")


@app.command()
def commits(
    table: Annotated[str, typer.Argument(help="The table.")],
    partition: Annotated[str | None, typer.Argument(help="Only this partition.")] = None,
) -> None:
    """List what was committed, as of when it counts as known, by what, and when it really was."""
    found = _lake().table(table).all_commits()
    sheet = Table("partition", "version", "rows", "known at", "by", "committed", "digest")
    for one in sorted(found, key=lambda commit: (commit.partition, commit.version)):
        if partition in (None, one.partition):
            really = (one.known_by or "not recorded", one.committed_at or "not recorded")
            cells = (one.partition, one.version, one.n_rows, one.known_at, *really, one.digest[:12])
            sheet.add_row(*map(str, cells))
    Console().print(sheet)


def _lake() -> Lake:
    from mlops_airflow.hooks.lake import LakeHook

    return LakeHook().get_conn()


def _ledger_pins() -> dict[str, list[Pin]]:
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.maintenance import ledger_pins

    return ledger_pins(LedgerHook().get_ledger())


def _registry_pins() -> dict[str, list[Pin]]:
    """Return the pins of registered versions, by version; none where no MLflow is configured."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from mlops_airflow.hooks.mlflow import MlflowHook
    from mlops_tasks.exceptions import UnknownPinsError
    from mlops_tasks.maintenance import registered_pins

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds, not four minutes
    try:
        return registered_pins(MlflowHook().get_conn())
    except AirflowNotFoundException as error:
        Console(stderr=True).print(f"No registered version is asked for its pins: {error}.")
        return {}
    except UnknownPinsError as error:
        Console(stderr=True).print(f"{error}\n{_WAY_OUT}", soft_wrap=True)
        raise typer.Exit(1) from error


def _held(table: str, held_by: dict[str, int]) -> list[str]:
    """Return who holds the pinned files of a table, registered versions first."""
    named = [f"{holder} ({n})" for holder, n in list(held_by.items())[:_NAMED]]
    more = [f"{len(held_by) - _NAMED} more"] if len(held_by) > _NAMED else []
    return [f"{table}: pinned by {', '.join(named + more)}\n"] if named else []
