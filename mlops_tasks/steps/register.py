"""Register: a trained model becomes a version; promote: a version becomes the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import (
    ChampionChangedError,
    NoChampionError,
    UnknownVersionError,
    UnsafeModelError,
)
from mlops_tasks.faults import fault_point
from mlops_tasks.registry.tracking import ARTIFACTS, CHALLENGER, CHAMPION, DIGEST_TAG
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import TrainResult

__all__ = ["adopt", "champion_of", "promote", "register", "registered_version"]

_RUN_TAG = "mlops.run"


def register(
    name: str,
    trained: TrainResult,
    verdict: Verdict,
    *,
    tracking: Tracking,
    ledger: Ledger,
    tags: Mapping[str, str] | None = None,
    description: str = "",
    dag_run: str = "",
) -> RegisteredVersion:
    """Make one version of a registered model and point the alias ``challenger`` at it.

    Parameters
    ----------
    name : str
        Registered model; made at its first version.
    trained : TrainResult
        The model to register; the training has examined its files.
    verdict : Verdict
        Written to the version's tags, also when it says "keep".
    tracking : Tracking
        The registry.
    ledger : Ledger
        Keeps the digests, without which no version is loaded.
    tags : mapping, optional
        More tags.
    description : str, optional
        Markdown that the version's page shows.
    dag_run : str, optional
        Named in the ledger.

    Returns
    -------
    RegisteredVersion
        The version as the ledger has it.

    Notes
    -----
    A run is registered once: versions are searched by its id first, and should two attempts or a
    repeated request have made several, the lowest stays. A number that the ledger knows as another
    run's, because MLflow has begun to count anew, is given back and the next one taken.
    """
    client = tracking.client
    version: RegisteredVersion | None = None
    while version is None:
        found = _versions(tracking, name, trained.run_id)
        if not found:
            _ensure_model(tracking, name)
            client.create_model_version(
                name,
                source=trained.model_uri,
                run_id=trained.run_id,
                tags={**(tags or {}), **_shown(trained, verdict)},
                model_id=trained.model_id,
                description=description,
            )
            found = _versions(tracking, name, trained.run_id)
        fault_point("register:after_version")
        version = _enter(name, found, trained, verdict, ledger, dag_run)
        for extra in found:
            if version is None or str(extra.version) != version.version:
                client.delete_model_version(name, extra.version)
    fault_point("register:after_ledger")
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return version


def promote(
    challenger: RegisteredVersion,
    verdict: Verdict,
    *,
    as_of: str,
    tracking: Tracking,
    ledger: Ledger,
    dag_run: str = "",
) -> bool:
    """Make the challenger the champion if the gate said so and nobody was faster.

    Parameters
    ----------
    challenger : RegisteredVersion
        The version the verdict is about.
    verdict : Verdict
        The gate's verdict; "keep" changes nothing.
    as_of : str
        The night the challenger was trained as of.
    tracking, ledger : Tracking, Ledger
        The alias follows the ledger's compare-and-set.
    dag_run : str, optional
        Named in the ledger.

    Returns
    -------
    bool
        True if the challenger is the champion now.

    Raises
    ------
    ChampionChangedError
        If the champion is no longer the version that the gate compared against.
    UnknownVersionError
        If the ledger does not know the challenger.
    """
    name, version = challenger.name, challenger.version
    if verdict.verdict != "promote":
        return False
    digest = registered_version(name, version, ledger=ledger).digest
    evidence = {
        "version": version,
        "previous": verdict.champion_version,
        "reason": verdict.reason,
        "digest": digest,
        "run_id": challenger.run_id,
    }
    if not ledger.promote(
        name,
        expected=verdict.champion_version,
        version=version,
        key=as_of,
        evidence=evidence,
        dag_run=dag_run,
    ):
        raise ChampionChangedError(
            f"model {name!r}: the gate compared version {version} with champion "
            f"{verdict.champion_version}, but the champion is {ledger.champion(name)} now; nothing "
            "was changed. Train again to compare with the new champion"
        )
    fault_point("promote:after_ledger")
    tracking.client.set_registered_model_alias(name, CHAMPION, version)
    return True


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

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        The ledger says which version it is, and which files it has; the registry follows.

    Returns
    -------
    RegisteredVersion
        The version; carry it on, the champion may change meanwhile.

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
    if CHAMPION not in _in_mlflow(name, current.version, tracking).aliases:
        tracking.client.set_registered_model_alias(name, CHAMPION, current.version)
    return version


def adopt(
    name: str,
    version: str,
    *,
    tracking: Tracking,
    ledger: Ledger,
    reason: str,
    person: str,
    champion: bool = False,
) -> RegisteredVersion:
    """Take over a version that the ledger does not know, on the word of a person.

    Parameters
    ----------
    name, version : str
        Registered model and version, as MLflow has them.
    tracking, ledger : Tracking, Ledger
        Where the files are, and where their digests are kept from now on.
    reason, person : str
        Why, and who says so; written down.
    champion : bool, default False
        Make it the champion too, if the ledger has none.

    Returns
    -------
    RegisteredVersion
        The version as the ledger has it now.

    Raises
    ------
    UnknownVersionError
        If MLflow does not have it.
    UnsafeModelError
        If its files must not be loaded, or the ledger knows other files as this version.
    ChampionChangedError
        If it should be the champion and there is another one.
    """
    found, known = _in_mlflow(name, version, tracking), ledger.registration(name, version)
    run_id = known.run_id if known else found.run_id or ""
    adopted = RegisteredVersion(
        name=name,
        version=version,
        run_id=run_id,
        model_uri=found.source or "",
        digest=tracking.digest_model(found.source or ""),
        artifacts=tracking.digest_artifacts(run_id, ARTIFACTS),
        metrics=tracking.gate_metrics(run_id),
    )
    evidence = {"reason": reason, "person": person, "digest": adopted.digest, "run_id": run_id}
    if not ledger.adopt(adopted, evidence=evidence, recorded_by="mlops ledger adopt"):
        raise UnsafeModelError(
            f"the files of version {version} of {name!r} in MLflow have digest "
            f"{adopted.digest[:12]}, the ledger knows others: they were changed after "
            "registration. Nothing was taken over; roll back or train again"
        )
    if champion:
        _first_champion(name, version, evidence, tracking=tracking, ledger=ledger)
    return registered_version(name, version, ledger=ledger)


def _first_champion(
    name: str, version: str, evidence: dict[str, str], *, tracking: Tracking, ledger: Ledger
) -> None:
    said: dict[str, object] = {**evidence, "version": version, "previous": None}
    if not ledger.promote(
        name, expected=None, version=version, key=f"adoption of {version}", evidence=said
    ):
        raise ChampionChangedError(
            f"model {name!r}: version {version} was taken over, but {ledger.champion(name)} is the "
            "champion, which only a promotion or a rollback replaces"
        )
    tracking.client.set_registered_model_alias(name, CHAMPION, version)


def _enter(
    name: str,
    found: list[ModelVersion],
    trained: TrainResult,
    verdict: Verdict,
    ledger: Ledger,
    dag_run: str,
) -> RegisteredVersion | None:
    """Enter the lowest version of a run whose number the ledger does not know as another's."""
    for one in found:
        version = RegisteredVersion(
            name=name,
            version=str(one.version),
            run_id=trained.run_id,
            model_uri=trained.model_uri,
            digest=trained.digest,
            artifacts={**trained.artifacts, **verdict.artifacts},
            metrics=verdict.challenger,
        )
        if ledger.register(version, recorded_by=dag_run):
            return version
    return None


def _shown(trained: TrainResult, verdict: Verdict) -> dict[str, str]:
    """Return what the version's page shows; nothing is decided by it."""
    return {
        _RUN_TAG: trained.run_id,
        DIGEST_TAG: trained.digest,
        "mlops.verdict": verdict.verdict,
        "mlops.verdict_reason": verdict.reason,
        "mlops.roc_auc": f"{verdict.challenger.get('roc_auc')}",
    }


def _in_mlflow(name: str, version: str, tracking: Tracking) -> ModelVersion:
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


def _ensure_model(tracking: Tracking, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracking.client.create_registered_model(name)
    except MlflowException as error:  # also when the reply to our own first call was lost
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _versions(tracking: Tracking, name: str, run_id: str) -> list[ModelVersion]:
    found = tracking.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return sorted(found, key=lambda version: int(version.version))
