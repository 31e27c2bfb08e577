"""MLflow as tracking and registry store: one thin, typed client that all steps share."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnknownVersionError, UnsafeModelError
from mlops_tasks.registry.artifacts import evidence_path
from mlops_tasks.registry.logged_models import log_safe_model
from mlops_tasks.registry.modelfiles import (
    examine_model,
    files_digest,
    load_model,
    model_bytes,
)
from mlops_tasks.registry.run_tree import (
    ATTEMPT_TAG,
    TRAINING_TAG,
    close_orphans,
    create_run,
    ended_by_signal,
    experiment_id,
    scheduled_run,
    unfinished_run,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.lake import Pin
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = [
    "ATTEMPT_TAG",
    "CHALLENGER",
    "CHAMPION",
    "DIGEST_TAG",
    "Tracking",
]

CHAMPION, CHALLENGER = "champion", "challenger"
DIGEST_TAG = "mlops.digest"
_LOGIN_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def _login_of_environment() -> tuple[str, str] | None:
    user, password = (os.environ.get(name) for name in _LOGIN_VARIABLES)
    return (user, password) if user and password else None


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(content), indent=2).encode()


@dataclass(frozen=True)
class Tracking:
    """A connection to one MLflow server.

    Parameters
    ----------
    uri : str
        Tracking URI; registry and artifacts are the server's.
    tags : mapping, optional
        Tags of every run opened here: which Dag run and task it belongs to, and its address.
    login : tuple of (str, str), optional
        User and password; by default those of MLflow's own variables,
        ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``.
    """

    uri: str
    tags: Mapping[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = field(default_factory=_login_of_environment, repr=False)

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
        """Open a run and close it whatever happens: FINISHED, FAILED by an error, else KILLED.

        A run of the same task (tag ``mlops.task``) and `digest` that an earlier attempt has left
        is gone on with; any other that it has left unfinished is closed as KILLED.

        Parameters
        ----------
        experiment, name : str
            Experiment, made at its first run, and the run's name.
        digest : str, optional
            Of all that the run depends on. Without it, every attempt has a run of its own.
        run_id : str, optional
            A run from `open_run` to go on with, unless it was finished or of something else.
        parent_id : str, optional
            The run that it is part of; a part may be gone on with when it is finished, too.

        Yields
        ------
        str
            The run id; ``mlflow.log_*`` functions log to this run inside the block.
        """
        import mlflow

        self._select()
        home = experiment_id(self.client, experiment)
        tags = dict(self.tags) | ({TRAINING_TAG: digest} if digest else {})
        tags |= {"mlflow.parentRunId": parent_id} if parent_id else {}
        found = unfinished_run(self.client, home, tags, opened=run_id, part=bool(parent_id))
        close_orphans(self.client, home, tags, but=found)
        os.environ.pop("MLFLOW_RUN_ID", None)  # it would win over everything else
        if found:
            self.log_batch(found, tags=tags)
            mlflow.start_run(run_id=found)
        else:
            opened = mlflow.start_run(experiment_id=home, run_name=name, tags=tags)
            found = str(opened.info.run_id)
        status = "KILLED"
        try:
            with ended_by_signal():
                yield found
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            mlflow.end_run(status)

    def open_run(self, experiment: str, name: str) -> str:
        """Open the run of a training whose candidates come first, and leave it to be gone on with.

        Until then it is SCHEDULED, so that nobody has to end it when no training follows.

        Parameters
        ----------
        experiment, name : str
            As for `run`.

        Returns
        -------
        str
            The id of the run; that of an earlier attempt of this task, if there is one.
        """
        self._select()
        home = experiment_id(self.client, experiment)
        if found := scheduled_run(self.client, home, self.tags):
            return found
        run_id = create_run(self.client, home, name, self.tags)
        self.client.update_run(run_id, status="SCHEDULED")
        return run_id

    def log_model(
        self,
        model: Any,
        signature_of: pd.DataFrame,
        *,
        method: str = "predict_proba",
        package: str = "",
        personal: Collection[str] = (),
    ) -> tuple[str, str, str]:
        """Save a fitted model to the open run as safe files and prove that it can be loaded.

        What is proved are the files as they were written, before they are uploaded: whoever loads
        them later compares the digest, so that nothing can be exchanged on the way. They are
        inspected in this process: it has just made them itself, so another one would protect it
        from nobody but its own estimator.

        Parameters
        ----------
        model : estimator
            Fitted.
        signature_of : DataFrame of shape (n_samples, n_features)
            Some rows as the model sees them, for the signature and the golden rows.
        method : str, default ``"predict_proba"``
            The method that gives its predictions, ``"predict"`` for a regressor.
        package : str, optional
            Top-level package of the project, whose classes and functions the model may use.
        personal : collection of str, optional
            Columns that are kept out of the golden rows.

        Returns
        -------
        model_uri, digest, content : str
            ``models:/m-...``, the digest of its files and that of what they hold, `content_digest`.

        Raises
        ------
        UnsafeModelError
            If the model holds something that cannot be saved, or is another one when it is loaded.
        """
        import mlflow

        run = mlflow.active_run()
        if run is None:
            raise RuntimeError("a model is logged to an open run: do it inside of Tracking.run")
        return log_safe_model(
            self.client,
            run.info,
            model,
            signature_of,
            method=method,
            package=package,
            personal=personal,
        )

    def log_pins(self, pins: Mapping[str, Pin], context: str) -> None:
        """Attach pinned tables, by name, to the open run as datasets.

        The store keeps 36 characters of a dataset's digest. The whole one is a tag of the dataset.
        """
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        datasets = [
            MetaDataset(  # type: ignore[abstract]
                CodeDatasetSource({"table": pin.table, "version": str(pin.version)}),
                name=f"{name}@v{pin.version}",
                digest=pin.digest[:36],
            )
            for name, pin in pins.items()
        ]
        tags: list[dict[str, str] | None] = [
            {
                "mlops.digest": pin.digest,
                "mlops.n_rows": str(pin.n_rows),
                "mlops.days": f"{pin.first} to {pin.last}",
            }
            for pin in pins.values()
        ]
        mlflow.log_inputs(list(datasets), contexts=[context] * len(pins), tags_list=tags)

    def log_batch(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Log to a run in one request; the metrics also to a model of it."""
        from mlflow.entities import Metric, Param, RunTag

        now_ms = time.time_ns() // 1_000_000
        self.client.log_batch(
            run_id,
            [
                Metric(name, value, now_ms, step=0, model_id=model_id)
                for name, value in (metrics or {}).items()
            ],
            [Param(name, value) for name, value in (params or {}).items()],
            [RunTag(name, value) for name, value in (tags or {}).items()],
        )

    def log_json(self, run_id: str, name: str, content: Mapping[str, Any]) -> str:
        """Store a small JSON artifact of a run; return its SHA-256."""
        return self.log_bytes(run_id, name, _json(content))

    def read_json(self, run_id: str, name: str) -> dict[str, Any]:
        """Read a JSON artifact of a run."""
        return dict(json.loads(self.read_bytes(run_id, name)))

    def log_bytes(self, run_id: str, name: str, content: bytes) -> str:
        """Store an artifact of a run, whose `name` may have folders; return its SHA-256."""
        path = PurePosixPath(name)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, path.name).write_bytes(content)
            parent = None if path.parent == PurePosixPath() else str(path.parent)
            self.client.log_artifact(run_id, str(Path(folder, path.name)), parent)
        return hashlib.sha256(content).hexdigest()

    def log_evidence(self, run_id: str, name: str, content: bytes | Mapping[str, Any]) -> str:
        """Store bytes, or small JSON, that the ledger is to have the SHA-256 of; return that.

        Overlapping attempts of one task may each have their own content: on another machine, with
        another measured millisecond. The file of this `name` is that of the last one, for people;
        `read_artifact` finds the one whose digest was entered.
        """
        content = content if isinstance(content, bytes) else _json(content)
        digest = hashlib.sha256(content).hexdigest()
        self.log_bytes(run_id, evidence_path(name, digest), content)
        return self.log_bytes(run_id, name, content)

    def read_bytes(self, run_id: str, name: str) -> bytes:
        """Read an artifact of a run that nothing depends on."""
        with self._artifact(run_id, name) as path:
            return path.read_bytes()

    @contextmanager
    def _artifact(self, run_id: str, name: str) -> Iterator[Path]:
        import mlflow

        self._select()
        with tempfile.TemporaryDirectory() as folder:
            yield Path(
                mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=self.uri
                )
            )

    def read_artifact(self, version: RegisteredVersion, name: str) -> bytes:
        """Read an artifact of a version's run that a decision depends on.

        Raises
        ------
        UnknownVersionError
            If the ledger has no digest of it.
        UnsafeModelError
            If it is not what was stored.
        """
        if name not in version.artifacts:
            raise UnknownVersionError(
                f"version {version.version} of {version.name!r}: the ledger has no digest of "
                f"{name}, so it is not read. Look at the version in MLflow; if it is yours, take "
                f"it over: mlops ledger adopt {version.name} {version.version}"
            )
        content = self.read_bytes(version.run_id, self._kept_at(version, name))
        found = hashlib.sha256(content).hexdigest()
        if found != version.artifacts[name]:
            raise UnsafeModelError(
                f"{name} of run {version.run_id}, version {version.version} of "
                f"{version.name!r}, has digest {found[:12]}, stored was "
                f"{version.artifacts[name][:12]}: it was changed in MLflow. Nothing was "
                "decided; restore it, roll back or train again"
            )
        return content

    def _kept_at(self, version: RegisteredVersion, name: str) -> str:
        """Return the path of an artifact; an older training has only one under its plain name."""
        path = PurePosixPath(evidence_path(name, version.artifacts[name]))
        there = self.client.list_artifacts(version.run_id, str(path.parent))
        return str(path) if any(one.path == str(path) for one in there) else name

    def digest_model(self, model_uri: str, code: Collection[str] = ()) -> str:
        """Download a model that nobody vouches for, examine it and return its digest.

        Parameters
        ----------
        model_uri : str
            Where MLflow has it.
        code : collection of str, optional
            Classes and functions of a project that it may import, on the word of a person.

        Raises
        ------
        UnsafeModelError
            If it must not be loaded.
        """
        with self.downloaded(model_uri) as folder:
            examine_model(folder, frozenset(code))
            return files_digest(folder)

    def digest_artifacts(self, run_id: str, names: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of those artifacts that the run has."""
        there = {found.path for found in self.client.list_artifacts(run_id)}
        return {
            name: hashlib.sha256(self.read_bytes(run_id, name)).hexdigest()
            for name in names
            if name in there
        }

    def gate_metrics(self, run_id: str) -> dict[str, float]:
        """Return what a run has logged of its evaluation."""
        prefix, metrics = "eval_", self.client.get_run(run_id).data.metrics
        return {
            name.removeprefix(prefix): value
            for name, value in metrics.items()
            if name.startswith(prefix)
        }

    def by_version(self, model: str, version: str) -> ModelVersion:
        """Return what MLflow says of a version: to be shown; loading goes by the ledger."""
        return self.client.get_model_version(model, version)

    def versions(self) -> list[ModelVersion]:
        """Return every version of every registered model."""
        found: list[ModelVersion] = []
        token: str | None = None
        while token != "":
            page = self.client.search_model_versions(page_token=token)
            found += page
            token = page.token or ""
        return found

    def load(self, model_uri: str, digest: str) -> Any:
        """Download a model and load it, if it is the one that was examined.

        Parameters
        ----------
        model_uri : str
            Where MLflow has it.
        digest : str
            Of a version in the ledger, or of a training: those were examined.
        """
        return self.load_sized(model_uri, digest)[0]

    def load_sized(self, model_uri: str, digest: str) -> tuple[Any, int]:
        """Load a model as `load` does; also return the size of its files in bytes."""
        with self.downloaded(model_uri) as folder:
            return load_model(folder, digest=digest, examined=True), model_bytes(folder)

    @property
    def client(self) -> MlflowClient:
        """The MLflow client of this server."""
        self._select()
        return self._client

    def _select(self) -> None:
        """Make this the server of the process, as MLflow has it: model URIs have no server."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        # Read at each request. What another server was given must not be sent to this one.
        for name, value in zip(_LOGIN_VARIABLES, self.login or ("", ""), strict=True):
            if value:
                os.environ[name] = value
            else:
                os.environ.pop(name, None)

    @cached_property
    def _client(self) -> MlflowClient:
        import mlflow

        return mlflow.MlflowClient(self.uri)

    @contextmanager
    def downloaded(self, model_uri: str) -> Iterator[Path]:
        """Give the files of a model, in a folder of their own until the block ends."""
        import mlflow

        self._select()
        with tempfile.TemporaryDirectory(prefix="model-") as folder:
            yield Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=folder))
