"""``mlops quarantine``: let quarantined rows back in, after a fix."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_tasks.partitions import today

if TYPE_CHECKING:
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import Readmission

__all__ = ["app"]

app = typer.Typer(help="Rows in quarantine.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option(help="Folder of the model projects; Airflow's Dag folder by default."),
]


@app.callback()
def quarantine() -> None:
    """Rows in quarantine."""
    connect()


@app.command()
def readmit(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    partition: Annotated[str, typer.Option(help="The day, YYYY-MM-DD.")],
    dags: Folder = None,
) -> None:
    """Validate a day again with what its suite and contract say now, and publish what passes."""
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_airflow.projects import find_dataset
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.registry.ledger import EvidenceKind
    from mlops_tasks.steps.ingest import raw_table
    from mlops_tasks.steps.validate import readmit as validate_again
    from mlops_tasks.validation import quarantine_table

    ledger, lake = LedgerHook().get_ledger(), LakeHook().get_conn()
    try:
        spec = find_dataset(dataset, dags)
        tables = lake.table(spec.name), lake.table(quarantine_table(spec))
        done = validate_again(
            spec,
            partition,
            raw_table=raw_table(spec),
            lake=lake,
            token=ledger.next_token(above=max(table.newest_token(partition) for table in tables)),
            known_at=today(spec.timezone),
        )
    except MlopsError as error:
        _fail(str(error))
    evidence = {"n_before": done.n_before, "n_readmitted": done.n_readmitted}
    ledger.record(
        # Not a "validation": the next run of the Dag then sees news, and emits its event.
        model=spec.name,
        kind=EvidenceKind.READMISSION,
        key=partition,
        evidence={**done.result.evidence(), **evidence},
        dag_run="mlops quarantine readmit",
        by=getpass.getuser(),
    )
    _show(spec, done)


def _show(spec: DatasetSpec, done: Readmission) -> None:
    print_line = Console(soft_wrap=True).print
    published = done.result.published
    back = f"{done.n_readmitted} of {done.n_before} rows readmitted"
    print_line(f"{spec.name} {published.partition}: {back}")
    print_line(
        f"Published {published.n_rows} rows as {published.table} version {published.version}"
    )
    if done.result.n_quarantined:
        print_line(f"Still quarantined: {done.result.n_quarantined} rows")
        for reason, n_rows in sorted(done.still.items()):
            print_line(f"  {n_rows} × {reason}", markup=False)
    print_line(f"Report: {done.result.report}", markup=False)
    print_line(
        f"Models do not know yet: trigger {spec.name}.ingest with the partition key "
        f"{published.partition} to start what depends on it.",
        markup=False,
    )


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"mlops: {text}", markup=False)
    raise typer.Exit(1)
