"""What dead tasks left in MLflow, and what grows there."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from mlops_tasks.faults import fault_point
from mlops_tasks.maintenance.names import named_in_ledger
from mlops_tasks.maintenance.upkeep import Upkeep
from mlops_tasks.registry.tracking import ATTEMPT_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["end_dead_runs", "remove_old_runs", "remove_spare_versions"]

_HOUR_S, _DAY_S = 3_600.0, 86_400.0
_OURS = f"tags.`{ATTEMPT_TAG}` != ''"
_RUN_TAG = "mlops.run"


def end_dead_runs(
    tracking: Tracking,
    *,
    alive: Callable[[Mapping[str, str]], bool],
    grace_s: float = _HOUR_S,
    dry_run: bool = False,
) -> Upkeep:
    """End the runs that a killed last attempt left running, and the models it did not finish.

    Parameters
    ----------
    tracking : Tracking
        The server.
    alive : callable
        Says from a run's tags whether its task may still write to it, or will be tried again.
    grace_s : float, default 3600
        Younger ones are left alone.
    dry_run : bool, default False
        Only say what would be ended.

    Returns
    -------
    Upkeep
        Runs that are KILLED now, and logged models that are FAILED. Runs that no task of this
        project opened are not looked at.
    """
    client, ended, kept = tracking.client, list[str](), Counter[str]()
    running = list(_runs(tracking, f"attributes.status = 'RUNNING' and {_OURS}"))
    for run in running:
        if _young(run.info.start_time, grace_s):
            kept["run younger than an hour"] += 1
        elif alive(run.data.tags):
            kept["run of a task that lives"] += 1
        else:
            if not dry_run:
                client.set_terminated(run.info.run_id, "KILLED")
                fault_point("maintenance:mid_end")
            ended.append(f"run {run.info.run_id}")
    dead = {name.removeprefix("run ") for name in ended}
    # The server would have to be asked for a number, which its documentation does not give.
    for model in (one for one in _models(tracking) if str(one.status) == "PENDING"):
        if _young(model.creation_timestamp, grace_s) or not _is_over(tracking, model, dead):
            kept["model that is being logged"] += 1
            continue
        if not dry_run:
            client.finalize_logged_model(model.model_id, "FAILED")
        ended.append(f"model {model.model_id}")
    return Upkeep(tuple(ended), kept=dict(kept))


def remove_spare_versions(
    tracking: Tracking, *, ledger: Ledger, grace_s: float = _HOUR_S, dry_run: bool = False
) -> Upkeep:
    """Remove versions that a killed registration made twice or did not finish.

    Parameters
    ----------
    tracking, ledger : Tracking, Ledger
        A version that has an alias or that the ledger names is never removed.
    grace_s : float, default 3600
        Younger ones are left alone.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Versions; their artifacts are those of the one that stays.
    """
    by_run: dict[tuple[str, str], list[ModelVersion]] = defaultdict(list)
    for version in tracking.versions():
        if _RUN_TAG in version.tags:
            by_run[version.name, version.tags[_RUN_TAG]].append(version)
    removed, kept = list[str](), Counter[str]()
    for (name, _), versions in sorted(by_run.items()):
        ready = sorted((v for v in versions if v.status == "READY"), key=lambda v: int(v.version))
        if ready:
            kept["the one version of its run"] += 1
        spare = [version for version in versions if version not in ready[:1]]
        named = named_in_ledger(ledger, name) if spare else frozenset()
        for version in spare:
            found = tracking.client.get_model_version(name, version.version)  # with its aliases
            if why := _needed(found, named, grace_s):
                kept[why] += 1
                continue
            if not dry_run:
                tracking.client.delete_model_version(name, version.version)
            removed.append(f"version {version.version} of {name}")
    return Upkeep(tuple(removed), kept=dict(kept))


def remove_old_runs(
    tracking: Tracking, *, named: Collection[str], keep_days: int, dry_run: bool = False
) -> Upkeep:
    """Remove runs that led to nothing, with their models and artifacts.

    Parameters
    ----------
    tracking : Tracking
        The server.
    named : collection of str
        Ids in the ledger; their runs stay, and those of registered versions.
    keep_days : int
        Younger ones stay.
    dry_run : bool, default False
        Only say what would be removed.

    Returns
    -------
    Upkeep
        Runs; MLflow shows them as deleted, without artifacts.
    """
    needed = {version.run_id for version in tracking.versions()}
    removed, kept = list[str](), Counter[str]()
    for run in _runs(tracking, f"attributes.status != 'RUNNING' and {_OURS}"):
        if run.info.run_id in named:
            kept["named in the ledger"] += 1
        elif run.info.run_id in needed:
            kept["of a registered version"] += 1
        elif _young(run.info.end_time or run.info.start_time, keep_days * _DAY_S):
            kept[f"younger than {keep_days} days"] += 1
        else:
            if not dry_run:
                _remove_run(tracking, run)
                fault_point("maintenance:mid_remove_run")
            removed.append(run.info.run_id)
    return Upkeep(tuple(removed), kept=dict(kept))


def _remove_run(tracking: Tracking, run: Run) -> None:
    """Remove a run last, so that a killed maintenance finds the rest again."""
    client, run_id = tracking.client, run.info.run_id
    for model in _models(tracking, f"source_run_id = '{run_id}'", run.info.experiment_id):
        _remove_artifacts(model.artifact_location)
        client.delete_logged_model(model.model_id)
    _remove_artifacts(run.info.artifact_uri)
    client.delete_run(run_id)


def _remove_artifacts(address: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository(address).delete_artifacts()  # type: ignore[no-untyped-call]


def _needed(version: ModelVersion, named: Collection[str], grace_s: float) -> str:
    if str(version.version) in named:
        return "named in the ledger"
    if version.aliases:
        return "has an alias"
    return "younger than an hour" if _young(version.creation_timestamp, grace_s) else ""


def _is_over(tracking: Tracking, model: LoggedModel, dead: Collection[str]) -> bool:
    if not model.source_run_id:
        return False  # somebody else's
    run = tracking.client.get_run(model.source_run_id)
    over = run.info.status != "RUNNING" or run.info.run_id in dead
    return ATTEMPT_TAG in run.data.tags and over


def _young(since_ms: int | None, grace_s: float) -> bool:
    return since_ms is None or time.time() - since_ms / 1000 < grace_s


def _experiments(tracking: Tracking) -> list[str]:
    pages = _paged(lambda token: tracking.client.search_experiments(page_token=token))
    return [experiment.experiment_id for experiment in pages]


def _runs(tracking: Tracking, query: str) -> Iterator[Run]:
    ids, client = _experiments(tracking), tracking.client
    return _paged(lambda token: client.search_runs(ids, query, page_token=token))


def _models(
    tracking: Tracking, query: str | None = None, experiment: str | None = None
) -> Iterator[LoggedModel]:
    ids, client = [experiment] if experiment else _experiments(tracking), tracking.client
    return _paged(lambda token: client.search_logged_models(ids, query, page_token=token))


def _paged(search: Callable[[str | None], Any]) -> Iterator[Any]:
    found = list[Any]()  # all of it first: what is removed meanwhile would shift the pages
    token: str | None = None
    while token != "":
        page = search(token)
        found += page
        token = page.token or ""
    return iter(found)
