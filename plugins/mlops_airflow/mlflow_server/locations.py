"""Keep what clients upload inside the folder or bucket that the server was started with.

MLflow lets a client choose where the artifacts of its experiment lie, on the server's own disk too:
in a Dags folder, an uploaded Python file is run by Airflow.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

__all__ = ["is_inside", "keep_artifacts_inside"]

#: Addresses that lead to artifacts of this server, and are resolved to where they lie.
_RESOLVED = {"mlflow-artifacts", "models", "runs"}


def keep_artifacts_inside() -> None:
    """Change MLflow in this process: it refuses locations that clients choose, and opens none."""
    from mlflow.environment_variables import MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX
    from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR

    pattern = rf"^({'|'.join(sorted(_RESOLVED))}):/"
    os.environ[MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX.name] = pattern
    _refuse_chosen_locations()
    _open_only_below(os.environ[ARTIFACTS_DESTINATION_ENV_VAR])


def is_inside(location: str, root: str) -> bool:
    """Return whether artifacts at a location are those of this server.

    Parameters
    ----------
    location : str
        As a client or the database has it: an address or a path.
    root : str
        Where the server keeps artifacts.

    Returns
    -------
    bool
        False for every other place, and for whatever tries to lead out of this one.

    Examples
    --------
    >>> is_inside("file:///srv/artifacts/1/models", "file:///srv/artifacts")
    True
    >>> is_inside("file:///srv/artifacts/../dags", "file:///srv/artifacts")
    False
    """
    scheme, _, path = location.partition(":")
    root = root.rstrip("/")
    if scheme in _RESOLVED and not path.startswith("//"):
        return _stays_below(path)
    return location == root or (
        location.startswith(f"{root}/") and _stays_below(location.removeprefix(root))
    )


def _stays_below(path: str) -> bool:
    plain = _unquoted(path)
    return ".." not in plain.split("/") and not any(c < " " or c in "\\?#" for c in plain)


def _unquoted(text: str) -> str:
    while (plain := unquote(text)) != text:
        text = plain
    return text


def _refuse_chosen_locations() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    original = SqlAlchemyStore.create_experiment

    def create_experiment(
        self: SqlAlchemyStore, name: str, artifact_location: str | None = None, tags: Any = None
    ) -> str:
        if artifact_location:
            raise MlflowException.invalid_parameter_value(
                f"Experiment {name!r} cannot choose its artifact_location: this server keeps all "
                "artifacts itself. Create it without one."
            )
        experiment_id: str = original(self, name, None, tags)  # type: ignore[no-untyped-call]
        return experiment_id

    SqlAlchemyStore.create_experiment = create_experiment  # type: ignore[method-assign]


def _open_only_below(root: str) -> None:
    """Also for what was stored before, and for tags that say where the data of a trace lies."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import ArtifactRepositoryRegistry

    original = ArtifactRepositoryRegistry.get_artifact_repository

    def get_artifact_repository(
        self: ArtifactRepositoryRegistry,
        artifact_uri: str,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
    ) -> ArtifactRepository:
        if not is_inside(artifact_uri, root):
            raise MlflowException.invalid_parameter_value(
                f"Artifacts at {artifact_uri!r} are not kept by this server, so it opens none "
                "there. Log them again to an experiment without an artifact_location."
            )
        return original(self, artifact_uri, tracking_uri, registry_uri)

    ArtifactRepositoryRegistry.get_artifact_repository = get_artifact_repository  # type: ignore[method-assign]
