"""What MLflow's login costs a training: the same trainings through two servers, in turn.

One server is the stack's, closed by `mlops_airflow.mlflow_server`. The other has the same command
line without that app, and a copy of the same home: MLflow's own app, which lets everybody in. The
steps of a training run in one warm process, as for a task's own work.

Itself a program (``python -m benchmarks._orchestration.login HOME URL HOME URL TRAININGS``), run in
the environment of the stack; the first home and URL are those behind the login. It prints the
seconds of each training as JSON, by server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks._orchestration.runs import BenchmarkError
from benchmarks._orchestration.stacks import run_program
from mlops_airflow.stack.components import component_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.stack.stack import Stack

__all__ = ["CLOSED", "OPEN", "time_with_and_without"]

CLOSED, OPEN = "behind the login", "without a login"
_READY_S = 120.0


def time_with_and_without(stack: Stack, home: Path, n_trainings: int) -> dict[str, list[float]]:
    """Run trainings through a stack's MLflow and through one without a login, in turn.

    Parameters
    ----------
    stack : Stack
        At rest, with a champion; trainings are added to it.
    home : Path
        A new folder, for the copy of the stack's home.
    n_trainings : int
        Through each; one more, not counted, goes before them.

    Returns
    -------
    dict of str to list of float
        Seconds of each training, the steps alone, by `CLOSED` and `OPEN`.
    """
    closed = stack.settings
    shutil.copytree(closed.home, home, ignore=shutil.ignore_patterns("*.lock", "logs", "airflow"))
    with _open_server(stack, home) as url:
        arguments = (str(closed.home), stack.mlflow_url, str(home), url, str(n_trainings))
        seconds: dict[str, list[float]] = json.loads(
            run_program("login", *arguments, env=stack.environment())
        )
    return seconds


@contextmanager
def _open_server(stack: Stack, home: Path) -> Iterator[str]:
    """Run MLflow's own app on the next port but one."""
    settings = replace(stack.settings, home=home, mlflow_port=stack.settings.mlflow_port + 2)
    command = [part for part in component_commands(settings)["mlflow"] if "--app-name" not in part]
    with (home / "open.log").open("w") as log:
        server = subprocess.Popen(
            command, env=stack.environment(), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(settings.mlflow_url, server)
            yield settings.mlflow_url
        finally:
            server.terminate()
            server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/health"):
                return
        except URLError:
            time.sleep(0.2)
    raise BenchmarkError(f"MLflow without a login does not answer at {url}")


def _in_turn(homes: dict[str, tuple[Path, str]], n_trainings: int) -> dict[str, list[float]]:
    from benchmarks._orchestration.own_work import Stores, one_pass
    from demo.plan import TRAIN
    from mlops_tasks.registry.tracking import Tracking

    stores = {
        name: Stores(home, Tracking(url) if name == CLOSED else Tracking(url, login=None))
        for name, (home, url) in homes.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in homes}
    for number in range(n_trainings + 1):
        # Neither server always comes first.
        for name in (CLOSED, OPEN) if number % 2 else (OPEN, CLOSED):
            took = sum(one_pass(stores[name])[TRAIN].values())
            if number:
                seconds[name].append(took)
    return seconds


if __name__ == "__main__":
    closed_home, closed_url, open_home, open_url, number = sys.argv[1:]
    both = {CLOSED: (Path(closed_home), closed_url), OPEN: (Path(open_home), open_url)}
    print(json.dumps(_in_turn(both, int(number))))
