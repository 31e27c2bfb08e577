"""Adopt: a person vouches for a version that the ledger does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ChampionChangedError, UnsafeModelError
from mlops_tasks.registry.artifacts import ARTIFACTS
from mlops_tasks.registry.champions import (
    mlflow_version,
    move_champion,
    reconcile_alias,
    registered_version,
)
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["adopt"]


def adopt(
    name: str,
    version: str,
    *,
    tracking: Tracking,
    ledger: Ledger,
    reason: str,
    person: str,
    champion: bool = False,
    code: Collection[str] = (),
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
    code : collection of str, optional
        Classes and functions of its project that it may import, ``trips.model.Clipper``.

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
    found = mlflow_version(name, version, tracking=tracking)
    known = ledger.registration(name, version)
    run_id = known.run_id if known else found.run_id or ""
    adopted = RegisteredVersion(
        name=name,
        version=version,
        run_id=run_id,
        model_uri=found.source or "",
        digest=tracking.digest_model(found.source or "", code),
        artifacts=tracking.digest_artifacts(run_id, ARTIFACTS),
        metrics=tracking.gate_metrics(run_id),
    )
    word = {"reason": reason, "person": person}
    evidence = word | {"digest": adopted.digest, "run_id": run_id}
    if not ledger.adopt(adopted, evidence=evidence, recorded_by="mlops ledger adopt", by=person):
        raise UnsafeModelError(
            f"the files of version {version} of {name!r} in MLflow have digest "
            f"{adopted.digest[:12]}, the ledger knows others: they were changed after "
            "registration. Nothing was taken over; roll back or train again"
        )
    if champion:
        _make_champion(adopted, word, tracking=tracking, ledger=ledger)
    return registered_version(name, version, ledger=ledger)


def _make_champion(
    version: RegisteredVersion, word: dict[str, str], *, tracking: Tracking, ledger: Ledger
) -> None:
    now = ledger.champion(version.name)
    if now is None:
        key = f"adoption of {version.version}"
        move_champion(
            version,
            generation=0,
            key=key,
            evidence=word,
            tracking=tracking,
            ledger=ledger,
            by=word["person"],
        )
    elif now.version == version.version:
        reconcile_alias(version.name, tracking=tracking, ledger=ledger)
    else:
        raise ChampionChangedError(
            f"model {version.name!r}: version {version.version} was taken over, but version "
            f"{now.version} is the champion, which only a promotion or a rollback replaces"
        )
