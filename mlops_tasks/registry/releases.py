"""Requests to release a version, and their answers, as the ledger has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import VersionNotAllowedError
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger

__all__ = [
    "SCHEDULE",
    "Answer",
    "ReleaseRequest",
    "answer_of",
    "check_in_use",
    "is_retired",
    "request_of",
    "why_withdrawn",
]

# Who asks where no person does.
SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A version that the gate would have as the champion, or asks a person about.

    Attributes
    ----------
    version : str
        The version.
    verdict : str
        The gate's: ``"promote"`` or ``"ask"``.
    reason : str
        The gate's, in one sentence.
    as_of : str
        Cut-off of the training.
    champion_version : str or None
        What the gate compared with; None for a first champion.
    champion_generation : int
        Which move made that one the champion.
    evidence : str
        SHA-256 of what the gate has written down, which whoever approves says to have seen.
    author : str
        The person who asked for the training, or ``"schedule"``.
    """

    version: str
    verdict: str
    reason: str
    as_of: str
    champion_version: str | None = None
    champion_generation: int = 0
    evidence: str = ""
    author: str = SCHEDULE


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a request.

    Attributes
    ----------
    version : str
        The version that had asked.
    approved : bool
        Whether it may be the champion. Whatever else happens keeps the one there is.
    reason : str
        In one sentence.
    by : str
        Who answered; empty where nobody did.
    comment : str
        Theirs.
    evidence : str
        The digest that they gave as that of what they have seen.
    counted : bool
        False for an approval that does not count: the request is still open then.
    """

    version: str
    approved: bool
    reason: str
    by: str = ""
    comment: str = ""
    evidence: str = ""
    counted: bool = True


def request_of(name: str, version: str, *, ledger: Ledger) -> ReleaseRequest | None:
    """Return the request of a version, or None if it has not asked."""
    found = ledger.newest(name, EvidenceKind.RELEASE_REQUEST, key=version)
    return None if found is None else from_json(ReleaseRequest, found.evidence)


def answer_of(name: str, version: str, *, ledger: Ledger, dag_run: str = "") -> Answer | None:
    """Return the last answer that counts, of one Dag run or of any; None while there is none."""
    said = ledger.entries(model=name, kind=EvidenceKind.APPROVAL, key=version, history=True)
    found = [
        from_json(Answer, entry.evidence)
        for entry in said
        if not dag_run or entry.dag_run == dag_run
    ]
    return next((one for one in reversed(found) if one.counted), None)


def is_retired(name: str, version: str, *, ledger: Ledger) -> bool:
    """Return whether a person has taken a version out of use."""
    return ledger.newest(name, EvidenceKind.RETIREMENT, key=version) is not None


def check_in_use(name: str, version: str, *, ledger: Ledger) -> None:
    """Refuse a version that a person has taken out of use."""
    if is_retired(name, version, ledger=ledger):
        raise VersionNotAllowedError(
            f"version {version} of {name!r} is retired there, so it is not copied; choose another"
        )


def why_withdrawn(name: str, request: ReleaseRequest, *, ledger: Ledger) -> str:
    """Return why a request cannot be granted any more, in words; empty while it stands."""
    asked = ledger.entries(model=name, kind=EvidenceKind.RELEASE_REQUEST)
    newest = max(asked, key=lambda entry: entry.seq)
    if newest.key != request.version:
        return f"version {newest.key} has asked since and supersedes it"
    if is_retired(name, request.version, ledger=ledger):
        return "it was retired"
    champion = ledger.champion(name)
    if (champion.generation if champion else 0) != request.champion_generation:
        then = f"version {request.champion_version}" if request.champion_version else "none"
        now = f"version {champion.version}" if champion else "none"
        return (
            f"the gate compared it with another champion: {then} then, {now} now; train again to "
            "compare with that one"
        )
    return ""
