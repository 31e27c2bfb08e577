"""``mlops drift``: what moved on which days, as a picture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_tasks.serialization import from_json

__all__ = ["app"]

_DAY = ["%Y-%m-%d"]

app = typer.Typer(help="Look at the drift of a model.", no_args_is_help=True)
app.callback()(connect)


@app.command()
def heatmap(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    file: Annotated[Path, typer.Argument(help="Where to write the PNG.")],
    first: Annotated[
        datetime,
        typer.Option(
            formats=_DAY, show_default=False, help="First day, such as 2013-02-01; else all."
        ),
    ] = datetime.min,
    last: Annotated[
        datetime, typer.Option(formats=_DAY, show_default=False, help="Last day; else all.")
    ] = datetime.max,
) -> None:
    """Draw every feature and the score by day: how far each was from its reference."""
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.drift import DriftReport, draw_heatmap
    from mlops_tasks.exceptions import MlopsError, PartitionNotFoundError
    from mlops_tasks.names import check_name
    from mlops_tasks.reports import newest_facts
    from mlops_tasks.storage import replace_file

    days = [day.date().isoformat() for day in (first, last)]
    try:
        table = f"{check_name(model)}__predictions"
        facts = newest_facts(LakeHook().get_conn().root, table, first=days[0], last=days[1])
        if not facts:
            raise PartitionNotFoundError(
                f"model {model!r} has no drift report from {' to '.join(days)}; the task drift of "
                f"{model}.score writes one when a day is scored"
            )
        reports = [from_json(DriftReport, raw) for raw in facts]
        replace_file(file, draw_heatmap(reports, title=f"Drift of {model}"))
    except MlopsError as error:
        Console(stderr=True).print(str(error), style="red")
        raise typer.Exit(1) from error
    Console().print(f"{len(reports)} windows in {file}")
