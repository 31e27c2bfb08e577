"""What the ledger hands out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CHAMPION_MOVES", "LIFECYCLE", "Champion", "EvidenceKind", "LedgerEntry"]


class EvidenceKind(StrEnum):
    """What an entry is: who writes it, and what its evidence holds (docs/reference.md)."""

    VALIDATION = "validation"
    REFUSAL = "refusal"
    READMISSION = "readmission"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    LABELS = "labels"
    ESTIMATE = "estimate"
    ESTIMATE_OUTCOME = "estimate_outcome"
    DECISION = "decision"
    DECISION_NOTE = "decision_note"
    PIN = "pin"
    VERDICT = "verdict"
    PROMOTION = "promotion"
    ADOPTION = "adoption"
    REGISTRATION = "registration"
    PREREGISTRATION = "preregistration"
    SMOKE_TEST = "smoke_test"
    RELEASE_REQUEST = "release_request"
    APPROVAL = "approval"
    ROLLBACK = "rollback"
    ROLLBACK_ANSWER = "rollback_answer"
    RETIREMENT = "retirement"
    ALIAS_MOVE = "alias_move"
    REPRODUCTION = "reproduction"
    PACK = "pack"
    CHAIN = "chain"
    INCIDENT = "incident"
    NOTIFICATION = "notification"
    WATCH_WINDOW = "watch_window"
    COMPARISON = "comparison"


# Entries that have another champion, or none, in effect.
CHAMPION_MOVES = (EvidenceKind.PROMOTION, EvidenceKind.ROLLBACK)
# Entries about what a version is and was.
LIFECYCLE = (
    *CHAMPION_MOVES,
    EvidenceKind.REGISTRATION,
    EvidenceKind.ADOPTION,
    EvidenceKind.RETIREMENT,
    EvidenceKind.ALIAS_MOVE,
)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line: what was found or decided about `key` of `model`, and on what evidence.

    ``model`` is the registered model, or the dataset for entries of kind ``validation``. ``kind``
    is an `EvidenceKind`, or a word that a newer version of the project has added. ``by`` is the
    person, ``"schedule"``, or empty where nobody said it; ``hash`` covers all other fields, and
    ``previous_hash`` is that of the entry before it, of whatever model.
    """

    seq: int
    model: str
    kind: str
    key: str
    evidence: dict[str, Any]
    dag_run: str
    recorded_at: datetime
    by: str = ""
    previous_hash: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Champion:
    """The version in production; `generation` counts its moves, from 1, a return included."""

    version: str
    generation: int
