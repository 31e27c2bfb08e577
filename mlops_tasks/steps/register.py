"""Register: a trained model becomes a version."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.registry.aliases import project_aliases
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.model_page import describe_model, version_description
from mlops_tasks.registry.tracking import CHALLENGER, DIGEST_TAG
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import TrainResult

__all__ = ["register"]

_log = logging.getLogger(__name__)
_FOUND = (
    "%s version %s was trained on the same rows with the same parameters and code: it stands, and "
    "run %s makes no version of its own"
)
_RUN_TAG = "mlops.run"
_TAG = 1000  # characters of a tag that people read


def register(
    name: str,
    trained: TrainResult,
    verdict: Verdict | None,
    *,
    tracking: Tracking,
    ledger: Ledger,
    tags: Mapping[str, str] | None = None,
    description: str = "",
    dag_run: str = "",
    by: str = "",
) -> RegisteredVersion:
    """Make one version of a registered model and point the alias ``challenger`` at it.

    A training of the same rows, parameters and code as a version that is there makes no second one.

    Parameters
    ----------
    name : str
        Registered model; made at its first version.
    trained : TrainResult
        The model to register; the training has examined its files.
    verdict : Verdict or None
        Written to the version's tags, also when it says "keep"; None where nobody has judged.
    tracking : Tracking
        The registry.
    ledger : Ledger
        Keeps the digests, without which no version is loaded.
    tags : mapping, optional
        More tags.
    description : str, optional
        Markdown that the version's page shows.
    dag_run, by : str, optional
        The run, and who started it, as the ledger names them.

    Returns
    -------
    RegisteredVersion
        The version as the ledger has it: of another run, where the same inputs were registered
        before.

    Notes
    -----
    The first version of the same `TrainResult.inputs` that MLflow still has is returned. A run is
    registered once: versions are searched by its id first, and should two attempts or a
    repeated request have made several, the lowest stays. A number that the ledger knows as another
    run's, because MLflow has begun to count anew, is given back and the next one taken.
    """
    client = tracking.client
    version = _same_inputs(name, trained, tracking, ledger)
    if version is not None and version.run_id != trained.run_id:
        _log.info(_FOUND, name, version.version, trained.run_id)
        return version
    version = None
    while version is None:
        found = _versions(tracking, name, trained.run_id)
        if not found:
            describe_model(name, tracking=tracking)
            client.create_model_version(
                name,
                source=trained.model_uri,
                run_id=trained.run_id,
                tags={**(tags or {}), **_shown(trained, verdict)},
                model_id=trained.model_id,
                description=version_description(name, description),
            )
            found = _versions(tracking, name, trained.run_id)
        fault_point("register:after_version")
        version = _enter(name, found, trained, verdict, ledger, dag_run=dag_run, by=by)
        if version is not None:  # of two attempts that overlap, the one that was entered first
            version = _same_inputs(name, trained, tracking, ledger) or version
        for extra in found:
            if version is None or str(extra.version) != version.version:
                client.delete_model_version(name, extra.version)
    fault_point("register:after_ledger")
    project_aliases(
        name, tracking=tracking, ledger=ledger, force=(CHALLENGER,), dag_run=dag_run, by=by
    )
    return version


def _enter(
    name: str,
    found: list[ModelVersion],
    trained: TrainResult,
    verdict: Verdict | None,
    ledger: Ledger,
    *,
    dag_run: str,
    by: str,
) -> RegisteredVersion | None:
    """Enter the lowest version of a run whose number the ledger does not know as another's."""
    for one in found:
        version = RegisteredVersion(
            name=name,
            version=str(one.version),
            run_id=trained.run_id,
            model_uri=trained.model_uri,
            digest=trained.digest,
            artifacts={**trained.artifacts, **(verdict.artifacts if verdict else {})},
            metrics=verdict.challenger if verdict else {},
            inputs=trained.inputs,
        )
        if ledger.register(version, recorded_by=dag_run, by=by):
            return version
    return None


def _same_inputs(
    name: str, trained: TrainResult, tracking: Tracking, ledger: Ledger
) -> RegisteredVersion | None:
    """Return the first version that was entered with the same inputs and is still there."""
    if not trained.inputs:
        return None
    entered = ledger.entries(model=name, kind=EvidenceKind.REGISTRATION, history=True)
    same = [one for one in entered if one.evidence.get("inputs") == trained.inputs]
    for entry in sorted(same, key=lambda one: one.seq):
        version = ledger.registration(name, entry.key)
        if version is not None and _is_there(version, tracking):
            return version
    return None


def _is_there(version: RegisteredVersion, tracking: Tracking) -> bool:
    """Return whether MLflow has a version, and not another one that got its number later."""
    found = _versions(tracking, version.name, version.run_id)
    return version.version in {str(one.version) for one in found}


def _shown(trained: TrainResult, verdict: Verdict | None) -> dict[str, str]:
    """Return what the version's page shows; nothing is decided by it."""
    shown = {_RUN_TAG: trained.run_id, DIGEST_TAG: trained.digest}
    if trained.classes:
        shown["mlops.classes"] = json.dumps(trained.classes)
    if verdict is None:
        return shown | {"mlops.verdict": "not judged"}
    if parts := [f"{n} partitions of {table}" for table, n in verdict.assumed.items()]:
        shown["mlops.assumed"] = f"known by schedule: {', '.join(parts)}"
    if leaks := [" + ".join(one.columns) for one in verdict.suspects]:
        shown["mlops.leak_suspects"] = ", ".join(leaks)[:_TAG]
    return shown | {
        "mlops.verdict": verdict.verdict,
        "mlops.verdict_reason": verdict.reason,
        "mlops.metric": verdict.metric,
        "mlops.metric_value": f"{verdict.challenger.get(verdict.metric)}",
    }


def _versions(tracking: Tracking, name: str, run_id: str) -> list[ModelVersion]:
    found = tracking.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return sorted(found, key=lambda version: int(version.version))
