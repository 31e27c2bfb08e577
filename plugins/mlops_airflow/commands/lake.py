"""``mlops lake``: look after the tables without losing what a model was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mlops_airflow.commands.connections import connect

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.types import Pin

__all__ = ["app"]

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
        done = optimize_table(lake, name)
        counts = (done.rolled_up, done.checkpoint_version, done.removed)
        sheet.add_row(done.table, *map(str, counts))
    Console().print(sheet)


@app.command()
def vacuum(
    tables: Tables = None,
    keep_days: Annotated[int, typer.Option(help="Keep what was known so many days ago.")] = 30,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be removed.")] = False,
) -> None:
    """Remove data files that no pin, no current partition and no recent day needs."""
    from mlops_tasks.lake import vacuum as vacuum_table

    lake, pins = _lake(), _pins()
    removed = "would be removed" if dry_run else "removed"
    sheet = Table("table", removed, "bytes", "kept, and why")
    for name in track(tables or lake.tables(), "vacuuming", transient=True):
        done = vacuum_table(lake, name, pins=pins, keep_days=keep_days, dry_run=dry_run)
        kept = ", ".join(f"{n} {why}" for why, n in sorted(done.kept.items()))
        sheet.add_row(done.table, str(len(done.removed)), f"{done.removed_bytes:,}", kept)
    Console().print(sheet)
    Console().print(f"{len(pins)} pins of the ledger were respected.")


@app.command()
def verify() -> None:
    """Read every row that a pin of the ledger names and prove that it is what was pinned."""
    from mlops_tasks.exceptions import MlopsError

    lake, failed = _lake(), 0
    for pin in track(_pins(), "verifying pins", transient=True):
        try:
            lake.verify_pin(pin)
        except MlopsError as error:
            failed += 1
            Console(stderr=True).print(str(error))
    if failed:
        raise typer.Exit(1)
    Console().print("Every pinned row is what was pinned.")


def _lake() -> Lake:
    from mlops_airflow.hooks.lake import LakeHook

    return LakeHook().get_conn()


def _pins() -> list[Pin]:
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.types import TrainingPin

    entries = LedgerHook().get_ledger().entries(kind="pin", history=True)
    trainings = [TrainingPin.from_json(entry.evidence) for entry in entries]
    return [pin for training in trainings for pin in (*training.inputs.values(), training.labels)]
