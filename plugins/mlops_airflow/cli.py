"""The ``mlops`` command: start, watch and end the embedded stack."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlops_airflow.commands import (
    backtest,
    champion,
    check,
    contract,
    copying,
    decisions,
    doctor,
    drift,
    history,
    incidents,
    lake,
    ledger,
    lifecycle,
    new,
    pack,
    quarantine,
    replay,
    reproduce,
    timeline,
    trial,
)
from mlops_airflow.commands.moves import open_alias_moves
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.ending import end_stack
from mlops_airflow.stack.environment import component_environment, tool
from mlops_airflow.stack.exceptions import StackError
from mlops_airflow.stack.record import read_record
from mlops_airflow.stack.settings import StackSettings
from mlops_airflow.stack.stack import Stack, start_stack
from mlops_airflow.stack.status import exit_code, stack_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["app", "progress"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run the embedded MLOps stack.")
app.add_typer(lake.app, name="lake")
app.add_typer(contract.app, name="contract")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(drift.app, name="drift")
app.add_typer(ledger.app, name="ledger")
app.add_typer(pack.app, name="pack")
app.add_typer(incidents.app, name="incidents")
app.command("try")(trial.try_model)
app.command()(backtest.backtest)
app.command()(new.new)
app.command()(doctor.doctor)
app.command()(check.check)
app.command()(replay.replay)
app.command()(reproduce.reproduce)
app.command()(lifecycle.start)
app.command()(lifecycle.stop)
app.command()(decisions.decisions)
app.command()(timeline.timeline)
app.command()(history.history)
app.command()(history.served)
app.command()(champion.promote)
app.command()(champion.rollback)
app.command()(champion.retire)
app.command()(copying.copy)
console = Console(highlight=False)
_POLL_S = 0.5


@contextlib.contextmanager
def progress(output: Console) -> Iterator[Callable[[str], None]]:
    """Show what is going on: a spinner on a terminal, plain lines elsewhere.

    Parameters
    ----------
    output : rich.console.Console
        Where to show it.

    Yields
    ------
    callable
        Takes one short line at a time.
    """
    if not output.is_terminal:
        yield lambda line: output.print(line, markup=False)
        return
    with output.status("Starting") as status:

        def report(line: str) -> None:
            output.print(f"  {line}", markup=False, style="dim")
            status.update(line)

        yield report


@app.callback()
def mlops() -> None:
    """Run the embedded MLOps stack, and look after what the Dags work on."""
    # Else Airflow looks for connections in the environment alone, and not in its own store.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


@app.command()
def up(
    *, detach: Annotated[bool, typer.Option(help="Leave the stack running and return.")] = False
) -> None:
    """Start Airflow and MLflow, and keep them until Ctrl-C."""
    settings = _settings()
    # SIGTERM must end the stack as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress(console) as report:
            stack = start_stack(settings, attached=not detach, report=report)
        _greet(stack)
        if not detach:
            _stay(stack)
    except StackError as error:
        _fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def down() -> None:
    """End every process of the stack, also those a killed one left behind."""
    ended, left = end_stack(_settings())
    if left:
        _fail(f"{left} of {ended} processes could not be ended")
    console.print(f"Ended {ended} processes" if ended else "Nothing was running")


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False
) -> None:
    """Show what runs and how it is, and aliases that others have moved in MLflow.

    Exit code 0: everything is healthy; 1: something starts, restarts, is unhealthy or ends;
    4: nothing runs; 3: it cannot be known.
    """
    settings = _settings()
    report = stack_status(settings) | {"alias_moves": open_alias_moves(settings.home)}
    if as_json:
        console.print_json(json.dumps(report))
    else:
        _print_status(report)
        for move in report["alias_moves"]:
            console.print(f"Moved outside: {move}", markup=False, soft_wrap=True)
        if report["alias_moves"]:
            console.print("What to do: mlops ledger aliases --help", markup=False)
    raise typer.Exit(exit_code(report))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context, command: str) -> None:
    """Run a command in the environment of the stack, for example `mlops run airflow dags list`."""
    settings = _settings()
    if not settings.secrets_file.exists():
        _fail(f"There is no stack in {settings.home} yet. Start one with `mlops up`")
    env = component_environment(settings, load_credentials(settings.secrets_file))
    program = tool(command) if command in {"airflow", "mlflow", "python"} else command
    result = subprocess.run([program, *context.args], env=env, check=False)  # noqa: S603 - asked for
    raise typer.Exit(result.returncode)


def _settings() -> StackSettings:
    try:
        return StackSettings.from_env()
    except StackError as error:
        _fail(error)


def _fail(error: StackError | str) -> NoReturn:
    Console(stderr=True, highlight=False).print(f"mlops: {error}", markup=False, soft_wrap=True)
    raise typer.Exit(3)


def _greet(stack: Stack) -> None:
    console.print()
    for server, url, (user, password) in (
        ("Airflow", stack.airflow_url, stack.login),
        ("MLflow ", stack.mlflow_url, stack.mlflow_login),
    ):
        # A password goes to a person at a terminal, never into a log that output is sent to.
        shown = password if console.is_terminal else f"see {stack.settings.secrets_file}"
        console.print(f"{server}  {url}  login {user} / {shown}", markup=False, soft_wrap=True)


def _stay(stack: Stack) -> None:
    console.print("\nCtrl-C ends the stack.")
    shown: dict[str, tuple[str, int]] = {}
    try:
        while stack.is_running():
            _show_changes(stack.settings, shown)
            time.sleep(_POLL_S)
        why = stack.explain_end()
    finally:
        stack.stop()
    _fail(f"The stack ended by itself: {why}")


def _show_changes(settings: StackSettings, shown: dict[str, tuple[str, int]]) -> None:
    """Print what has died and what has healed since the last time."""
    record = read_record(settings.record_file)
    for name, component in record.components.items() if record else ():
        now = component.state, component.restarts
        before = shown.setdefault(name, now)
        shown[name] = now
        if now != before and component.state in {"restarting", "unhealthy", "healthy"}:
            detail = f": {component.detail}" if component.detail else ""
            line = f"{time.strftime('%H:%M:%S')} {name} is {component.state}{detail}"
            console.print(line, markup=False, soft_wrap=True)


def _print_status(report: dict[str, Any]) -> None:
    if report["reason"]:
        console.print(f"The stack ended: {report['reason']}", markup=False, soft_wrap=True)
    if not report["components"]:
        what = "is being prepared" if report["state"] == "starting" else "runs"
        start = "A stack" if report["state"] == "starting" else "No stack"
        console.print(f"{start} {what} in {report['home']}", markup=False)
        return
    table = Table("component", "state", "since", "restarts", "last exit", "process", box=None)
    for name, component in report["components"].items():
        style = "green" if component["state"] == "healthy" else "red"
        state = ": ".join(filter(None, (component["state"], escape(component["detail"]))))
        last_exit = "" if component["last_exit"] is None else str(component["last_exit"])
        times = component["since"], str(component["restarts"]), last_exit
        table.add_row(name, f"[{style}]{state}[/]", *times, str(component["pid"]))
    console.print(table)
    console.print(
        f"The stack is {report['state']}. Logs: {report['home']}/logs\n"
        f"Airflow {report['airflow_url']}   MLflow {report['mlflow_url']}",
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    app()
