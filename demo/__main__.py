"""``python -m demo``: start the stack, replay a project partition by partition, report."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from demo.airflow_api import AirflowApi
from demo.airflow_http import AirflowApiError
from demo.conditions import has_closed
from demo.evidence import Evidence, collect
from demo.flights_package import FlightsPackageError
from demo.nights import play_nights
from demo.plan import MODEL
from demo.project_replay import ProjectReplay
from demo.project_report import build_project_report, print_project_report
from demo.projects import PROJECTS
from demo.replay import Replay, ReplayError
from demo.report import build_report, print_report
from demo.settling import AirflowStuckError, RunFailedError
from demo.source import ClockError, SourceDatabase
from demo.view import View
from mlops_airflow.stack.exceptions import StackError
from mlops_airflow.stack.settings import StackSettings
from mlops_airflow.stack.stack import running_stack
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from demo.projects import Project
    from mlops_airflow.stack.stack import Stack

INTERRUPTED = 130
STILL_OPEN = 1
FAILED = 2

ExitOption = Annotated[
    bool, typer.Option("--exit", help="Stop the stack after the report; 0 only if the loop closed.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help=f"What to replay: {', '.join((MODEL, *PROJECTS))}.")
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
    """

    def __init__(self, stack: Stack, api: AirflowApi, view: View) -> None:
        home = stack.settings.home
        self.api, self.view = api, view
        self.source = SourceDatabase(home / "source.db")
        self.ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        self.lake = Lake(home / "lake")
        self.tracking = Tracking(stack.mlflow_url, login=stack.mlflow_login)

    def evidence(self) -> Evidence:
        """Collect what the replay has left behind so far.

        Returns
        -------
        Evidence
            From Airflow, MLflow, the tables and the ledger.
        """
        return collect(self.api, self.ledger, self.lake, self.tracking)

    def replay(self, nights: int | None) -> bool:
        """Replay nights; say what went wrong if something does.

        Parameters
        ----------
        nights : int or None
            Exactly this number; None lets the loop decide.

        Returns
        -------
        bool
            False when the replay had to stop early.
        """
        replay = Replay(self.api, self.source, self.ledger, self.view)
        try:
            replay.prepare()
            play_nights(replay, self.view, nights, lambda: has_closed(self.evidence()))
        except (RunFailedError, AirflowStuckError, ReplayError, ClockError) as error:
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
        report = build_report(self.evidence())
        print_report(report, self.view.console)
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return bool(report["closed"])

    def run(self, nights: int | None, json_file: Path | None) -> int:
        """Replay and report.

        Parameters
        ----------
        nights : int or None
            As for `replay`.
        json_file : Path or None
            As for `report`.

        Returns
        -------
        int
            Exit code: 0 closed, 1 still open, 2 failed.
        """
        if not self.replay(nights):
            return FAILED
        return 0 if self.report(json_file) else STILL_OPEN


class ProjectSession(Session):
    """One replay of an example project on one running stack.

    Parameters
    ----------
    stack : Stack
        The stack.
    api : AirflowApi
        Its Airflow.
    view : View
        Shows the progress.
    project : Project
        The example.
    """

    def __init__(self, stack: Stack, api: AirflowApi, view: View, project: Project) -> None:
        super().__init__(stack, api, view)
        spec = project.spec(stack.settings.dags_folder)
        self.project_replay = ProjectReplay(api, project, spec, self.ledger, view)

    def replay(self, nights: int | None) -> bool:
        """Replay partitions; say what went wrong if something does.

        Parameters
        ----------
        nights : int or None
            Exactly this number; None plays until the loop has closed.

        Returns
        -------
        bool
            False when the replay had to stop early.
        """
        try:
            self.project_replay.prepare()
            self.project_replay.run(nights)
        except (RunFailedError, AirflowStuckError, ReplayError) as error:
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
        replay = self.project_replay
        report = build_project_report(self.ledger, replay.model, closed=replay.has_closed())
        print_project_report(report, self.view.console)
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return bool(report["closed"])


def main(
    *,
    exit_: ExitOption = False,
    model: ModelOption = MODEL,
    nights: NightsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Replay a project through Airflow and MLflow, real flights by default, and report."""
    # A supervisor's SIGTERM must end the stack as Ctrl-C does.
    signal.signal(signal.SIGTERM, _terminated)
    view = View(Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    if model not in (MODEL, *PROJECTS):
        view.say(f"no demo of {model!r}: choose one of {', '.join((MODEL, *PROJECTS))}")
        sys.exit(FAILED)
    project = PROJECTS.get(model)
    try:
        with running_stack(_settings(project), report=view.say) as stack:
            sys.exit(_demo(stack, view, nights, json_file, stay=not exit_, project=project))
    except KeyboardInterrupt:
        view.say("Stopped. The next `make demo` goes on from here.")
        sys.exit(INTERRUPTED)
    except (StackError, FlightsPackageError) as error:
        view.say(str(error))
        sys.exit(FAILED)


def _settings(project: Project | None) -> StackSettings:
    """Return the stack's settings, with the connection to a project's source."""
    settings = StackSettings.from_env()
    if project is None:
        return settings
    extra = project.connection(settings.home) | dict(settings.extra_env)
    return replace(settings, extra_env=extra)


def _demo(
    stack: Stack,
    view: View,
    nights: int | None,
    json_file: Path | None,
    *,
    stay: bool,
    project: Project | None = None,
) -> int:
    _adopt_mlflow_settings(stack)
    _say_addresses(stack, view)
    try:
        with AirflowApi(stack.airflow_url, *stack.login) as api:
            code = _session(stack, api, view, project).run(nights, json_file)
    except AirflowApiError as error:
        if stack.is_running():
            view.say(f"Airflow refused a request: {error}")
        else:
            view.say(stack.explain_end())
        code = FAILED
    if stay and stack.is_running():
        _stay(stack, view)
    return code


def _session(stack: Stack, api: AirflowApi, view: View, project: Project | None) -> Session:
    if project is None:
        return Session(stack, api, view)
    if project.write_world(stack.settings.home):
        view.say(f"wrote {project.database(stack.settings.home)}, generated from a seed")
    return ProjectSession(stack, api, view, project)


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
