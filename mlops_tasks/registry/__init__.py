"""The registry: models in MLflow, their safe files, and the ledger that says what they are."""

from mlops_tasks.registry.champions import champion_of, registered_version
from mlops_tasks.registry.ledger import Champion, EvidenceKind, Ledger, LedgerEntry
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult

__all__ = [
    "Champion",
    "EvidenceKind",
    "Ledger",
    "LedgerEntry",
    "RegisteredVersion",
    "Tracking",
    "TrainResult",
    "champion_of",
    "registered_version",
]
