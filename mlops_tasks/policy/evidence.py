"""What a decision rests on: read from the ledger, typed, and no more than the policy weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.monitoring.results import MonitorResult
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

__all__ = ["PolicyEvidence", "read_evidence"]


@dataclass(frozen=True, slots=True)
class PolicyEvidence:
    """What was known of a model on one day.

    ``champion`` is the version that was champion on that day, as far as was known then;
    ``champion_now`` that of today. ``last_training`` is the newest day that a model was trained as
    of, whatever became of it. ``performance`` and ``drift`` are about ``champion`` alone, the
    newest days that the policy looks at, in order.
    """

    champion: str | None = None
    champion_now: str | None = None
    last_training: str | None = None
    performance: tuple[MonitorResult, ...] = ()
    drift: tuple[MonitorResult, ...] = ()


def read_evidence(spec: ModelSpec, as_of: str, *, ledger: Ledger) -> PolicyEvidence:
    """Read what the policy of a model weighs, as it was known on one day.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its policy.
    as_of : str
        The day; what became known later is left out.
    ledger : Ledger
        The ledger.

    Returns
    -------
    PolicyEvidence
        Of each monitor at most ``of_last`` days, however long the ledger is.
    """
    now, champion = ledger.champion(spec.name), ledger.champion_as_of(spec.name, as_of)
    training = ledger.newest(spec.name, EvidenceKind.VERDICT, as_of=as_of)

    def measured(kind: EvidenceKind) -> tuple[MonitorResult, ...]:
        if champion is None:
            return ()
        entries = ledger.newest_of_keys(
            spec.name, kind, spec.retrain.of_last, model_version=champion, as_of=as_of
        )
        return tuple(from_json(MonitorResult, entry.evidence) for entry in entries)

    return PolicyEvidence(
        champion=champion,
        champion_now=now.version if now else None,
        last_training=training.key if training else None,
        performance=measured(EvidenceKind.PERFORMANCE),
        drift=measured(EvidenceKind.DRIFT),
    )
