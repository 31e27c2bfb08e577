"""A version's files from one MLflow to another, with the digests that the first ledger has."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import files_digest, load_model
from mlops_tasks.registry.versions import TrainResult

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["fetch_files", "store_files"]

_MODEL, _ARTIFACTS = "model", "artifacts"
_DOWNLOADED = "registered_model_meta"  # MLflow adds it to what is downloaded


def fetch_files(version: RegisteredVersion, folder: Path, *, tracking: Tracking) -> None:
    """Download a version into a folder, each file compared with the ledger's digest of it.

    Parameters
    ----------
    version : RegisteredVersion
        As the ledger of its environment knows it.
    folder : Path
        An empty folder that nobody else writes to.
    tracking : Tracking
        MLflow of its environment.

    Raises
    ------
    UnsafeModelError
        If a file is not what was registered, or must not be loaded here.
    """
    with tracking.downloaded(version.model_uri) as files:
        load_model(files, digest=version.digest)  # examined, and with what is installed here
        shutil.copytree(files, folder / _MODEL, ignore=shutil.ignore_patterns(_DOWNLOADED))
    (folder / _ARTIFACTS).mkdir()
    for name in version.artifacts:
        (folder / _ARTIFACTS / name).write_bytes(tracking.read_artifact(version, name))


def store_files(
    version: RegisteredVersion, folder: Path, *, tracking: Tracking, origin: str
) -> TrainResult:
    """Upload what `fetch_files` has fetched to another MLflow, and prove that it is the same there.

    Parameters
    ----------
    version : RegisteredVersion
        As the ledger that it comes from knows it.
    folder : Path
        Its files.
    tracking : Tracking
        The other MLflow.
    origin : str
        Where it comes from, for the run's page.

    Returns
    -------
    TrainResult
        As a training would return it.

    Raises
    ------
    UnsafeModelError
        If something else arrives than was sent.
    """
    with tracking.run(version.name, f"copy of version {version.version}") as run_id:
        client = tracking.client
        experiment = client.get_run(run_id).info.experiment_id
        made = client.create_logged_model(experiment, name="model", source_run_id=run_id)
        client.log_model_artifacts(made.model_id, str(folder / _MODEL))
        client.finalize_logged_model(made.model_id, "READY")
        artifacts = {
            path.name: tracking.log_evidence(run_id, path.name, path.read_bytes())
            for path in sorted((folder / _ARTIFACTS).iterdir())
        }
        tracking.log_batch(run_id, tags={"mlops.copied_from": origin})
    uri = f"models:/{made.model_id}"
    with tracking.downloaded(uri) as files:
        found = files_digest(files)
    if found != version.digest or artifacts != version.artifacts:
        raise UnsafeModelError(
            f"version {version.version} of {version.name!r} arrived as other bytes than were sent "
            f"({found[:12]}, sent {version.digest[:12]}): something writes to the store. Nothing "
            "was registered"
        )
    return TrainResult(run_id, made.model_id, uri, found, 0, {}, 0.0, artifacts=artifacts)
