"""A lake, a ledger and an MLflow store of a trial's own, removed with it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.lake import Lake
from mlops_tasks.maintenance import sweep_scratch
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.scratch import scratch
from mlops_tasks.tuning import Studies

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TrialStores", "empty_folder", "trial_stores"]

_LAKE, _LEDGER, _MLFLOW, _STUDIES = "lake", "ledger.db", "mlflow.db", "studies.db"
# MLflow keeps the engine of every store that a process has seen: without a pool it keeps no file of
# a store open that is gone. Where it is and who logs in are the process's as well.
_SETTINGS = {"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"}
_RESTORED = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
# Before the first import of MLflow, which reads them then.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True, slots=True)
class TrialStores:
    """Where a trial works: nothing of the user's own lake, ledger or MLflow."""

    lake: Lake
    ledger: Ledger
    tracking: Tracking
    studies: Studies


@contextmanager
def trial_stores(model: str, keep: Path | None = None) -> Iterator[TrialStores]:
    """Make the stores of one trial, and remove them at its end.

    What a killed trial has left, and any dead process of this user, is removed first.

    Parameters
    ----------
    model : str
        The model.
    keep : Path, optional
        A new or empty folder that they are made in, and stay.

    Yields
    ------
    TrialStores
        Empty ones.

    Raises
    ------
    MlopsError
        If the folder to keep holds something.
    """
    sweep_scratch()
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with scratch() as folder:
        home = empty_folder(keep) if keep else folder
        with _own_mlflow():
            (home / _MLFLOW).write_bytes(_empty_mlflow_store())
            tracking = Tracking(f"sqlite:///{home / _MLFLOW}", login=None)
            # A store without a server would put artifacts below the current folder.
            tracking.client.create_experiment(model, artifact_location=str(home / "artifacts"))
            ledger, studies = (f"sqlite:///{home / name}" for name in (_LEDGER, _STUDIES))
            yield TrialStores(Lake(home / _LAKE), Ledger(ledger), tracking, Studies(studies))


def empty_folder(folder: Path) -> Path:
    """Make a folder that is kept, or refuse one that holds something."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = next(folder.iterdir(), None)
    except OSError as error:
        raise MlopsError(
            f"the folder to keep the trial in, {folder}, cannot be used: {error.strerror}; name "
            "another one"
        ) from error
    if taken is not None:
        raise MlopsError(
            f"the folder to keep the trial in, {folder}, has {taken.name} in it; name a new or an "
            "empty folder"
        )
    return folder.resolve()


@cache
def _empty_mlflow_store() -> bytes:
    """Return the file of a new MLflow store, once for each process: its migrations take seconds."""
    from mlflow import MlflowClient

    with TemporaryDirectory() as folder:
        path = Path(folder, _MLFLOW)
        MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
        return path.read_bytes()


@contextmanager
def _own_mlflow() -> Iterator[None]:
    """Give the process back the MLflow that it had."""
    import mlflow

    is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if is_set else None
    kept = {name: os.environ.get(name) for name in (*_RESTORED, *_SETTINGS)}
    os.environ.update(_SETTINGS)
    log = logging.getLogger("mlflow.store.db.utils")  # it names each engine that it makes
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None: none is set
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
