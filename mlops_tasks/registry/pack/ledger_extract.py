"""What the ledger says of a model, so that it can be checked without the ledger."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlops_tasks.registry.ledger import LedgerEntry
from mlops_tasks.registry.ledger.chain import entry_hash
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.registry.ledger.chain import Head

__all__ = ["extract", "extract_problems"]

_FIELDS = (
    *("seq", "model", "kind", "key", "evidence", "dag_run", "by", "recorded_at"),
    *("previous_hash", "hash"),
)


def extract(entries: Sequence[LedgerEntry], head: Head) -> dict[str, Any]:
    """Return the entries of a model as plain JSON, each with its hash, and the head of the chain.

    Between them lie entries of other models, which are not part of it.
    """
    ordered = sorted(entries, key=lambda entry: entry.seq)
    return {"head": to_json(head), "entries": [_plain(entry) for entry in ordered]}


def _plain(entry: LedgerEntry) -> dict[str, Any]:
    said = to_json(entry)
    said["recorded_at"] = entry.recorded_at.isoformat(timespec="microseconds")
    return {name: said[name] for name in _FIELDS}


def extract_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an extract: hashes that do not fit, links that are broken.

    An entry whose content was changed has another hash; one that was taken out between two
    neighbours breaks the link of the later one. Entries of this model that lie between entries of
    others can be missed by the head alone, in the ledger itself.
    """
    try:
        entries = [_restored(one) for one in raw["entries"]]
        head, newest = (int(raw["head"]["seq"]), str(raw["head"]["hash"])), None
    except (LookupError, TypeError, ValueError) as error:
        return [f"the extract of the ledger cannot be read: {error!r}"]
    found = [
        f"entry {entry.seq} ({entry.kind} {entry.key}) is not what was recorded: its hash differs"
        for entry in entries
        if entry_hash(entry) != entry.hash
    ]
    for before, after in pairwise(entries):
        if before.seq >= after.seq:
            found.append(f"entry {after.seq} stands behind entry {before.seq}")
        elif before.seq + 1 == after.seq and after.previous_hash != before.hash:
            found.append(f"entry {after.seq} does not follow entry {before.seq}: one was replaced")
    newest = entries[-1] if entries else None
    if newest and (newest.seq > head[0] or (newest.seq == head[0] and newest.hash != head[1])):
        found.append(f"entry {newest.seq} is not what the head of the chain, {head[0]}, says")
    return found


def _restored(raw: Mapping[str, Any]) -> LedgerEntry:
    fields = {name: raw[name] for name in _FIELDS}
    return LedgerEntry(**fields | {"recorded_at": datetime.fromisoformat(raw["recorded_at"])})
