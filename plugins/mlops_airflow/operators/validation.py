"""Validate a raw partition and publish it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.operators.base import StepOperator, dag_run_name
from mlops_tasks.types import PartitionVersion
from mlops_tasks.validation import quarantine_table, validate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.spec import DatasetSpec
    from mlops_tasks.types import ValidationResult

__all__ = ["ValidatePartitionOperator"]

# Its notes on temporary folders would bury the summary of the task.
logging.getLogger("great_expectations").setLevel(logging.WARNING)


class ValidatePartitionOperator(StepOperator):
    """Check a raw partition, publish its good rows and quarantine the bad ones.

    The task is skipped, and emits no event, when another run has published the same content.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset with its contract and suite.
    raw : dict
        Output of `IngestPartitionOperator`.
    """

    template_fields = ("raw",)

    def __init__(self, *, dataset: DatasetSpec, raw: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.raw = raw

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate, record the evidence, and return the reference to the published partition."""
        raw, ledger, run = PartitionVersion(**self.raw), self.ledger, dag_run_name(context)
        published = self._published_digest(raw.partition, run)
        result = validate(
            self.dataset, raw, lake=self.lake, token=ledger.next_token(), published_digest=published
        )
        evidence = self._evidence(result)
        ledger.record(
            model=self.dataset.name,
            kind="validation",
            key=raw.partition,
            evidence=evidence,
            dag_run=run,
        )
        self._report(result)
        if not result.changed:
            raise AirflowSkipException(f"{raw.partition} is unchanged; no event is emitted")
        return evidence

    def _published_digest(self, partition: str, run: str) -> str | None:
        """Return what another run has published; a retry of this run must emit its event again."""
        for entry in self.ledger.entries(model=self.dataset.name, kind="validation"):
            if entry.key == partition and entry.dag_run != run:
                return str(entry.evidence["digest"])
        return None

    def _evidence(self, result: ValidationResult) -> dict[str, Any]:
        return {
            "table": result.published.table,
            "version": result.published.version,
            "digest": result.published.digest,
            "n_rows_in": result.n_rows_in,
            "n_validated": result.published.n_rows,
            "n_quarantined": result.n_quarantined,
            "n_expectations": result.n_evaluated,
            "quarantined_by_reason": result.quarantined_by_reason,
            "warnings": list(result.warnings),
        }

    def _report(self, result: ValidationResult) -> None:
        published = result.published
        kept_back = f"{result.n_quarantined} in {quarantine_table(self.dataset)!r}"
        facts = {
            "rows": f"{result.n_rows_in} in, {published.n_rows} published",
            "quarantined": kept_back if result.n_quarantined else "none",
            "reasons": [f"{n} × {why}" for why, n in result.quarantined_by_reason.items()],
            "warnings": list(result.warnings),
            "expectations": result.n_evaluated,
            "table": f"{published.table} version {published.version}",
            "changed": "yes" if result.changed else "no, the same content was published before",
        }
        self.report(f"validated {self.dataset.name} {published.partition}", facts)
