"""One component of a running stack: its process, its output, and what is known about it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Protocol

from mlops_airflow.stack.health import DATABASE_AWAY, HEALTHY, UNKNOWN
from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import ComponentRecord
from mlops_airflow.stack.restarts import Restarts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlops_airflow.stack.health_watch import Look
    from mlops_airflow.stack.record import State

__all__ = ["Component", "LineWriter", "describe_exit"]

#: Exit code of a program that cannot be started, as a shell has it.
_NOT_STARTED = 127


class LineWriter(Protocol):
    """Takes the lines that components write."""

    def line(self, name: str, text: str) -> None:
        """Take one line of one component."""


class Component:
    """Start one program in a session of its own, copy its output, and keep what is known about it.

    Parameters
    ----------
    name : str
        Name of the component.
    command : sequence of str
        Its command line.
    env : Mapping of str to str
        Its whole environment.
    cwd : Path
        Where it runs.
    logs : LineWriter
        Where its output goes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        logs: LineWriter,
    ) -> None:
        self.name = name
        self._command, self._env, self._cwd, self._logs = list(command), dict(env), cwd, logs
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []
        self._started_at = 0.0
        self._silent_since: float | None = None
        #: What is known about it.
        self.record = ComponentRecord(since=time.time())
        #: When its process was started, in seconds since the epoch.
        self.started_at = 0.0
        #: Whether it has ever been healthy, and whether its present process has.
        self.was_healthy = self.is_proven = False
        #: Its ends, which decide about restarts.
        self.restarts = Restarts()

    @property
    def leader(self) -> ProcessId | None:
        """The process it runs in or ran in last."""
        return self.record.process

    @property
    def is_silent(self) -> bool:
        """Whether its output has ended, too: nothing holds the pipe any more."""
        return not any(reader.is_alive() for reader in self._readers)

    def start(self) -> bool:
        """Start its process.

        Returns
        -------
        bool
            False if the program cannot be started; its log says why.
        """
        self.started_at, self._started_at = time.time(), time.monotonic()
        self._silent_since, self.is_proven = None, False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                self._command,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._process = None
            self._logs.line(self.name, f"{self._command[0]} cannot be started: {error}")
            return False
        self.enter("starting", process=ProcessId.of(self._process.pid))
        reader = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._readers = [*(r for r in self._readers if r.is_alive()), reader]
        reader.start()
        return True

    def exit_code(self) -> int | None:
        """Return the exit code of its process, negative for a signal.

        Returns
        -------
        int or None
            None while it runs.
        """
        return _NOT_STARTED if self._process is None else self._process.poll()

    def kill(self) -> None:
        """Kill its process; the next `exit_code` says so."""
        if self._process is not None:
            self._process.kill()

    def enter(self, state: State, detail: str = "", **changes: object) -> None:
        """Note what it is now.

        Parameters
        ----------
        state : str
            One of `State`.
        detail : str, default ""
            What is wrong, or what comes next.
        **changes : object
            Other fields of `ComponentRecord`.
        """
        since = self.record.since if state == self.record.state else time.time()
        self.record = replace(self.record, state=state, detail=detail, since=since, **changes)  # type: ignore[arg-type]

    def notice(self, look: Look) -> None:
        """Take note of an answer about its health.

        Parameters
        ----------
        look : Look
            The newest answer; an older one is about an earlier process.
        """
        answer = look.health.get(self.name)
        if answer is None or look.asked_at < self._started_at:
            return
        if answer in {HEALTHY, UNKNOWN, DATABASE_AWAY}:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = look.asked_at
        if answer == HEALTHY:
            self.was_healthy = self.is_proven = True
            self.enter("healthy")
        elif not self.is_proven:
            self.enter("starting", answer)
        else:
            self.enter("unknown" if answer == UNKNOWN else "unhealthy", answer)

    def silent_s(self) -> float:
        """Return for how long every look has found it silent.

        Returns
        -------
        float
            Seconds by a clock that stands still while the machine sleeps.
        """
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since

    def _copy(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._logs.line(self.name, line.decode("utf-8", "replace"))


def describe_exit(code: int) -> str:
    """Say how a process ended.

    Parameters
    ----------
    code : int
        Its exit code, negative for a signal.

    Returns
    -------
    str
        For people.

    Examples
    --------
    >>> describe_exit(1), describe_exit(-9)
    ('ended with code 1', 'ended with code -9 (SIGKILL)')
    """
    with contextlib.suppress(ValueError):
        if code < 0:
            return f"ended with code {code} ({signal.Signals(-code).name})"
    return f"ended with code {code}"
