"""``mlops start`` and ``mlops stop``: unpause and pause the Dags of a model in the right order."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mlops_airflow.commands.asked import (
    JsonOption,
    LoginFileOption,
    ModelArgument,
    UrlOption,
    fail,
    the_airflow,
    the_model,
)

if TYPE_CHECKING:
    from mlops_airflow.pausing import Switch
    from mlops_airflow.rest import AirflowApi, Dag
    from mlops_tasks.specs import ModelSpec

__all__ = ["start", "stop"]

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

_CATCH_UP = (
    "A Dag with a schedule runs its newest partition as soon as it is unpaused; those that came "
    "due while it was paused are not made up for: `mlops replay {model} --from ...` plays them."
)


def start(
    model: ModelArgument,
    *,
    dry_run: DryRunOption = False,
    url: UrlOption = None,
    login_file: LoginFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unpause the Dags of a model and its datasets, those that wait for events first.

    A paused Dag loses the events that arrive. What runs already is left as it is.
    """
    from mlops_airflow.pausing import starting, switch

    spec = the_model(model)
    with the_airflow(url, login_file) as api:
        switches = starting(spec, _dags(api, spec))
        if not dry_run:
            switch(api, switches)
        champion = _has_champion(api, spec)
    _report(switches, dry_run=dry_run, as_json=as_json)
    if not as_json:
        _say(_CATCH_UP.format(model=model))
        if not champion:
            _say(
                f"No training of {model} has been promoted yet, and without history "
                f"{model}.decide asks for one in vain: `mlops replay {model}` takes it in and "
                "trains the first champion."
            )


def stop(
    model: ModelArgument,
    *,
    dry_run: DryRunOption = False,
    url: UrlOption = None,
    login_file: LoginFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause the Dags of a model and its datasets, those that others wait for first.

    Datasets that another started model or Dag reads are left running. Runs that have begun end.
    """
    from mlops_airflow.pausing import stopping, switch
    from mlops_airflow.projects import read_projects

    spec = the_model(model)
    others = [one for project in read_projects() for one in project.models]
    with the_airflow(url, login_file) as api:
        _dags(api, spec)
        switches = stopping(spec, api.dags(), others, api.consumers())
        if not dry_run:
            switch(api, switches)
    _report(switches, dry_run=dry_run, as_json=as_json)


def _dags(api: AirflowApi, spec: ModelSpec) -> dict[str, Dag]:
    """Return the model's Dags, once Airflow has read them."""
    from mlops_airflow.pausing import all_dags
    from mlops_airflow.replay.exceptions import DagsNotReadyError
    from mlops_airflow.replay.readiness import projects_of, wait_for_dags

    try:
        return wait_for_dags(api, all_dags(spec), projects_of(spec), _say)
    except DagsNotReadyError as error:
        fail(str(error))


def _has_champion(api: AirflowApi, spec: ModelSpec) -> bool:
    runs = api.runs(f"{spec.name}.release", states=("success",))
    return any(api.result(run, "promote") for run in reversed(runs))


def _report(switches: list[Switch], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [asdict(one) for one in switches]
        sys.stdout.write(json.dumps({"dry_run": dry_run, "dags": rows}, indent=2) + "\n")
        return
    table = Table("Dag", "was", "would be" if dry_run else "is", "runs next, or why not", box=None)
    for one in switches:
        changed = one.was != one.becomes
        now = f"[bold]{one.becomes}[/]" if changed else f"{one.becomes} (as before)"
        table.add_row(one.dag_id, one.was, now, one.note)
    Console(highlight=False).print(table)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)
