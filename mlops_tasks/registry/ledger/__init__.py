"""The ledger: every decision with its evidence, append-only, and who is champion now."""

from mlops_tasks.registry.ledger.ledger import Ledger
from mlops_tasks.registry.ledger.records import Champion, EvidenceKind, LedgerEntry

__all__ = ["Champion", "EvidenceKind", "Ledger", "LedgerEntry"]
