"""The ledger: every decision with its evidence, append-only, and who is champion now."""

from mlops_tasks.registry.ledger.ledger import Ledger
from mlops_tasks.registry.ledger.records import Champion, EvidenceKind, LedgerEntry
from mlops_tasks.registry.ledger.upgrading import ledger_state

__all__ = ["Champion", "EvidenceKind", "Ledger", "LedgerEntry", "ledger_state"]
