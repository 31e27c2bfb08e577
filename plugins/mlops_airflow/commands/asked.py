"""The Airflow and the model that a command works with, and how it ends where there is none."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.rest import AirflowApi
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "REFUSED",
    "UNKNOWN",
    "JsonOption",
    "LoginFileOption",
    "ModelArgument",
    "UrlOption",
    "fail",
    "the_airflow",
    "the_model",
]

REFUSED, UNKNOWN, INTERRUPTED = 1, 3, 130

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.", show_default=False)]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--airflow-url",
        help="Airflow to work with, by default the embedded stack's. Who logs in: the connection "
        "`airflow_api`, from the environment or a secrets backend, or --login-file.",
        show_default=False,
    ),
]
LoginFileOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help='JSON file with "username" and "password", readable by you alone.',
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def fail(text: str, code: int = UNKNOWN) -> NoReturn:
    """Say why on stderr, and end with a code that tells the truth."""
    Console(stderr=True, highlight=False).print(f"mlops: {text}", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def the_model(name: str) -> ModelSpec:
    """Return the spec of a model from the Dag folder, or end."""
    from mlops_airflow.projects import find_model
    from mlops_tasks.exceptions import SpecError

    connect()
    try:
        return find_model(name)
    except SpecError as error:
        fail(str(error))


@contextlib.contextmanager
def the_airflow(url: str | None, login_file: Path | None) -> Iterator[AirflowApi]:
    """Give a client of the Airflow that is meant, or end; so, too, when it goes away meanwhile."""
    from mlops_airflow.rest import AirflowApiError
    from mlops_airflow.rest.login import AirflowUnreachableError, find_login

    try:
        with find_login(StackSettings.from_env(), url, login_file).connect() as api:
            yield api
    except AirflowUnreachableError as error:
        fail(str(error))
    except AirflowApiError as error:
        if error.status == 403:
            fail(f"this user may not do that in Airflow: {error}", REFUSED)
        fail(f"Airflow refused a request or went away: {error}")
