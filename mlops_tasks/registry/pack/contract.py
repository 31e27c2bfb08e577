"""What the checks said of the rows that a version was trained and judged on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import DamagedTableError, PartitionNotFoundError
from mlops_tasks.registry.ledger import EvidenceKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.lake import Commit, Lake, Pin, TrainingPin
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["contract_results"]

# Of what a validation has recorded, what says how it went. What changed between two deliveries of
# a partition names keys of rows, and stays in the ledger.
_SHOWN = (
    "n_rows_in",
    "n_validated",
    "n_quarantined",
    "n_expectations",
    "quarantined_by_reason",
    "warnings",
    "notes",
    "suite_digest",
    "known_at",
    "known_by",
)


def contract_results(pin: TrainingPin, *, lake: Lake, ledger: Ledger) -> dict[str, Any]:
    """Return the result of each check of each pinned partition, by table, and their sums.

    A partition counts as checked only where the ledger has the validation that published exactly
    the pinned content.
    """
    tables = {one.table: one for one in pin.pins}
    return {"tables": [_table(one, lake, ledger) for one in tables.values()]}


def _table(pin: Pin, lake: Lake, ledger: Ledger) -> dict[str, Any]:
    commits, why = _commits(pin, lake)
    found = ledger.entries(model=pin.table, kind=EvidenceKind.VALIDATION, history=True)
    said = {(entry.key, entry.evidence.get("digest")): entry for entry in found}
    partitions = [_partition(one, said.get((one.partition, one.digest))) for one in commits]
    checked = [one for one in partitions if one["checked"]]
    return {
        "table": pin.table,
        "first": pin.first,
        "last": pin.last,
        "n_partitions": len(pin.versions),
        "n_checked": len(checked),
        "n_rows_in": sum(one["n_rows_in"] for one in checked),
        "n_quarantined": sum(one["n_quarantined"] for one in checked),
        "quarantined_by_reason": _summed(one["quarantined_by_reason"] for one in checked),
        "n_warned": sum(bool(one["warnings"]) for one in checked),
        "why_not": why or _not_checked(len(pin.versions) - len(checked)),
        "partitions": partitions,
    }


def _commits(pin: Pin, lake: Lake) -> tuple[list[Commit], str]:
    try:
        return list(lake.table(pin.table).pinned_commits(pin)), ""
    except (DamagedTableError, PartitionNotFoundError) as error:
        return [], f"the lake cannot say which partitions were pinned: {error}"


def _partition(commit: Commit, entry: LedgerEntry | None) -> dict[str, Any]:
    about = {
        "partition": commit.partition,
        "version": commit.version,
        "n_rows": commit.n_rows,
        "digest": commit.digest,
        "checked": entry is not None,
    }
    if entry is None:
        return about
    return about | {name: entry.evidence[name] for name in _SHOWN if name in entry.evidence}


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def _not_checked(n: int) -> str:
    return f"the ledger has no validation of the content of {n} partitions" if n else ""
