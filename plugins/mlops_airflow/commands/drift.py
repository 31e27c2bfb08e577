"""``mlops drift``: what moved when, as a picture."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_tasks.serialization import from_json

__all__ = ["app"]

app = typer.Typer(help="Look at the drift of a model.", no_args_is_help=True)
app.callback()(connect)


@app.command()
def heatmap(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    file: Annotated[Path, typer.Argument(help="Where to write the PNG.")],
    first: Annotated[
        str | None,
        typer.Option(help="First partition, or its day: 2013-02-01, 2024-03-31T05 or 2024-03."),
    ] = None,
    last: Annotated[str | None, typer.Option(help="Last partition, or its day; else all.")] = None,
) -> None:
    """Draw every feature and the score by partition: how far each was from its reference."""
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.drift import DriftReport, draw_heatmap
    from mlops_tasks.exceptions import MlopsError, PartitionNotFoundError
    from mlops_tasks.names import check_name
    from mlops_tasks.partitions import check_partition
    from mlops_tasks.reports import newest_facts
    from mlops_tasks.storage import replace_file

    try:
        table = f"{check_name(model)}__predictions"
        span = {
            name: check_partition(key)
            for name, key in (("first", first), ("last", last))
            if key is not None
        }
        facts = newest_facts(LakeHook().get_conn().root, table, **span)
        if not facts:
            when = "".join(f", {name} {key}" for name, key in span.items())
            raise PartitionNotFoundError(
                f"model {model!r} has no drift report{when}; the task drift of {model}.score "
                "writes one when a partition is scored"
            )
        reports = [from_json(DriftReport, raw) for raw in facts]
        replace_file(file, draw_heatmap(reports, title=f"Drift of {model}"))
    except MlopsError as error:
        Console(stderr=True).print(str(error), style="red")
        raise typer.Exit(1) from error
    Console().print(f"{len(reports)} windows in {file}")
