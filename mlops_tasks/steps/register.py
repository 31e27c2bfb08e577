"""Register: a trained model becomes a version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_tasks.faults import fault_point
from mlops_tasks.registry.aliases import project_aliases
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
        )
        if ledger.register(version, recorded_by=dag_run, by=by):
            return version
    return None


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
