"""Decisions as a table: one row for each day that was decided on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_tasks.registry.ledger import EvidenceKind

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["DecisionRow", "decision_rows"]


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision.

    Attributes
    ----------
    as_of : str
        The day.
    answer : str
        ``retrain``, ``not_retrained`` or ``cannot_tell``.
    cause, reason : str
        Why.
    champion : str or None
        The version that was champion then.
    n_absent : int
        Partitions that the schedule had promised and that were not there.
    untold_since : str or None
        Day since which nobody could tell what predictions are worth.
    untold_lasts : bool
        Whether that is longer than the policy allows.
    help : tuple of str
        What would have helped.
    decided_at, dag_run, by : str
        When, by which run, and who wanted it.
    """

    as_of: str
    answer: Literal["retrain", "not_retrained", "cannot_tell"]
    cause: str
    reason: str
    champion: str | None
    n_absent: int
    untold_since: str | None
    untold_lasts: bool
    help: tuple[str, ...]
    decided_at: str
    dag_run: str
    by: str

    @property
    def words(self) -> str:
        """The answer as people say it."""
        return self.answer.replace("_", " ")


def decision_rows(model: str, last: int = 365, *, ledger: Ledger) -> list[DecisionRow]:
    """Return what was decided about a model.

    Parameters
    ----------
    model : str
        Registered model.
    last : int, default 365
        How many decisions at most, the newest ones.
    ledger : Ledger
        The ledger.

    Returns
    -------
    list of DecisionRow
        In order; ``pandas.DataFrame(rows)`` makes a frame of it. Notes of repeated decisions are
        not among them.
    """
    entries = ledger.newest_of_keys(model, EvidenceKind.DECISION, last)
    return [_row(entry) for entry in entries]


def _row(entry: LedgerEntry) -> DecisionRow:
    said = entry.evidence
    looked_at = said.get("evidence") or {}
    cause, answer = str(said["cause"]), "not_retrained"
    if said["retrain"]:
        answer = "retrain"
    elif cause == "cannot_tell":
        answer = "cannot_tell"
    return DecisionRow(
        as_of=entry.key,
        answer=answer,  # type: ignore[arg-type]
        cause=cause,
        reason=str(said["reason"]),
        champion=looked_at.get("champion_version"),
        n_absent=sum(len(one["partitions"]) for one in looked_at.get("absences", ())),
        untold_since=looked_at.get("untold_since"),
        untold_lasts=bool(looked_at.get("untold_lasts")),
        help=tuple(said.get("help", ())),
        decided_at=entry.recorded_at.isoformat(timespec="seconds"),
        dag_run=entry.dag_run,
        by=entry.by,
    )
