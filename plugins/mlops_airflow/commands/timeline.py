"""``mlops timeline``: all that was measured and decided about a model, on one page."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from mlops_airflow.commands.asked import ModelArgument, fail, the_model
from mlops_airflow.commands.output import output

__all__ = ["timeline"]


def timeline(
    model: ModelArgument,
    file: Annotated[
        Path,
        typer.Argument(help="Where to write the page.", dir_okay=False, show_default=False),
    ],
) -> None:
    """Write performance, drift, champions, decisions and incidents of a model on one time axis.

    Exit code 0; 3: the ledger, or the model, cannot be read.
    """
    spec = the_model(model)
    from airflow.sdk.exceptions import AirflowException

    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.storage import replace_file
    from mlops_tasks.timeline import read_timeline, render_timeline

    try:
        found = read_timeline(spec, ledger=LedgerHook().get_ledger())
        replace_file(file, render_timeline(found).encode())
    except (MlopsError, AirflowException, OSError) as error:
        fail(str(error))
    n, plural = len(found.performance), "" if len(found.performance) == 1 else "s"
    text = f"{n} measured {found.grain}{plural} and {len(found.decisions)} decisions in {file}"
    output().print(text, markup=False, soft_wrap=True)
