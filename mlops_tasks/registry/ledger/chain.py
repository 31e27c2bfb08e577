"""The chain: each entry's hash covers what it says and the hash of the entry before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger.records import LedgerEntry

__all__ = ["BEGINNING", "Head", "entry_hash"]

BEGINNING = ""  # what the first entry has in place of a hash before it


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain: its number and its hash, which stands for all before it."""

    seq: int
    hash: str


def entry_hash(entry: LedgerEntry) -> str:
    """Return the hash that an entry should have.

    SHA-256 over canonical JSON (sorted keys, no spaces, ASCII) of every field but the hash itself:
    an entry that was exported with its fields is checked without the database.
    """
    said = {
        "seq": entry.seq,
        "model": entry.model,
        "kind": entry.kind,
        "key": entry.key,
        "evidence": entry.evidence,
        "dag_run": entry.dag_run,
        "by": entry.by,
        "recorded_at": entry.recorded_at.isoformat(timespec="microseconds"),
        "previous_hash": entry.previous_hash,
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
