"""The champion: the ledger says which version it is, MLflow's alias follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import NoChampionError, UnknownVersionError, UnsafeModelError
from mlops_tasks.faults import fault_point
from mlops_tasks.registry.aliases import ALIASES, project_aliases
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.tracking import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.registry.ledger import Champion, Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = [
    "champion_of",
    "load_version",
    "mlflow_version",
    "move_champion",
    "reconcile_alias",
    "registered_version",
]


def registered_version(name: str, version: str, *, ledger: Ledger) -> RegisteredVersion:
    """Return a version as the ledger knows it.

    Parameters
    ----------
    name, version : str
        Registered model and version.
    ledger : Ledger
        It alone says which files the version has; what MLflow says of it may have been changed.

    Returns
    -------
    RegisteredVersion
        With the digests of its files.

    Raises
    ------
    UnknownVersionError
        If nobody has registered or adopted it.
    """
    known = ledger.registration(name, version)
    if known is None:
        raise UnknownVersionError(
            f"version {version} of {name!r} is not in the ledger, so nobody knows which files it "
            "should have, and it is not loaded. Look at it in MLflow; if it is yours, take it "
            f"over: mlops ledger adopt {name} {version}"
        )
    return known


def champion_of(name: str, *, tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    """Return the champion, and put the alias right if an interrupted promotion left it behind.

    One that others have moved is left where it is, written down and logged.

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        The ledger says which version it is, and which files it has; the registry follows.

    Returns
    -------
    RegisteredVersion
        The version, with its generation; carry it on, the champion may change meanwhile.

    Raises
    ------
    NoChampionError
        If nothing was promoted yet.
    UnknownVersionError
        If the ledger does not know its files, or MLflow does not have it any more.
    """
    current = ledger.champion(name)
    if current is None:
        raise NoChampionError(
            f"model {name!r} has no champion yet; trigger the Dag {name}.train, its gate promotes "
            f"the first one. If the ledger was lost: mlops ledger adopt {name} VERSION --champion"
        )
    version = registered_version(name, current.version, ledger=ledger)
    if CHAMPION not in mlflow_version(name, current.version, tracking=tracking).aliases:
        project_aliases(name, tracking=tracking, ledger=ledger)
    return replace(version, generation=current.generation)


def move_champion(
    version: RegisteredVersion,
    *,
    generation: int,
    key: str,
    evidence: Mapping[str, Any],
    tracking: Tracking,
    ledger: Ledger,
    dag_run: str = "",
    by: str = "",
    kind: str = EvidenceKind.PROMOTION,
) -> Champion:
    """Make a version the champion: first in the ledger, see `Ledger.promote`, then by its alias."""
    fault_point("promote:before_ledger")
    champion = ledger.promote(
        version.name,
        version=version.version,
        generation=generation,
        key=key,
        evidence={**evidence, "digest": version.digest, "run_id": version.run_id},
        dag_run=dag_run,
        by=by,
        kind=kind,
    )
    fault_point("promote:after_ledger")
    about = {"dag_run": dag_run, "by": by}
    project_aliases(version.name, tracking=tracking, ledger=ledger, force=ALIASES, **about)
    return champion


def reconcile_alias(name: str, *, tracking: Tracking, ledger: Ledger) -> None:
    """Point MLflow's aliases at the ledger's versions, also where others have moved them.

    That they did is in the ledger first.
    """
    project_aliases(name, tracking=tracking, ledger=ledger, force=ALIASES)


def mlflow_version(name: str, version: str, *, tracking: Tracking) -> ModelVersion:
    """Return a version as MLflow has it, or say that it is gone."""
    from mlflow.exceptions import MlflowException

    try:
        return tracking.by_version(name, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UnknownVersionError(
            f"version {version} of {name!r} is not in MLflow: it was deleted there, or MLflow was "
            "restored from an older backup. Restore it, or promote another version"
        ) from error


def load_version(version: RegisteredVersion, *, tracking: Tracking) -> Any:
    """Load the model of a version that the ledger knows; an error names the version."""
    try:
        return tracking.load(version.model_uri, version.digest)
    except UnsafeModelError as error:
        raise UnsafeModelError(f"version {version.version} of {version.name!r}: {error}") from error
