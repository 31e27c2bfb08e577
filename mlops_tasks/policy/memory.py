"""What was decided and trained before: budget, chains of alarms, and challengers that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.partitions import Duration, days_between, shift_day
from mlops_tasks.registry.ledger import EvidenceKind

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec, RetrainSpec

__all__ = ["ALARMS", "Decided", "Memory", "read_memory"]

#: Causes of a training that the model's own alarms are.
ALARMS = ("performance", "drift")
_MOST = 120
_WEEK = 7
_FAILED = ("keep", "cannot_tell")


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of the past."""

    as_of: str
    retrain: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What was decided before a day, in order, and how many challengers in a row have failed.

    A decision that was repeated is there once, as it was taken.
    """

    decided: tuple[Decided, ...] = ()
    n_failed: int = 0

    def cooldown(self, policy: RetrainSpec) -> Duration:
        """Return the cool-down: longer by a factor for each failed challenger after a first one.

        The first one after a change has learnt more from before it than from since.
        """
        if self.n_failed < 2 or policy.backoff == 1:
            return policy.cooldown
        days = round(policy.cooldown.days * policy.backoff ** (self.n_failed - 1))
        return Duration(max(min(days, policy.max_cooldown.days), policy.cooldown.days), "d")

    def n_spent(self, as_of: str) -> int:
        """Return how many trainings were decided within the last week."""
        return sum(one.retrain and days_between(one.as_of, as_of) < _WEEK for one in self.decided)

    @property
    def chain(self) -> int:
        """How many trainings in a row alarms have caused, without one night that was fine."""
        n = 0
        for one in reversed(self.decided):
            if one.cause == "none":
                break
            n += one.retrain and one.cause in ALARMS
        return n


def read_memory(spec: ModelSpec, as_of: str, *, ledger: Ledger) -> Memory:
    """Read what was decided before a day, and what became of the trainings.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The day; its own decision does not count.
    ledger : Ledger
        The ledger, which outlives every restart.

    Returns
    -------
    Memory
        Of the last 120 decisions.
    """
    before = shift_day(as_of, -1)
    entries = ledger.newest_of_keys(spec.name, EvidenceKind.DECISION, _MOST, as_of=before)
    decided = tuple(
        Decided(one.key, bool(one.evidence["retrain"]), str(one.evidence["cause"]))
        for one in entries
    )
    verdicts = ledger.newest_of_keys(spec.name, EvidenceKind.VERDICT, _MOST, as_of=as_of)
    n_failed = 0
    for verdict in reversed(verdicts):
        if verdict.evidence.get("verdict") not in _FAILED:
            break
        n_failed += 1
    return Memory(decided, n_failed)
