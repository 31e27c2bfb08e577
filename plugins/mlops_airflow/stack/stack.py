"""Start a stack, wait until it is healthy, end it: the Python side of ``mlops up``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from mlops_airflow.stack.components import component_commands
from mlops_airflow.stack.credentials import ADMIN_USER, MLFLOW_USER, Credentials
from mlops_airflow.stack.ending import STOP_S, end_stack
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.exceptions import StackNotReadyError
from mlops_airflow.stack.log_files import RUNNER, last_lines
from mlops_airflow.stack.ports import check_ports
from mlops_airflow.stack.preparation import make_home, prepare
from mlops_airflow.stack.record import locked, read_record
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlops_airflow.stack.record import ComponentRecord

__all__ = ["Stack", "running_stack", "start_stack"]

_POLL_S = 0.25


def _silent(_: str) -> None:
    """Take a report and do nothing with it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Stand for a stack that runs.

    Parameters
    ----------
    settings : StackSettings
        How it was started.
    credentials : Credentials
        Its secrets.
    runner : subprocess.Popen
        Its process runner.
    """

    settings: StackSettings
    credentials: Credentials
    runner: subprocess.Popen[bytes]

    @property
    def airflow_url(self) -> str:
        """Base address of Airflow's UI and REST API."""
        return self.settings.airflow_url

    @property
    def mlflow_url(self) -> str:
        """Base address of the MLflow tracking server."""
        return self.settings.mlflow_url

    @property
    def login(self) -> tuple[str, str]:
        """User and password of Airflow's administrator."""
        return ADMIN_USER, self.credentials.admin_password

    @property
    def mlflow_login(self) -> tuple[str, str]:
        """User and password of the MLflow tracking server."""
        return MLFLOW_USER, self.credentials.mlflow_password

    def environment(self) -> dict[str, str]:
        """Return the environment of the components, for ``airflow`` commands of one's own.

        Returns
        -------
        dict of str to str
            A whole environment.
        """
        return component_environment(self.settings, self.credentials)

    def airflow_client(self, *, timeout_s: float = 60.0) -> httpx.Client:
        """Log in to Airflow's REST API.

        Parameters
        ----------
        timeout_s : float, default 60.0
            Longest wait for one answer, in seconds.

        Returns
        -------
        httpx.Client
            Client with the base address and a token of 24 hours; use it in a ``with`` block.
        """
        user, password = self.login
        answer = httpx.post(
            f"{self.airflow_url}/auth/token",
            json={"username": user, "password": password},
            timeout=timeout_s,
            trust_env=False,
        )
        token = answer.raise_for_status().json()["access_token"]
        return httpx.Client(
            base_url=self.airflow_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            trust_env=False,
        )

    def is_running(self) -> bool:
        """Return whether the process runner lives.

        Returns
        -------
        bool
            False as soon as the stack has ended, for whatever reason.
        """
        return self.runner.poll() is None

    def stop(self) -> int:
        """End the stack and wait until no process of it is left.

        Returns
        -------
        int
            Number of processes that could not be ended; normally 0.
        """
        if self.is_running():
            self.runner.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.runner.wait(STOP_S)
        if self.runner.stdin is not None:
            self.runner.stdin.close()
        return end_stack(self.settings)[1]

    def explain_end(self) -> str:
        """Say why the stack ended, with the last lines of the component that ended it.

        Returns
        -------
        str
            Text for people.
        """
        record = read_record(self.settings.record_file)
        failure = record.failure if record else None
        name, reason = failure or (RUNNER, f"runner ended with code {self.runner.returncode}")
        log = self.settings.component_log(name)
        return f"{reason}. The end of {log}:\n{last_lines(log)}"


def start_stack(
    settings: StackSettings,
    *,
    attached: bool = False,
    report: Callable[[str], None] = _silent,
) -> Stack:
    """Prepare a home, start its components and wait until all are healthy.

    Parameters
    ----------
    settings : StackSettings
        The stack to start.
    attached : bool, default False
        Whether the stack ends with the calling process, even if that is killed.
    report : callable, optional
        Called with what is going on, one short line at a time.

    Returns
    -------
    Stack
        The running stack.

    Raises
    ------
    StackRunningError
        If a stack runs in this home.
    PortTakenError
        If a port is in use.
    StackSetupError
        If the databases cannot be prepared.
    StackNotReadyError
        If a component ends or stays unhealthy; the stack is ended before.
    """
    make_home(settings)
    with locked(settings) as lock:
        if ended := end_stack(settings)[0]:
            report(f"Ended {ended} processes left behind by an earlier stack")
        check_ports(settings)
        credentials = prepare(settings, report)
        started_at = time.time()
        stack = Stack(settings, credentials, _launch(settings, lock, attached=attached))
    try:
        _wait_until_healthy(stack, started_at, report)
    except BaseException:
        stack.stop()
        raise
    return stack


@contextlib.contextmanager
def running_stack(
    settings: StackSettings | None = None, *, report: Callable[[str], None] = _silent
) -> Iterator[Stack]:
    """Run a stack for the length of a ``with`` block.

    Parameters
    ----------
    settings : StackSettings, optional
        The stack; read from the environment by default.
    report : callable, optional
        Called with what is going on, one short line at a time.

    Yields
    ------
    Stack
        The healthy stack. No process of it is left after the block.
    """
    stack = start_stack(settings or StackSettings.from_env(), attached=True, report=report)
    try:
        yield stack
    finally:
        stack.stop()


def _launch(settings: StackSettings, lock: int, *, attached: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "mlops_airflow.stack.runner"]
    log = settings.component_log(RUNNER)
    with open(log, "ab", opener=_private) as stream:
        return subprocess.Popen(  # noqa: S603 - our own module, no shell
            [*command, "--attached"] if attached else command,
            env=os.environ | settings.to_env(),
            cwd=settings.home,
            # While this pipe is open the runner knows that its starter lives.
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait_until_healthy(stack: Stack, started_at: float, report: Callable[[str], None]) -> None:
    waiting = list(component_commands(stack.settings))
    report(f"Starting {', '.join(waiting)}")
    deadline = started_at + stack.settings.ready_timeout_s
    while True:
        # Asked first: what a runner wrote before it ended is read after it has.
        is_running = stack.is_running()
        components = _components(stack)
        for name in [n for n in waiting if n in components and components[n].state == "healthy"]:
            waiting.remove(name)
            report(f"{name} is healthy after {time.time() - started_at:.1f} s")
        if not waiting:
            return
        if not is_running:
            raise StackNotReadyError(stack.explain_end())
        if time.time() > deadline:
            raise StackNotReadyError(_too_late(stack.settings, waiting[0], components))
        time.sleep(_POLL_S)


def _components(stack: Stack) -> dict[str, ComponentRecord]:
    record = read_record(stack.settings.record_file)
    if record is None or record.runner.pid != stack.runner.pid:
        return {}
    return record.components


def _too_late(settings: StackSettings, name: str, components: Mapping[str, ComponentRecord]) -> str:
    how = components[name].detail or components[name].state if name in components else "not started"
    log = settings.component_log(name)
    return (
        f"{name} was not healthy after {settings.ready_timeout_s:.0f} s ({how}). "
        "On a slow machine raise MLOPS_READY_TIMEOUT_S. "
        f"The end of {log}:\n{last_lines(log)}"
    )
