"""What the ledger hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Champion", "LedgerEntry"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line: what was found or decided about `key` of `model`, and on what evidence.

    ``model`` is the registered model, or the dataset for entries of kind ``validation``.
    """

    seq: int
    model: str
    kind: str
    key: str
    evidence: dict[str, Any]
    dag_run: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Champion:
    """The promoted version; `generation` counts promotions, from 1."""

    version: str
    generation: int
