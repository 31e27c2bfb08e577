"""``python -m demo``: start the stack, replay an example partition by partition, report."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from demo.flights_package import FlightsPackageError
from demo.goal import Goal
from demo.plan import MODEL
from demo.projects import PROJECTS
from demo.source import ClockError
from mlops_airflow.projects import find_model
from mlops_airflow.replay import Replay, ReplayError, View
from mlops_airflow.rest import AirflowApi, AirflowApiError
from mlops_airflow.stack.exceptions import StackError
from mlops_airflow.stack.settings import StackSettings
from mlops_airflow.stack.stack import running_stack
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.reports import report_address
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.timeline import timeline_address

if TYPE_CHECKING:
    from typing import Any

    from demo.projects import Project
    from mlops_airflow.stack.stack import Stack

INTERRUPTED = 130
STILL_OPEN = 1
FAILED = 2

ExitOption = Annotated[
    bool, typer.Option("--exit", help="Stop the stack after the report; 0 only if the loop closed.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help=f"What to replay: {', '.join(PROJECTS)}.")
]
NightsOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=334, help="Replay exactly this number of nights, or partitions, this time."
    ),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", dir_okay=False, help="Write the report to this file, too.")
]


class Session:
    """One demo on one running stack.

    Parameters
    ----------
    stack : Stack
        The stack.
    api : AirflowApi
        Its Airflow.
    view : View
        Shows the progress.
    project : Project, optional
        The example; real flights by default.
    """

    def __init__(
        self, stack: Stack, api: AirflowApi, view: View, project: Project = PROJECTS[MODEL]
    ) -> None:
        self.api, self.view, self.project, self.home = api, view, project, stack.settings.home
        self.ledger = Ledger(f"sqlite:///{self.home / 'ledger.db'}")
        self.lake = Lake(self.home / "lake")
        self.tracking = Tracking(stack.mlflow_url, login=stack.mlflow_login)
        self._dags_folder, self._airflow_url = stack.settings.dags_folder, stack.airflow_url

    @cached_property
    def replay(self) -> Replay:
        """What plays the project."""
        spec = find_model(self.project.model, self._dags_folder)
        calendar = Calendar(spec, self.project.first)
        return Replay(self.api, calendar, self.project.last, self.view, advance=self.advance)

    def advance(self, day: str) -> None:
        """Move the clock of the source."""
        self.project.advance(self.home, day)

    def facts(self) -> dict[str, Any]:
        """Collect what the replay has left behind so far.

        Returns
        -------
        dict
            Plain JSON.
        """
        return self.project.report(self.api, self.ledger, self.lake, self.tracking)

    def has_closed(self) -> bool:
        """Return whether the loop has closed."""
        return bool(self.facts()["closed"])

    def play(self, asked: int | None) -> bool:
        """Play partitions; say what went wrong if something does.

        Parameters
        ----------
        asked : int or None
            Exactly this number; None lets the loop decide.

        Returns
        -------
        bool
            False when the replay had to stop early.
        """
        try:
            self.replay.prepare()
            before, least = len(self.replay.played()), self.project.at_least
            closed = before >= max(least, 1) and self.has_closed()
            goal = Goal(asked, before, closed, least, self.project.at_most)
            self.replay.run(lambda now: goal.wants_more(now, self.has_closed), goal.expected)
        except (ReplayError, ClockError) as error:
            self.view.say(f"The replay stops: {error}")
            return False
        return True

    def report(self, json_file: Path | None) -> bool:
        """Print the report.

        Parameters
        ----------
        json_file : Path or None
            Also written to this file.

        Returns
        -------
        bool
            Whether the loop has closed.
        """
        report = self.facts()
        self.project.show(report, self.view.console)
        self._say_timeline()
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return bool(report["closed"])

    def _say_timeline(self) -> None:
        """Say where all of it is on one time axis, as the tasks have written it."""
        report = timeline_address(self.project.model)
        if (self.lake.root / report).is_file():
            url = f"{self._airflow_url}/mlops/{report_address(report)}"
            self.view.say(f"All of it on one time axis: {url}")
            self.view.say(f"  without Airflow: {self.lake.root / report}")

    def run(self, asked: int | None, json_file: Path | None) -> int:
        """Replay and report.

        Parameters
        ----------
        asked : int or None
            As for `play`.
        json_file : Path or None
            As for `report`.

        Returns
        -------
        int
            Exit code: 0 closed, 1 still open, 2 failed.
        """
        if not self.play(asked):
            return FAILED
        return 0 if self.report(json_file) else STILL_OPEN


def main(
    *,
    exit_: ExitOption = False,
    model: ModelOption = MODEL,
    nights: NightsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Replay an example through Airflow and MLflow, real flights by default, and report."""
    # A supervisor's SIGTERM must end the stack as Ctrl-C does.
    signal.signal(signal.SIGTERM, _terminated)
    view = View(Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    if model not in PROJECTS:
        view.say(f"no demo of {model!r}: choose one of {', '.join(PROJECTS)}")
        sys.exit(FAILED)
    project = PROJECTS[model]
    try:
        with running_stack(_settings(project), report=view.say) as stack:
            sys.exit(_demo(stack, view, project, nights, json_file, stay=not exit_))
    except KeyboardInterrupt:
        view.say("Stopped. The next `make demo` goes on from here.")
        sys.exit(INTERRUPTED)
    except (StackError, FlightsPackageError) as error:
        view.say(str(error))
        sys.exit(FAILED)


def _settings(project: Project) -> StackSettings:
    """Return the stack's settings, with the connection to a project's source."""
    settings = StackSettings.from_env()
    extra = project.connection(settings.home) | dict(settings.extra_env)
    return replace(settings, extra_env=extra)


def _demo(
    stack: Stack,
    view: View,
    project: Project,
    nights: int | None,
    json_file: Path | None,
    *,
    stay: bool,
) -> int:
    _adopt_mlflow_settings(stack)
    _say_addresses(stack, view)
    if written := project.prepare(stack.settings.home):
        view.say(written)
    try:
        with AirflowApi(stack.airflow_url, *stack.login) as api:
            code = Session(stack, api, view, project).run(nights, json_file)
    except AirflowApiError as error:
        if stack.is_running():
            view.say(f"Airflow refused a request: {error}")
        else:
            view.say(stack.explain_end())
        code = FAILED
    if stay and stack.is_running():
        _stay(stack, view)
    return code


def _adopt_mlflow_settings(stack: Stack) -> None:
    """Give this process what the components have: no telemetry, short waits for MLflow."""
    for name, value in stack.environment().items():
        if name.startswith("MLFLOW_") or name == "DO_NOT_TRACK":
            os.environ[name] = value


def _say_addresses(stack: Stack, view: View) -> None:
    for server, url, (user, password), name in (
        ("Airflow", stack.airflow_url, stack.login, "admin_password"),
        ("MLflow ", stack.mlflow_url, stack.mlflow_login, "mlflow_password"),
    ):
        shown = (
            password if view.console.is_terminal else f"({name} in {stack.settings.secrets_file})"
        )
        view.say(f"{server}  {url}   user {user}, password {shown}")


def _stay(stack: Stack, view: View) -> None:
    _say_addresses(stack, view)
    view.say("Airflow and MLflow stay up for you to look around. End them with Ctrl-C.")
    with contextlib.suppress(KeyboardInterrupt):
        while stack.is_running():
            time.sleep(0.5)
        view.say(stack.explain_end())


def _terminated(signum: int, frame: object) -> NoReturn:
    sys.exit(128 + signum)


if __name__ == "__main__":
    typer.run(main)
