"""``mlops try``: the whole loop of a model over some partitions, in a throw-away lake."""

from __future__ import annotations

import json
import logging
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

__all__ = ["try_model"]

_CANNOT, _INTERRUPTED = 3, 130

Model = Annotated[str, typer.Argument(help="Name of the model.")]
First = Annotated[
    str | None,
    typer.Option("--from", show_default=False, help="First partition; else as many as suffice."),
]
Last = Annotated[
    str | None, typer.Option("--to", show_default=False, help="Last partition; else the newest.")
]
Keep = Annotated[
    Path | None,
    typer.Option(show_default=False, help="Keep lake, ledger and MLflow store in this new folder."),
]


def try_model(
    model: Model,
    first: First = None,
    last: Last = None,
    *,
    keep: Keep = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    trace: Annotated[bool, typer.Option("--traceback", help="Also show an error's trace.")] = False,
) -> None:
    """Run the whole loop of a model over some partitions, without Airflow, and throw it away.

    Ingest, validate, train, gate, register, score, monitor and decide, as the schedules would have;
    sources are only read. Exit code 0: the loop came to a champion; 1: the gate promoted none;
    3: a step could not be done.
    """
    connect()  # before the first import of Airflow, which makes folders in its home
    from mlops_airflow.commands.trial_view import TrialView
    from mlops_airflow.hooks.connections import defined_connection
    from mlops_tasks.trial import try_model as run

    spec = _spec(model)
    logging.disable(logging.WARNING)  # what matters of it is in the report
    # An interrupted trial removes what it has made.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with TrialView(output(stderr=as_json)) as view:
            report = run(
                spec,
                first=first,
                last=last,
                connect=defined_connection,
                keep=keep,
                watch=view.show,
            )
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        view.report(spec, report, keep)
    if trace and report.error is not None:
        traceback.print_exception(report.error)
    raise typer.Exit(report.exit_code)


def _spec(model: str) -> ModelSpec:
    from mlops_airflow.projects import find_model
    from mlops_tasks.exceptions import MlopsError

    try:
        return find_model(model)
    except MlopsError as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"mlops: {text}", markup=False, highlight=False)
    raise typer.Exit(_CANNOT)
