"""Run the components of one stack until one of them ends or a signal comes.

This is the program behind ``mlops up``. honcho's manager starts the components and reads their
output; added here is what a stack needs beyond a Procfile: a component is ended with its whole
session, a hanging one is killed, and what runs is on record for ``mlops down``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
from honcho.manager import Manager

from mlops_airflow.stack.components import ENDED_BY_CHILD, component_commands
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.log_files import RUNNER, LogFiles
from mlops_airflow.stack.processes import (
    ProcessId,
    adopt_orphans,
    descendants,
    end_processes,
    is_alive,
    session_processes,
)
from mlops_airflow.stack.record import StackRecord
from mlops_airflow.stack.redaction import Redactor, environment_secrets
from mlops_airflow.stack.secret_holders import component_environments
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing import Queue

__all__ = ["StackManager", "main"]

#: Seconds until what runs below a component, tasks above all, is asked to end as well.
OWN_TIME_S = 2.5
#: Seconds from the first signal to SIGKILL, as honcho has it after a crash: Airflow's scheduler may
#: wait for its workers for ever.
GRACE_S = 5.0
#: Seconds from the first signal to giving up on an orderly end.
LIMIT_S = 20.0
#: A reader process may end a moment before its last message arrives.
LATE_MESSAGE_S = 1.5
#: Seconds between two looks at the processes, however much they write.
TICK_S = 0.1


class _TickingQueue:
    """Stand for honcho's event queue; waiting for an event also runs a function."""

    def __init__(self, queue: Queue[Any], tick: Callable[[], None]) -> None:
        self._queue, self._tick = queue, tick

    def get(self, timeout: float | None = None) -> Any:
        self._tick()
        return self._queue.get(timeout=timeout)

    def put(self, message: Any) -> None:
        self._queue.put(message)


class StackManager(Manager):  # type: ignore[misc]  # honcho has no type hints
    """Run components as honcho does, but end whole sessions and keep a record of what runs.

    Parameters
    ----------
    settings : StackSettings
        The stack to run.
    logs : LogFiles
        Where output goes.
    attached : bool
        Whether to end when standard input ends, that is with the process that started this one.
    """

    def __init__(self, settings: StackSettings, logs: LogFiles, *, attached: bool) -> None:
        super().__init__(logs)
        self._attached = attached
        self.events: Any = _TickingQueue(self.events, self._tick)
        self._settings, self._logs = settings, logs
        self._notes: list[str] = []
        self._asked_at: float | None = None
        self._signals_sent = 0
        self._ended_since: dict[str, float] = {}
        self._first: str | None = None
        self._next_tick = 0.0
        self._record = StackRecord(
            runner=ProcessId.of(os.getpid()),
            started_at=time.time(),
            airflow_url=settings.airflow_url,
            mlflow_url=settings.mlflow_url,
            profile=settings.profile,
        )
        self._record.write(settings.record_file)

    def terminate(self) -> None:
        """Ask for the end; called by honcho's signal handlers too, so it only takes a note."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    def kill(self) -> None:
        """Kill every process below the runner, but not the readers that wait for their end."""
        readers = {p["process"].pid for p in self._processes.values() if "process" in p}
        leaders = list(self._record.components.values())
        for process in {*descendants(), *session_processes(leaders)}:
            if process.pid not in readers:
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    process.kill()

    def take_stock(self) -> None:
        """Write down what happened since the last time; also called once after the loop."""
        self._notice_ends()
        self._update_record()
        self._write_notes()

    def _start(self) -> None:
        super()._start()
        if self._attached:
            # Only now: a process with threads should not fork.
            threading.Thread(target=self._end_with_parent, daemon=True).start()

    def _end_with_parent(self) -> None:
        while os.read(0, 1024):
            pass
        self.terminate()

    def _system_print(self, data: str) -> None:
        self._notes.append(data)

    def _tick(self) -> None:
        if time.monotonic() < self._next_tick:
            return
        self._next_tick = time.monotonic() + TICK_S
        self.take_stock()
        if self._asked_at is None:
            return
        waited_s = time.monotonic() - self._asked_at
        if waited_s > LIMIT_S:
            raise SystemExit(1)
        if waited_s > GRACE_S:
            self.kill()
        elif self._signals_sent < (1 if waited_s < OWN_TIME_S else 2) and self._all_started():
            self._signals_sent += 1
            self._ask_to_end()

    def _ask_to_end(self) -> None:
        for name, leader in self._record.components.items():
            if "returncode" in self._processes[name]:
                continue
            session = session_processes([leader])
            below = [p for p in session if p.pid != leader.pid]
            targets, sign = [p for p in session if p.pid == leader.pid], signal.SIGTERM
            if self._signals_sent > 1:
                targets = below
            elif name in ENDED_BY_CHILD and below:
                targets, sign = below, signal.SIGINT
            self._system_print(f"sending {sign.name} to {len(targets)} of {name}\n")
            for process in targets:
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    process.send_signal(sign)

    def _write_notes(self) -> None:
        while self._notes:
            self._logs.line(RUNNER, f"{time.strftime('%H:%M:%S')} {self._notes.pop(0)}")

    def _update_record(self) -> None:
        record = self._record
        started = {n: p["pid"] for n, p in self._processes.items() if p.get("pid", -1) > 0}
        if set(started) != set(record.components):
            known = record.components
            components = {n: known.get(n) or ProcessId.of(pid) for n, pid in started.items()}
            record = replace(record, components=components)
        if self._first is not None and "returncode" in self._processes[self._first]:
            record = record.stopped(self._first, self._processes[self._first]["returncode"])
        if record != self._record:
            self._record = record
            record.write(self._settings.record_file)

    def _notice_ends(self) -> None:
        for name, process in self._processes.items():
            if "returncode" in process:
                self._note_first(name)
            elif not process["process"].is_alive() and self._lasts(f"reader of {name}"):
                # A reader that died without its last message: honcho would wait for ever.
                self._system_print(f"the reader of {name} ended unexpectedly\n")
                process["pid"] = process.get("pid") or -1
                process["returncode"] = 1
            elif self._is_gone(name) and self._lasts(name):
                # What it left behind still holds its output open, and honcho reads on.
                self._note_first(name)
                self.terminate()

    def _is_gone(self, name: str) -> bool:
        leader = self._record.components.get(name)
        return leader is not None and not is_alive(leader)

    def _lasts(self, what: str) -> bool:
        # Not at once: the message that says so may be on its way.
        since = self._ended_since.setdefault(what, time.monotonic())
        return time.monotonic() - since > LATE_MESSAGE_S

    def _note_first(self, name: str) -> None:
        if self._first is None and not self._signals_sent:
            self._first = name


def main() -> int:
    """Run the stack that the ``MLOPS_*`` variables describe.

    Returns
    -------
    int
        Exit code: 0 after a requested end, else that of the component that ended first.
    """
    os.umask(0o077)
    # honcho hands objects to its readers that only a fork can carry.
    multiprocessing.set_start_method("fork")
    adopt_orphans()
    settings = StackSettings.from_env()
    credentials = load_credentials(settings.secrets_file)
    environments = component_environments(settings, credentials)
    found = [environment_secrets(env) for env in environments.values()]
    secrets = set(credentials.values()).union(*found)
    logs = LogFiles(settings, Redactor(secrets))
    manager = StackManager(settings, logs, attached="--attached" in sys.argv)
    for name, command in component_commands(settings).items():
        # exec: no shell may stand between the session's leader and the component.
        line = f"exec {shlex.join(command)}"
        manager.add_process(name, line, env=environments[name], cwd=settings.home)
    try:
        manager.loop()
    finally:
        end_processes(descendants(), grace_s=0.0)
        manager.take_stock()
        logs.close()
    return 0 if manager.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM} else 1


if __name__ == "__main__":
    sys.exit(main())
