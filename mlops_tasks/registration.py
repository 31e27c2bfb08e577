"""Register: a trained model becomes a version; promote: a version becomes the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ChampionChangedError, NoChampionError
from mlops_tasks.faults import fault_point
from mlops_tasks.tracking import CHALLENGER, CHAMPION, DIGEST_TAG, RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.ledger import Ledger
    from mlops_tasks.tracking import Tracking
    from mlops_tasks.types import TrainResult, Verdict

__all__ = ["champion_of", "promote", "register"]

_RUN_TAG = "mlops.run"


def register(
    name: str,
    trained: TrainResult,
    verdict: Verdict,
    *,
    tracking: Tracking,
    tags: Mapping[str, str] | None = None,
    description: str = "",
) -> RegisteredVersion:
    """Make one version of a registered model and point the alias ``challenger`` at it.

    Parameters
    ----------
    name : str
        Registered model; made at its first version.
    trained : TrainResult
        The model to register.
    verdict : Verdict
        Written to the version's tags, also when it says "keep".
    tracking : Tracking
        The registry.
    tags : mapping, optional
        More tags.
    description : str, optional
        Markdown that the version's page shows.

    Returns
    -------
    RegisteredVersion
        The version.

    Notes
    -----
    A run is registered once: versions are searched by its id first, and should two attempts or a
    repeated request have made several, the lowest stays.
    """
    client = tracking.client
    found = _versions(tracking, name, trained.run_id)
    if not found:
        _ensure_model(tracking, name)
        all_tags = {
            **(tags or {}),
            _RUN_TAG: trained.run_id,
            DIGEST_TAG: trained.digest,
            "mlops.verdict": verdict.verdict,
            "mlops.verdict_reason": verdict.reason,
            "mlops.roc_auc": f"{verdict.challenger.get('roc_auc')}",
        }
        client.create_model_version(
            name,
            source=trained.model_uri,
            run_id=trained.run_id,
            tags=all_tags,
            model_id=trained.model_id,
            description=description,
        )
        found = _versions(tracking, name, trained.run_id)
    for extra in found[1:]:
        client.delete_model_version(name, extra.version)
    version = str(found[0].version)
    client.set_registered_model_alias(name, CHALLENGER, version)
    return tracking.by_version(name, version)


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
    """
    name, version = challenger.name, challenger.version
    if verdict.verdict != "promote":
        return False
    evidence = {
        "version": version,
        "previous": verdict.champion_version,
        "reason": verdict.reason,
        "digest": challenger.digest,
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


def champion_of(name: str, *, tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    """Return the champion, and put the alias right if an interrupted promotion left it behind.

    Parameters
    ----------
    name : str
        Registered model.
    tracking, ledger : Tracking, Ledger
        The ledger says which version it is; the registry follows.

    Returns
    -------
    RegisteredVersion
        The version; carry it on, the champion may change meanwhile.

    Raises
    ------
    NoChampionError
        If nothing was promoted yet.
    """
    current = ledger.champion(name)
    if current is None:
        raise NoChampionError(
            f"model {name!r} has no champion yet; trigger the Dag {name}.train, its gate promotes "
            "the first one"
        )
    version = tracking.by_version(name, current.version)
    if CHAMPION not in version.aliases:
        tracking.client.set_registered_model_alias(name, CHAMPION, version.version)
    return version


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
