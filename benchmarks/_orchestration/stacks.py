"""The stacks that are compared, and what they differ in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks._orchestration.runs import BenchmarkError, unpause, wait_for_dags
from benchmarks._shared.machine import ROOT
from mlops_airflow.rest.http import AirflowHttp
from mlops_airflow.stack.credentials import Credentials
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.settings import StackSettings
from mlops_airflow.stack.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mlops_airflow.stack.settings import Profile
    from mlops_airflow.stack.stack import Stack

__all__ = ["OURS", "STOCK", "Variant", "differences", "run_program", "running", "without_bytecode"]

DAGS = ROOT / "dags"
BENCHMARK_DAGS = ROOT / "benchmarks" / "dags"
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run Airflow.

    Parameters
    ----------
    name : str
        What the tables call it.
    profile : {"fast", "stock"}
        Profile of the stack's settings.
    extra_env : Mapping of str to str
        Variables on top of the profile's.
    """

    name: str
    profile: Profile
    extra_env: Mapping[str, str] = field(default_factory=dict)

    def settings(self, home: Path, airflow_port: int, mlflow_port: int) -> StackSettings:
        """Describe the stack of this variant.

        Parameters
        ----------
        home : Path
            Where it lives.
        airflow_port, mlflow_port : int
            Where it listens.

        Returns
        -------
        StackSettings
            With the project's Dags and the benchmark's own, as two bundles.
        """
        bundles = [
            {"name": name, "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(folder)}}
            for name, folder in (("dags-folder", DAGS), ("benchmarks", BENCHMARK_DAGS))
        ]
        option = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)}
        return StackSettings(
            home=home,
            dags_folder=DAGS,
            plugins_folder=ROOT / "plugins",
            airflow_port=airflow_port,
            mlflow_port=mlflow_port,
            profile=self.profile,
            ready_timeout_s=600.0,
            extra_env=option | dict(self.extra_env),
        )


OURS = Variant("ours", "fast")
STOCK = Variant("Airflow stock", "stock")


def without_bytecode(empty_folder: Path) -> Variant:
    """Give the stock variant as a read-only installation without ``.pyc`` files has it.

    Parameters
    ----------
    empty_folder : Path
        Where Python looks for bytecode, in vain.

    Returns
    -------
    Variant
        Every process compiles all it imports.
    """
    env = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(empty_folder)}
    return Variant("Airflow stock, no bytecode", "stock", env)


@contextmanager
def running(
    settings: StackSettings, dag_ids: Iterable[str], say: Callable[[str], None]
) -> Iterator[tuple[Stack, AirflowHttp]]:
    """Run a stack for the length of a ``with`` block, some of its Dags unpaused.

    Parameters
    ----------
    settings : StackSettings
        The stack.
    dag_ids : iterable of str
        Dags to unpause.
    say : callable
        Called with what is going on.

    Yields
    ------
    tuple of (Stack, AirflowHttp)
        The healthy stack, and a client of its REST API.
    """
    names = list(dag_ids)
    with running_stack(settings, report=say) as stack:
        http = AirflowHttp(stack.airflow_url, *stack.login)
        try:
            wait_for_dags(http, names)
            unpause(http, names)
            yield stack, http
        finally:
            http.close()


def run_program(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run a module of the benchmark in a process of its own.

    Parameters
    ----------
    module : str
        Below ``benchmarks._orchestration``.
    *arguments : str
        Its arguments.
    env : mapping of str to str, optional
        Its environment; this process' own by default.

    Returns
    -------
    str
        The last line it printed.

    Raises
    ------
    BenchmarkError
        If it fails; the message ends with the end of its errors.
    """
    command = [sys.executable, "-m", f"benchmarks._orchestration.{module}", *arguments]
    variables = dict(os.environ if env is None else env)
    variables["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, DAGS)))
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=variables, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{module} failed:\n{done.stderr[-4000:]}")
    return done.stdout.strip().rpartition("\n")[2]


def differences(home: Path) -> list[tuple[str, str]]:
    """List every variable in which our profile differs from the stock one.

    Parameters
    ----------
    home : Path
        Any folder.

    Returns
    -------
    list of (str, str)
        Variable and our value, sorted; the stock profile leaves all of them to Airflow's defaults.
    """
    nobody = Credentials(*[""] * 5)
    ours, stock = (
        component_environment(variant.settings(home, 1, 2), nobody, outer={})
        for variant in (OURS, STOCK)
    )
    changed: dict[str, Any] = {k: v for k, v in ours.items() if stock.get(k) != v}
    if set(stock) - set(ours):
        changed |= {k: "(not set)" for k in set(stock) - set(ours)}
    changed.pop("MLOPS_STACK_PROFILE", None)
    return sorted(changed.items())
