"""Validate a raw partition and publish it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.links import ReportLink
from mlops_airflow.operators.base import (
    StepOperator,
    dag_run_name,
    given_known_at,
    partition_of,
    triggered_by,
)
from mlops_airflow.operators.plain_arguments import check_dataset
from mlops_tasks.exceptions import PartitionNotFoundError, SpecError, ValidationFailedError
from mlops_tasks.lake import PartitionVersion, known_text
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation import quarantine_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import ValidationResult
    from mlops_tasks.validation.check_outcomes import CheckOutcome

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
    raw : dict, optional
        Output of `IngestPartitionOperator`; by default the newest raw rows of the partition.
    partition : str, optional
        Which partition, templated, where `raw` is not given; by default the run's partition key.

    Notes
    -----
    XCom: what the ledger keeps of it, with table, version, digest, counts and reasons.
    """

    template_fields = ("raw", "partition")
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        dataset: DatasetSpec,
        raw: Any = None,
        partition: str | None = None,
        **kwargs: Any,
    ) -> None:
        who = f"{type(self).__name__} {kwargs.get('task_id')!r}"
        check_dataset(who, dataset)
        if raw is not None and partition is not None:
            raise SpecError(f"{who}: raw= names its partition; leave partition= out")
        super().__init__(**kwargs)
        self.dataset, self.raw, self.partition = dataset, raw, partition

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate, record the evidence, and return the reference to the published partition."""
        raw, about = self._raw(context), _about(context)
        options = self._options(context, raw.partition, about["dag_run"])
        with self._refusal_recorded(raw, about):
            result = validate(self.dataset, raw, lake=self.lake, **options)
        evidence = self._record(result, about)
        if not result.changed:
            raise AirflowSkipException(f"{raw.partition} is unchanged; no event is emitted")
        self.announce(context, to_json(result.published))
        return evidence

    def _raw(self, context: Context) -> PartitionVersion:
        """Return the raw rows to validate."""
        if self.raw is not None:
            return from_json(PartitionVersion, self.raw)
        key = partition_of(context, self.dataset, self.partition)
        table = self.lake.table(raw_table(self.dataset))
        commits = table.commits(first=key, last=key) if table.exists else []
        if not commits:
            raise PartitionNotFoundError(
                f"dataset {self.dataset.name!r}: there are no raw rows of {key} to validate; "
                "ingest them first, with IngestPartitionOperator"
            )
        return PartitionVersion.of(table.name, commits[0])

    def _options(self, context: Context, partition: str, run: str) -> dict[str, Any]:
        token = self.next_token(partition, self.dataset.name, quarantine_table(self.dataset))
        options = {"token": token, "known_at": given_known_at(context, self.dataset)}
        return options | self._published_before(partition, run)

    def _published_before(self, partition: str, run: str) -> dict[str, Any]:
        """Return what another run has published; a retry of this run must emit its event again."""
        entry = self.ledger.newest(self.dataset.name, EvidenceKind.VALIDATION, key=partition)
        if entry is None or entry.dag_run == run:
            return {}
        digest, version = entry.evidence["digest"], entry.evidence.get("version")
        return {"published_digest": str(digest), "published_version": version}

    @contextmanager
    def _refusal_recorded(self, raw: PartitionVersion, about: dict[str, str]) -> Iterator[None]:
        """Link the report of a refused partition, and write the refusal down, before it fails."""
        try:
            yield
        except ValidationFailedError as error:
            self.link_report(error.report)
            self.ledger.record(
                model=self.dataset.name,
                kind=EvidenceKind.REFUSAL,
                key=raw.partition,
                evidence={"raw": to_json(raw), "reason": str(error), "report": error.report},
                **about,
            )
            raise

    def _record(self, result: ValidationResult, about: dict[str, str]) -> dict[str, Any]:
        self.link_report(result.report)
        evidence = result.evidence()
        self.ledger.record(
            model=self.dataset.name,
            kind=EvidenceKind.VALIDATION,
            key=result.published.partition,
            evidence=evidence,
            **about,
        )
        self._report(result)
        return evidence

    def _report(self, result: ValidationResult) -> None:
        published = result.published
        quarantined = f"{result.n_quarantined} in {quarantine_table(self.dataset)!r}"
        chunks = f" in {result.n_chunks} chunks" if result.n_chunks > 1 else ""
        facts = {
            "rows": f"{result.n_rows_in} in, {published.n_rows} published",
            "quarantined": quarantined if result.n_quarantined else "none",
            "reasons": [f"{n} × {why}" for why, n in result.quarantined_by_reason.items()],
            "warnings": list(result.warnings),
            "notes": list(result.notes),
            "history": [_line(check) for check in result.checks if check.source == "history"],
            "expectations": f"{result.n_evaluated}{chunks}",
            "table": f"{published.table} version {published.version}",
            "known": known_text(published),
            "changed": result.changes.text if result.changes else "first of its day",
            "event": "yes" if result.changed else "no, the same content was published before",
            "report": getattr(self, "report_url", result.report),
        }
        self.report(f"validated {self.dataset.name} {published.partition}", facts)


def _line(check: CheckOutcome) -> str:
    verdict = {True: "ok", False: check.severity, None: "open"}[check.passed]
    limits = f" ({check.limits})" if check.limits else ""
    return f"{check.name.removeprefix('history:')}: {verdict}, {check.observed}{limits}"


def _about(context: Context) -> dict[str, str]:
    """Return which run this is, and who started it, as the ledger's entries say it."""
    return {"dag_run": dag_run_name(context), "by": triggered_by(context)}
