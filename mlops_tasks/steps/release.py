"""Release: a version that has asked for it becomes the champion, or not, with the reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnknownVersionError, UnsafeModelError
from mlops_tasks.registry.artifacts import GATE_REPORT
from mlops_tasks.registry.champions import (
    move_champion,
    reconcile_alias,
    registered_version,
)
from mlops_tasks.registry.releases import (
    SCHEDULE,
    Answer,
    ReleaseRequest,
    answer_of,
    request_of,
    why_withdrawn,
)
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = [
    "Release",
    "check_approval",
    "other_evidence",
    "pending_request",
    "release",
    "request_release",
]

_ASKS = ("promote", "ask")


@dataclass(frozen=True, slots=True)
class Release:
    """What became of a request: whether the version is the champion now, and why."""

    released: bool
    reason: str
    by: str = ""


def request_release(
    version: RegisteredVersion, verdict: Verdict, *, as_of: str, author: str = SCHEDULE
) -> ReleaseRequest | None:
    """Return the request of a version that the gate has judged.

    Parameters
    ----------
    version : RegisteredVersion
        The challenger.
    verdict : Verdict
        The gate's.
    as_of : str
        Cut-off of the challenger's training.
    author : str, optional
        The person who has started the training, who must not approve it, or ``"schedule"``.

    Returns
    -------
    ReleaseRequest or None
        None where the verdict keeps the champion or cannot tell: that releases nothing.
    """
    if verdict.verdict not in _ASKS:
        return None
    return ReleaseRequest(
        version=version.version,
        verdict=verdict.verdict,
        reason=verdict.reason,
        as_of=as_of,
        champion_version=verdict.champion_version,
        champion_generation=verdict.champion_generation,
        evidence=_evidence_digest(verdict),
        author=author,
    )


def other_evidence(version: RegisteredVersion, verdict: Verdict) -> str:
    """Return why a verdict is not that of a version; empty where it is, or nobody can tell.

    A training of the same inputs as a version that is there is judged, too, and adds no version.
    What is approved, and what an evidence pack holds, is the verdict that the version came with.

    Parameters
    ----------
    version : RegisteredVersion
        As it was registered.
    verdict : Verdict
        Of the training that has just found it.

    Returns
    -------
    str
        In one sentence, with what to do.
    """
    its, now = (one.artifacts.get(GATE_REPORT) for one in (version, verdict))
    if not (its and now) or its == now:
        return ""
    return (
        f"version {version.version} of {version.name!r} was registered before, from the same rows, "
        f"parameters and code, and has a verdict of its own ({its[:12]}); this one ({now[:12]}) "
        f"changes nothing about it. To have it released all the same: mlops promote "
        f"{version.name} {version.version} --reason …"
    )


def _evidence_digest(verdict: Verdict) -> str:
    """Return the digest of the gate's file, or of the verdict where there is none."""
    if found := verdict.artifacts.get(GATE_REPORT):
        return found
    return hashlib.sha256(json.dumps(to_json(verdict), sort_keys=True).encode()).hexdigest()


def pending_request(name: str, version: str, *, ledger: Ledger) -> ReleaseRequest:
    """Return what a version has asked for.

    Parameters
    ----------
    name, version : str
        Registered model and version.
    ledger : Ledger
        Where it is written down.

    Returns
    -------
    ReleaseRequest
        The request.

    Raises
    ------
    UnknownVersionError
        If it has not asked: its verdict was another one, or it does not exist.
    """
    registered_version(name, version, ledger=ledger)
    found = request_of(name, version, ledger=ledger)
    if found is None:
        raise UnknownVersionError(
            f"version {version} of {name!r} has not asked to be released: the gate kept the "
            f"champion, or could not tell. On a person's word: mlops promote {name} {version} "
            "--reason '...'"
        )
    return found


def check_approval(
    version: RegisteredVersion,
    request: ReleaseRequest,
    answer: Answer,
    *,
    authors: Collection[str],
    tracking: Tracking,
) -> Answer:
    """Return an approval with what is wrong with it: Airflow's API has looked at none of this.

    Parameters
    ----------
    version : RegisteredVersion
        The version, as the ledger knows it.
    request : ReleaseRequest
        What was approved.
    answer : Answer
        The approval.
    authors : collection of str
        All names of those who have asked for the training or the release.
    tracking : Tracking
        Where the evidence is: it must be what it was.

    Returns
    -------
    Answer
        As it was, or not counted and with the reason.
    """
    wrong = ""
    if answer.by in set(authors) - {SCHEDULE}:
        wrong = f"{answer.by} has asked for it, and another person has to approve it"
    elif answer.evidence != request.evidence:
        wrong = (
            f"it names the evidence {answer.evidence[:12] or 'nothing'}, the request's is "
            f"{request.evidence[:12]}: open the page again and approve what it shows"
        )
    elif GATE_REPORT in version.artifacts:
        try:
            tracking.read_artifact(version, GATE_REPORT)
        except UnsafeModelError as error:
            wrong = str(error)
    if not wrong:
        return answer
    return Answer(
        version=answer.version,
        approved=False,
        reason=f"the approval by {answer.by or 'nobody'} does not count: {wrong}",
        by=answer.by,
        comment=answer.comment,
        evidence=answer.evidence,
        counted=False,
    )


def release(
    name: str, version: str, *, tracking: Tracking, ledger: Ledger, dag_run: str = ""
) -> Release:
    """Make a version that has asked for it the champion, if the gate or a person said so.

    Everything is read from the ledger, nothing from what another task has handed on.

    Parameters
    ----------
    name, version : str
        Registered model and version.
    tracking, ledger : Tracking, Ledger
        The alias follows the ledger's compare-and-set.
    dag_run : str, optional
        The run whose approval counts, named in the ledger.

    Returns
    -------
    Release
        Not released where a person kept the champion, nobody answered, or the request does not
        stand any more. Called again after a release, it says the same.

    Raises
    ------
    UnknownVersionError
        If the version has not asked.
    ChampionChangedError
        If the champion was moved at this very moment.
    """
    request = pending_request(name, version, ledger=ledger)
    by, reason = request.author, request.reason
    answer = answer_of(name, version, ledger=ledger, dag_run=dag_run)
    if request.verdict == "ask":
        if answer is None or not answer.approved:
            return Release(False, answer.reason if answer else "nobody has approved it")
        by, reason = answer.by, answer.reason
    now = ledger.champion(name)
    if now is not None and now.version == version:  # an earlier attempt was ended after its move
        reconcile_alias(name, tracking=tracking, ledger=ledger)
        return Release(True, reason, by)
    if why := why_withdrawn(name, request, ledger=ledger):
        return Release(False, why)
    evidence = {"reason": reason, "verdict": request.verdict, "gate": request.evidence}
    move_champion(
        registered_version(name, version, ledger=ledger),
        generation=request.champion_generation,
        key=request.as_of,
        evidence=evidence | ({"approval": to_json(answer)} if answer else {}),
        tracking=tracking,
        ledger=ledger,
        dag_run=dag_run,
        by=by,
    )
    return Release(True, reason, by)
