"""Monitoring results as evidence: by when their data were known, and what they correct."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.features import dataset_range
from mlops_tasks.monitoring.estimation import LOOKED_BACK
from mlops_tasks.monitoring.results import MonitorResult
from mlops_tasks.partitions import DAY
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import scored_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["as_evidence", "estimate_of", "estimate_outcomes"]


def as_evidence(
    spec: ModelSpec,
    result: MonitorResult,
    datasets: Iterable[DatasetSpec],
    *,
    lake: Lake,
    before: LedgerEntry | None,
) -> MonitorResult | None:
    """Return a result as the ledger keeps it, or None if the ledger says the same already.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    result : MonitorResult
        What was measured.
    datasets : iterable of DatasetSpec
        What it was measured on.
    lake : Lake
        It knows as of when the rows of these are known.
    before : LedgerEntry or None
        The newest entry of its kind and partition.

    Returns
    -------
    MonitorResult or None
        With `known_at`, and with the number of the entry that it corrects.
    """
    known = [spec.rows.partition(result.last).keys(DAY)[-1]]
    for dataset in datasets:
        begin, end = dataset_range(spec, dataset, result.first, result.last)
        commits = lake.table(dataset.name).commits(first=begin, last=end)
        known += [commit.known_at for commit in commits]
    found = replace(result, known_at=max(known))
    if before is None:
        return found
    if replace(from_json(MonitorResult, before.evidence), corrects=None) == found:
        return None
    return replace(found, corrects=before.seq)


def estimate_outcomes(
    spec: ModelSpec, partition: str, version: str, *, ledger: Ledger
) -> tuple[MonitorResult, ...]:
    """Return what became of a version's newest estimates, as it was known when a day was scored.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        Last day of the window.
    version : str
        The version that scored it.
    ledger : Ledger
        The ledger.

    Returns
    -------
    tuple of MonitorResult
        From `judge_estimate`, in order.
    """
    entries = ledger.newest_of_keys(
        spec.name,
        EvidenceKind.ESTIMATE_OUTCOME,
        LOOKED_BACK,
        model_version=version,
        as_of=scored_on(spec, partition),
    )
    return tuple(from_json(MonitorResult, entry.evidence) for entry in entries)


def estimate_of(
    spec: ModelSpec, partition: str, version: str, *, ledger: Ledger
) -> MonitorResult | None:
    """Return what was estimated of a version's window before its labels came.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        Last day of the window.
    version : str
        The version that scored it.
    ledger : Ledger
        The ledger.

    Returns
    -------
    MonitorResult or None
        From `estimate_performance`; None if nothing was, or the spec asks for no estimates.
    """
    if not spec.performance.estimate:
        return None
    kind = EvidenceKind.ESTIMATE
    entry = ledger.newest(spec.name, kind, key=partition, model_version=version)
    return None if entry is None else from_json(MonitorResult, entry.evidence)
