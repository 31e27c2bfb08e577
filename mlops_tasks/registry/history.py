"""What happened to a model: moves of its champion, who wanted them, and delivery figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["Delivery", "History", "Move", "model_history"]

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that was decided about a version.

    Attributes
    ----------
    at : str
        When it was written down, an instant in UTC.
    kind : str
        ``promotion``, ``rollback``, ``retirement``, ``adoption``, ``alias_move``, ``verdict``, or
        ``comparison``, the newest of each watch window.
    before, after : str or None
        The version that it replaced, and the one that it is about.
    by, dag_run : str
        Who wanted it, and the run or command that wrote it.
    reason : str
        Why.
    key : str
        The entry's key: of a promotion the cut-off of the training.
    digest : str
        Hash of its entry, which covers the evidence.
    seq : int
        Number of its entry.
    """

    at: str
    kind: str
    before: str | None
    after: str | None
    by: str
    dag_run: str
    reason: str
    key: str
    digest: str
    seq: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a model is delivered; None where nothing was, or it cannot be told.

    Attributes
    ----------
    days : float
        From the first registration until now.
    n_promotions, n_rollbacks : int
        Moves of the champion.
    promotions_per_month : float or None
        In 30 days.
    lead_time_s : float or None
        Median from the pin of the training data to the promotion.
    lead_times : int
        Promotions that it was measured on: those whose pin is in the ledger.
    time_to_roll_back_s : float or None
        Median from the promotion to the rollback from it.
    share_rolled_back : float or None
        Of the promoted versions.
    """

    days: float
    n_promotions: int
    n_rollbacks: int
    promotions_per_month: float | None
    lead_time_s: float | None
    lead_times: int
    time_to_roll_back_s: float | None
    share_rolled_back: float | None


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a model, oldest first, and how it is delivered."""

    model: str
    champion: str | None
    moves: tuple[Move, ...]
    delivery: Delivery


def model_history(
    name: str, *, ledger: Ledger, verdicts: bool = False, now: datetime | None = None
) -> History:
    """Return what happened to a model.

    Parameters
    ----------
    name : str
        Registered model.
    ledger : Ledger
        The ledger.
    verdicts : bool, default False
        Also what its gate said, promoted or not.
    now : datetime, optional
        Until when delivery is counted; now by default.

    Returns
    -------
    History
        Without a move for a model that the ledger does not know.
    """
    lifecycle, champion = ledger.lifecycle(name), ledger.champion(name)
    entries = [entry for entry in lifecycle if entry.kind != EvidenceKind.REGISTRATION]
    entries += _newest_comparisons(name, ledger)
    if verdicts:
        entries += ledger.entries(model=name, kind=EvidenceKind.VERDICT, history=True)
    pins = ledger.entries(model=name, kind=EvidenceKind.PIN, history=True)
    return History(
        name,
        champion.version if champion else None,
        tuple(_move(entry) for entry in sorted(entries, key=lambda entry: entry.seq)),
        _delivery(lifecycle, pins, now or datetime.now(UTC)),
    )


def _newest_comparisons(name: str, ledger: Ledger) -> list[LedgerEntry]:
    """Return the newest comparison of each champion with the one before it."""
    found = ledger.entries(model=name, kind=EvidenceKind.COMPARISON, history=True)
    by_seq = sorted(found, key=lambda entry: entry.seq)
    return list({entry.evidence["generation"]: entry for entry in by_seq}.values())


def _move(entry: LedgerEntry) -> Move:
    said = entry.evidence
    before, after = said.get("previous"), said.get("version")
    if entry.kind in (EvidenceKind.ADOPTION, EvidenceKind.RETIREMENT):
        after = entry.key
    elif entry.kind == EvidenceKind.ALIAS_MOVE:
        before, after = said.get("wanted"), said.get("found")
    elif entry.kind == EvidenceKind.VERDICT:
        before = said.get("champion_version")
    return Move(
        at=entry.recorded_at.isoformat(timespec="seconds"),
        kind=entry.kind,
        before=None if before is None else str(before),
        after=None if after is None else str(after),
        by=entry.by or str(said.get("person", "")),
        dag_run=entry.dag_run,
        reason=_reason(entry.kind, said),
        key=entry.key,
        digest=entry.hash,
        seq=entry.seq,
    )


def _reason(kind: str, said: dict[str, Any]) -> str:
    reason = str(said.get("reason", ""))
    if kind == EvidenceKind.ALIAS_MOVE:
        return f"alias {said.get('alias')} {said.get('state')}{f': {reason}' if reason else ''}"
    if kind == EvidenceKind.COMPARISON:
        return f"{str(said.get('answer')).replace('_', ' ')}: {reason}"
    return f"{said.get('verdict')}: {reason}" if kind == EvidenceKind.VERDICT else reason


# --- delivery


def _delivery(
    lifecycle: Sequence[LedgerEntry], pins: Sequence[LedgerEntry], now: datetime
) -> Delivery:
    moves = [entry for entry in lifecycle if entry.kind in CHAMPION_MOVES]
    promotions = [entry for entry in moves if entry.kind == EvidenceKind.PROMOTION]
    rollbacks = [entry for entry in moves if entry.kind == EvidenceKind.ROLLBACK]
    begun = min((entry.recorded_at for entry in lifecycle), default=now)
    days = (now - begun).total_seconds() / _DAY_S
    leads = [lead for entry in promotions if (lead := _lead_s(entry, pins)) is not None]
    backs = [_back_s(entry, moves) for entry in rollbacks]
    left = {entry.evidence.get("previous") for entry in rollbacks}
    promoted = {entry.evidence.get("version") for entry in promotions}
    return Delivery(
        days=round(days, 3),
        n_promotions=len(promotions),
        n_rollbacks=len(rollbacks),
        # Less than a day says nothing about a month.
        promotions_per_month=round(len(promotions) * 30 / days, 3) if days >= 1 else None,
        lead_time_s=round(median(leads), 1) if leads else None,
        lead_times=len(leads),
        time_to_roll_back_s=round(median(backs), 1) if backs else None,
        share_rolled_back=round(len(left & promoted) / len(promoted), 4) if promoted else None,
    )


def _lead_s(promotion: LedgerEntry, pins: Sequence[LedgerEntry]) -> float | None:
    """Return how long after its newest pin a version was promoted."""
    at = promotion.recorded_at
    of_training = [
        pin.recorded_at for pin in pins if pin.key == promotion.key and pin.seq < promotion.seq
    ]
    return (at - max(of_training)).total_seconds() if of_training else None


def _back_s(rollback: LedgerEntry, moves: Sequence[LedgerEntry]) -> float:
    """Return how long the champion that a rollback left had been champion."""
    before = [move for move in moves if move.seq < rollback.seq]
    since = before[-1].recorded_at if before else rollback.recorded_at
    return (rollback.recorded_at - since).total_seconds()
