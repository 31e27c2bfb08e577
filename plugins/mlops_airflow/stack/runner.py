"""Run the components of one stack until a signal comes or one of them cannot be kept alive.

This is the program behind ``mlops up``. A component that ends or hangs is started again, later each
time; one that ends before it was ever healthy, or again and again, ends the stack. What runs is on
record for ``mlops status`` and ``mlops down``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from mlops_airflow.stack.component import Component, describe_exit
from mlops_airflow.stack.components import OUTLIVED_BY_TASKS, component_commands
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.database_cleaning import DatabaseCleaning
from mlops_airflow.stack.health import component_health
from mlops_airflow.stack.health_watch import HealthWatch
from mlops_airflow.stack.leftovers import runs_task
from mlops_airflow.stack.log_files import RUNNER, LogFiles
from mlops_airflow.stack.orderly_end import OrderlyEnd
from mlops_airflow.stack.processes import (
    ProcessId,
    adopt_orphans,
    descendants,
    end_processes,
    reap_orphans,
    session_processes,
)
from mlops_airflow.stack.record import StackRecord
from mlops_airflow.stack.redaction import Redactor, environment_secrets
from mlops_airflow.stack.restarts import MAX_ENDS, WINDOW_S
from mlops_airflow.stack.secret_holders import component_environments
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Runner", "main"]

#: A component that was healthy and then gives no sign of life for so long is ended.
SILENT_S = 120.0
#: Longest wait for one answer about health.
ANSWER_S = 5.0
#: Seconds between two looks at the processes, and at what dead schedulers left.
TICK_S, LEFT_OVER_S = 0.1, 1.0


class Runner:
    """Keep the components of one stack alive, and end them all when asked to.

    Parameters
    ----------
    settings : StackSettings
        The stack.
    components : Mapping of str to Component
        Its components by name, in the order they are started.
    logs : LogFiles
        Where the runner's own lines go.
    """

    def __init__(
        self, settings: StackSettings, components: Mapping[str, Component], logs: LogFiles
    ) -> None:
        self._settings, self._components, self._logs = settings, components, logs
        self._restart_at: dict[str, float] = {}
        self._killed: dict[str, str] = {}
        self._next_sweep = 0.0
        self._asked_to_end = False
        self._record = StackRecord(
            runner=ProcessId.of(os.getpid()),
            started_at=time.time(),
            airflow_url=settings.airflow_url,
            mlflow_url=settings.mlflow_url,
            profile=settings.profile,
        )
        self._written: StackRecord | None = None
        self._client = httpx.Client(timeout=ANSWER_S, trust_env=False)
        self._watch = HealthWatch(self._ask, self.note)

    def ask_to_end(self, *_: object) -> None:
        """Ask for the end; called by signal handlers, so it only takes a note."""
        self._asked_to_end = True

    def note(self, text: str) -> None:
        """Write a line to the runner's log.

        Parameters
        ----------
        text : str
            What happened.
        """
        self._logs.line(RUNNER, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")

    def run(self) -> int:
        """Run until the end.

        Returns
        -------
        int
            Exit code: 0 after an end that was asked for and was in order, else 1.
        """
        for name in self._components:
            self._start(name)
        self._watch.start()
        while not self._asked_to_end and self._record.failure is None:
            self._tick()
            time.sleep(TICK_S)
        self.note("asked to end" if self._asked_to_end else "ending the others")
        self._record = replace(self._record, ending=True)
        end = OrderlyEnd(self._components, self._record.left_over, self.note)
        while not end.has_ended():
            end.tick()
            self._write_record()
            time.sleep(TICK_S)
        return 0 if end.was_in_order and self._record.failure is None else 1

    def finish(self) -> None:
        """Write down how everything ended."""
        for component in self._components.values():
            component.enter("ended", last_exit=component.exit_code())
        self._write_record()

    def _ask(self) -> dict[str, str]:
        started_at = {name: c.started_at for name, c in self._components.items()}
        settings = self._settings
        return component_health(settings.airflow_url, settings.mlflow_url, self._client, started_at)

    def _tick(self) -> None:
        look = self._watch.latest
        for name, component in self._components.items():
            if name in self._restart_at:
                self._restart_when_due(name)
            elif (code := component.exit_code()) is not None:
                self._ended(component, code, self._killed.pop(name, describe_exit(code)))
            else:
                component.notice(look)
                self._end_if_hanging(component)
        self._watch.is_eager = any(c.record.state != "healthy" for c in self._components.values())
        self._sweep()
        reap_orphans({c.leader.pid for c in self._components.values() if c.leader is not None})
        self._write_record()

    def _start(self, name: str) -> None:
        component = self._components[name]
        if component.start() and component.leader is not None:
            self.note(f"{name} started (process {component.leader.pid})")

    def _restart_when_due(self, name: str) -> None:
        if time.monotonic() >= self._restart_at[name]:
            del self._restart_at[name]
            record = self._components[name].record
            self._components[name].record = replace(record, restarts=record.restarts + 1)
            self._start(name)

    def _end_if_hanging(self, component: Component) -> None:
        limit_s = SILENT_S if component.is_proven else self._settings.ready_timeout_s
        if component.silent_s() > limit_s and component.name not in self._killed:
            why = component.record.detail
            self._killed[component.name] = f"killed after {limit_s:.0f} s of silence ({why})"
            component.kill()

    def _ended(self, component: Component, code: int, what: str) -> None:
        cleared = self._clear_session(component)
        delay_s = component.restarts.ended(time.monotonic())
        name = component.name
        if not component.was_healthy:
            self._fail(component, code, f"{name} {what} before it was healthy")
        elif delay_s is None:
            often = f"{MAX_ENDS} times within {WINDOW_S / 60:.0f} minutes"
            self._fail(component, code, f"{name} {what}; that was {often}")
        else:
            self.note(f"{name} {what}; {cleared}; starting it again in {delay_s:.0f} s")
            self._restart_at[name] = time.monotonic() + delay_s
            component.enter("restarting", what, last_exit=code)

    def _fail(self, component: Component, code: int, reason: str) -> None:
        if self._record.failure is None:
            self.note(f"{reason}; the stack ends")
            component.enter("ended", reason, last_exit=code)
            self._record = replace(self._record, failure=(component.name, reason))

    def _clear_session(self, component: Component) -> str:
        """End what the process left behind, so that its port and its locks are free again."""
        if component.leader is None:
            return "it left nothing"
        if component.name in OUTLIVED_BY_TASKS and runs_task(component.leader):
            left_over = (*self._record.left_over, component.leader)
            self._record = replace(self._record, left_over=left_over)
            return "tasks of it still run and are left to finish"
        left = session_processes([component.leader])
        end_processes(left, grace_s=0.0)
        return f"ended {len(left)} processes it left" if left else "it left nothing"

    def _sweep(self) -> None:
        if not self._record.left_over or time.monotonic() < self._next_sweep:
            return
        self._next_sweep = time.monotonic() + LEFT_OVER_S
        done = [leader for leader in self._record.left_over if not runs_task(leader)]
        for leader in done:
            left = session_processes([leader])
            end_processes(left, grace_s=0.0)
            self.note(f"the last task of an earlier scheduler is over; ended {len(left)} processes")
        left_over = tuple(leader for leader in self._record.left_over if leader not in done)
        self._record = replace(self._record, left_over=left_over)

    def _write_record(self) -> None:
        components = {name: c.record for name, c in self._components.items()}
        self._record = replace(self._record, components=components)
        if self._record != self._written:
            self._record.write(self._settings.record_file)
            self._written = self._record


def main() -> int:
    """Run the stack that the ``MLOPS_*`` variables describe.

    Returns
    -------
    int
        Exit code: 0 after a requested end, else 1.
    """
    os.umask(0o077)
    adopt_orphans()
    settings = StackSettings.from_env()
    credentials = load_credentials(settings.secrets_file)
    environments = component_environments(settings, credentials)
    found = [environment_secrets(env) for env in environments.values()]
    logs = LogFiles(settings, Redactor(set(credentials.values()).union(*found)))
    components = {
        name: Component(name, command, env=environments[name], cwd=settings.home, logs=logs)
        for name, command in component_commands(settings).items()
    }
    runner = Runner(settings, components, logs)
    if env := environments.get("scheduler"):  # whose right to the database is needed
        DatabaseCleaning(settings.airflow_home, env=env, report=runner.note).start()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, runner.ask_to_end)
    if "--attached" in sys.argv:
        threading.Thread(target=_end_with_parent, args=(runner,), daemon=True).start()
    try:
        return runner.run()
    finally:
        end_processes(descendants(), grace_s=0.0)
        runner.finish()
        logs.close()


def _end_with_parent(runner: Runner) -> None:
    """End the stack when standard input ends, that is with the process that started it."""
    while os.read(0, 1024):
        pass
    runner.ask_to_end()


if __name__ == "__main__":
    sys.exit(main())
