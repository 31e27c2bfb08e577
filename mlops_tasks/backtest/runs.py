"""What trainings keep, in a folder: a backtest needs no server, and registers nothing."""

from __future__ import annotations

import hashlib
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.modelfiles import (
    check_types,
    detached_boosters,
    files_digest,
    load_model,
    model_bytes,
    write_extra_files,
)
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pandas as pd

    from mlops_tasks.lake import Pin
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["RunFolder"]

_EXTRA, _WEIGHTS = "extra_files", "model.skops"


@dataclass(frozen=True)
class RunFolder(Tracking):
    """Runs as folders: what steps log of a training is a file, and what they load is remembered.

    The steps of a backtest ask it what they would ask MLflow. Models are the same safe files, read
    once in a process.

    Parameters
    ----------
    uri : str
        The folder.
    """

    login: None = None
    _loaded: dict[str, tuple[Any, int]] = field(default_factory=dict, repr=False)
    _read: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    _open: list[str] = field(default_factory=list, repr=False)

    @contextmanager
    def run(
        self,
        experiment: str,
        name: str,
        *,
        digest: str = "",
        run_id: str = "",
        parent_id: str = "",
    ) -> Iterator[str]:
        """Open a run; one that is named is gone on with."""
        self._open.append(run_id or uuid.uuid4().hex)
        try:
            yield self._open[-1]
        finally:
            self._open.pop()

    def open_run(self, experiment: str, name: str) -> str:
        """Return the id of a run to be gone on with."""
        return uuid.uuid4().hex

    def log_model(
        self,
        model: Any,
        signature_of: pd.DataFrame,
        *,
        method: str = "predict_proba",
        package: str = "",
        personal: Collection[str] = (),
    ) -> tuple[str, str, str]:
        """Save a fitted model to the open run, as the same safe files as MLflow would have."""
        import skops.io

        names = check_types(model, package)
        folder = Path(self.uri, self._open[-1], "model")
        (folder / _EXTRA).mkdir(parents=True)
        write_extra_files(model, folder / _EXTRA, names)
        with detached_boosters(model):
            skops.io.dump(model, folder / _WEIGHTS)
        uri, digest = str(folder), files_digest(folder)
        self._loaded[uri] = model, model_bytes(folder)
        return uri, digest, digest

    def load_sized(self, model_uri: str, digest: str) -> tuple[Any, int]:
        """Return a model and the size of its files; it is read once."""
        if model_uri not in self._loaded:
            folder = Path(model_uri)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # skops asks every loaded module for its names
                model = load_model(folder, digest=digest, examined=True)
            self._loaded[model_uri] = model, model_bytes(folder)
        return self._loaded[model_uri]

    def log_bytes(self, run_id: str, name: str, content: bytes) -> str:
        """Keep a file of a run; return its SHA-256."""
        path = Path(self.uri, run_id, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def read_bytes(self, run_id: str, name: str) -> bytes:
        """Read a file of a run; what was read is remembered."""
        if (run_id, name) not in self._read:
            self._read[run_id, name] = Path(self.uri, run_id, name).read_bytes()
        return self._read[run_id, name]

    def read_artifact(self, version: RegisteredVersion, name: str) -> bytes:
        """Read a file of a version's run."""
        return self.read_bytes(version.run_id, name)

    def log_pins(self, pins: Mapping[str, Pin], context: str) -> None:
        """Do nothing: the pin itself is a file of the run."""

    def log_batch(self, run_id: str, **facts: Any) -> None:
        """Do nothing: what is measured of a run is in the verdict on it."""
