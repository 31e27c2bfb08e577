"""Train again from a record, in a process of its own that has nothing of this one."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import ReproductionError
from mlops_tasks.registry.reproduction.environment import Environment  # noqa: TC001 - read back
from mlops_tasks.registry.reproduction.fingerprint import Fingerprint  # noqa: TC001 - read back
from mlops_tasks.registry.reproduction.processes import run_process
from mlops_tasks.serialization import from_json
from mlops_tasks.workers import THREADS_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RESULT", "Answers", "Order", "Retrained", "retrain"]

RESULT = "result.json"
_KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")
# Nobody but this process is told of what is trained, and nothing is shown while it is.
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_THREADS = {
    "openmp": ("OMP_NUM_THREADS",),
    "blas": ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    "allowed": (THREADS_VARIABLE,),
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained again: references, nothing secret.

    Attributes
    ----------
    model, package : str
        The model, and the top-level package of its project.
    project : str
        Folder that its sources were unpacked in.
    lake : str
        Root of the lake, which is only read.
    pin, chosen : dict
        The pin, and the fields of the spec as this fit had them.
    table_model : dict or None
        Of a model of one table, what it was trained as.
    original, digest : str
        Folder of the recorded model, and the digest of its files.
    """

    model: str
    package: str
    project: str
    lake: str
    pin: dict[str, Any]
    chosen: dict[str, Any]
    table_model: dict[str, Any] | None
    original: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What two models say of the same rows.

    Attributes
    ----------
    rows : str
        Which ones: those of the evaluation, or of the training.
    n_rows, n_different : int
        How many, and how many get another answer.
    largest : float
        The largest difference; of a regression relative to the largest prediction.
    """

    rows: str
    n_rows: int
    n_different: int
    largest: float


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a repetition gave, and what it ran in."""

    fingerprint: Fingerprint
    environment: Environment
    answers: Answers
    fit_s: float
    seconds: float = 0.0


def retrain(
    order: Order, python: Path, *, recorded: Environment, folder: Path, limit_s: float
) -> Retrained:
    """Train again by another interpreter.

    Parameters
    ----------
    order : Order
        What.
    python : Path
        Interpreter of the environment.
    recorded : Environment
        Says how many threads may work.
    folder : Path
        Where the process works and leaves its store; of the caller, who removes it.
    limit_s : float
        Seconds, after which the process is killed with all that it has started.

    Raises
    ------
    ReproductionError
        If it cannot be trained, with the reason, and with the input that is at fault.
    """
    started = time.monotonic()
    (folder / "order.json").write_text(json.dumps(asdict(order)))
    command = [str(python), "-s", "-P", "-m", "mlops_tasks.retrainer", str(folder)]
    env = _environment(recorded, folder)
    what = f"training {order.model} again"
    written = run_process(command, env=env, folder=folder, limit_s=limit_s, what=what)
    try:
        said = json.loads((folder / RESULT).read_text())
    except (OSError, ValueError):
        raise ReproductionError(f"{what} left no result: {written[-300:]}") from None
    if "error" in said:
        raise ReproductionError(f"{what} failed: {said['error']}", about=said["about"])
    return from_json(Retrained, said | {"seconds": time.monotonic() - started})


def _environment(recorded: Environment, folder: Path) -> dict[str, str]:
    """Return the variables of the process: none that holds a connection, a login or a path."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = {
        name: str(recorded.threads[kind])
        for kind, names in _THREADS.items()
        if kind in recorded.threads
        for name in names
    }
    own = dict.fromkeys(("HOME", "TMPDIR", "AIRFLOW_HOME"), str(folder))
    return kept | threads | own | _QUIET
