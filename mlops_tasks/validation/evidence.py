"""What the ledger keeps of a validation: plain JSON, small enough to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from mlops_tasks.validation.results import ValidationResult

__all__ = ["validation_evidence"]


def validation_evidence(result: ValidationResult) -> dict[str, Any]:
    """Return the evidence of a validation.

    Parameters
    ----------
    result : ValidationResult
        From `validate`.

    Returns
    -------
    dict
        Versions, counts, reasons, what failed, the checks across partitions with number and
        threshold, and what changed.
    """
    history = [check for check in result.checks if check.source == "history"]
    return {
        "table": result.published.table,
        "version": result.published.version,
        "digest": result.published.digest,
        "raw_version": result.raw_version,
        "suite_digest": result.suite_digest,
        "n_rows_in": result.n_rows_in,
        "n_validated": result.published.n_rows,
        "n_quarantined": result.n_quarantined,
        "n_expectations": result.n_evaluated,
        "n_chunks": result.n_chunks,
        "quarantined_by_reason": dict(result.quarantined_by_reason),
        "warnings": list(result.warnings),
        "notes": list(result.notes),
        "checks": [
            {
                "name": check.name,
                "severity": check.severity,
                "passed": check.passed,
                "value": check.value,
                "threshold": check.threshold,
                "text": check.text,
            }
            for check in history
        ],
        "changes": _plain(result),
        "report": result.report,
    }


def _plain(result: ValidationResult) -> dict[str, Any] | None:
    if result.changes is None:
        return None
    changes = to_json(result.changes)
    changes["examples"] = {word: list(keys) for word, keys in changes["examples"].items() if keys}
    return changes
