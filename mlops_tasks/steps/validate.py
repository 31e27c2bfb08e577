"""Validate: a raw partition passes its contract and its suite, or stays unpublished."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    PartitionNotFoundError,
    StaleAttemptError,
    ValidationFailedError,
)
from mlops_tasks.faults import fault_point
from mlops_tasks.lake import PartitionVersion
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.reports import write_report
from mlops_tasks.serialization import to_json
from mlops_tasks.validation.check_outcomes import blocking_reasons
from mlops_tasks.validation.examination import examine
from mlops_tasks.validation.history import history_outcomes, trailing_commits
from mlops_tasks.validation.partition_rows import PartitionRows
from mlops_tasks.validation.publication import publish, quarantine_table
from mlops_tasks.validation.report import render_report
from mlops_tasks.validation.row_changes import row_changes
from mlops_tasks.validation.suite import load_suite

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.lake import Commit, Lake, Table
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.check_outcomes import CheckOutcome
    from mlops_tasks.validation.row_changes import RowChanges

__all__ = ["Readmission", "ValidationResult", "readmit", "validate"]


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What `validate` published and what it quarantined.

    Attributes
    ----------
    published : PartitionVersion
        The published partition.
    raw_version : int
        Version of the raw table that was validated.
    suite_digest : str
        Digest of the suite that it was validated against.
    n_rows_in, n_quarantined : int
        Rows read and rows quarantined; the others were published.
    n_evaluated, n_chunks : int
        Expectations made, and chunks they were made in.
    quarantined_by_reason : dict of str to int
        Rows quarantined, by reason; a row may have several.
    warnings, notes : tuple of str
        Checks of severity ``warning`` and ``info`` that failed.
    changed : bool
        False when the partition had been published before with the very same content.
    checks : tuple of CheckOutcome
        Every check, also those that passed.
    changes : RowChanges or None
        None when nothing was published before.
    report : str
        The report, a path relative to the root of the lake.
    """

    published: PartitionVersion
    raw_version: int
    suite_digest: str
    n_rows_in: int
    n_quarantined: int
    n_evaluated: int
    n_chunks: int = 1
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changed: bool = True
    checks: tuple[CheckOutcome, ...] = ()
    changes: RowChanges | None = None
    report: str = ""

    def evidence(self) -> dict[str, Any]:
        """Return what the ledger keeps of it: plain JSON, small enough to read.

        Returns
        -------
        dict
            Versions, counts, reasons, what failed, the checks across partitions with number and
            threshold, and what changed.
        """
        history = [check for check in self.checks if check.source == "history"]
        changes = to_json(self.changes) if self.changes else None
        if changes:
            changes["examples"] = {word: keys for word, keys in changes["examples"].items() if keys}
        return {
            "table": self.published.table,
            "version": self.published.version,
            "digest": self.published.digest,
            "known_at": self.published.known_at,
            "known_by": self.published.known_by,
            "raw_version": self.raw_version,
            "suite_digest": self.suite_digest,
            "n_rows_in": self.n_rows_in,
            "n_validated": self.published.n_rows,
            "n_quarantined": self.n_quarantined,
            "n_expectations": self.n_evaluated,
            "n_chunks": self.n_chunks,
            "quarantined_by_reason": dict(self.quarantined_by_reason),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
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
            "changes": changes,
            "report": self.report,
        }


@dataclass(frozen=True, slots=True)
class Readmission:
    """What became of the quarantined rows.

    Attributes
    ----------
    result : ValidationResult
        Of validating the whole raw partition again.
    n_before : int
        Rows in the quarantine before.
    n_readmitted : int
        Of these, the rows that are published now.
    still : dict of str to int
        Rows that are quarantined now, by reason.
    """

    result: ValidationResult
    n_before: int
    n_readmitted: int
    still: dict[str, int]


def validate(
    spec: DatasetSpec,
    raw: PartitionVersion,
    *,
    lake: Lake,
    token: int,
    published_digest: str | None = None,
    published_version: int | None = None,
    known_at: str | None = None,
) -> ValidationResult:
    """Check one raw partition; publish the good rows and quarantine the bad ones.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset with its contract and suite.
    raw : PartitionVersion
        The raw partition, at its exact version.
    lake : Lake
        Both source and target.
    token : int
        Number of this attempt, from `Ledger.next_token`.
    published_digest, published_version : str and int, optional
        What another run has already published for this partition: its content digest, and the
        version that changes are counted from (the newest one by default, and where vacuum has
        removed it).
    known_at : str, optional
        Day as of which the rows are known; by default the day as of which the raw rows are, where
        that changes nothing that was published since, else today: see `known_as_before`.

    Returns
    -------
    ValidationResult
        Counts, reasons and the published version; `changed` is whether the content is new.

    Raises
    ------
    ValidationFailedError
        If a critical check of the whole partition fails, or more rows are bad than
        `max_quarantined_share` allows. What was published before stays as it is.
    EmptyPartitionError
        If there are no rows: every check of rows would pass.
    StaleAttemptError
        If the day has been extracted again since: older rows never replace newer ones.
    SuiteError
        If the suite cannot be used as it is written.

    Notes
    -----
    Rows are judged in chunks that ``MLOPS_VALIDATION_MEMORY`` has room for. Beside one of them,
    memory holds 8 bytes a row for the keys, and one bit a row for every reason that applies.
    """
    suite = load_suite(spec.expectations, spec.columns)
    table, rows = lake.table(spec.name), _raw_rows(spec, raw, lake.table(raw.table))
    before = _published(table, raw.partition, published_version)
    examination = examine(spec, suite, rows)
    flags = examination.flags
    trail = trailing_commits(spec, raw.partition, table)
    outcomes = (*examination.outcomes, *history_outcomes(spec, rows, examination, trail, table))
    report = partial(render_report, spec, suite, rows, flags, outcomes, trail)
    if blocked := blocking_reasons(outcomes, flags, spec.max_quarantined_share):
        fault_point("report:before_write")
        error = _refused(spec, raw, blocked)
        name, page = f"refused-{raw.version}", report(blocked=blocked)
        error.report = write_report(lake.root, spec.name, raw.partition, name, page)
        raise error
    published = publish(spec, rows, flags, table, lake=lake, token=token, known_at=known_at)
    fault_point("validate:after_publish")
    now = _published(table, raw.partition, published.version)
    changes = row_changes(spec, before, now, table=table) if before and now else None
    fault_point("report:before_write")
    name, page = str(published.version), report(published=published, changes=changes)
    return ValidationResult(
        published=published,
        raw_version=raw.version,
        suite_digest=suite.digest,
        n_rows_in=rows.n_rows,
        n_quarantined=flags.n_flagged,
        n_evaluated=len(suite.expectations),
        n_chunks=rows.n_chunks,
        quarantined_by_reason=flags.counts(),
        warnings=_failed(outcomes, "warning"),
        notes=_failed(outcomes, "info"),
        changed=published.digest != published_digest,
        checks=outcomes,
        changes=changes,
        report=write_report(lake.root, spec.name, raw.partition, name, page),
    )


def readmit(
    spec: DatasetSpec, partition: str, *, raw_table: str, lake: Lake, token: int, known_at: str
) -> Readmission:
    """Validate a partition again with what its spec says now, and publish what passes.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset, with its fixed suite or contract.
    partition : str
        The day.
    raw_table : str
        Table of the rows as they were extracted; good and bad rows are judged together, as keys
        and row counts need.
    lake : Lake
        Where everything is.
    token : int
        Number of this attempt.
    known_at : str
        Day as of which the readmitted rows are known; a training as of an earlier day never sees
        them.

    Returns
    -------
    Readmission
        How many rows came back, and why others did not.

    Raises
    ------
    PartitionNotFoundError
        If nothing is quarantined, or the raw partition is gone.
    ValidationFailedError
        If the partition must not be published; everything stays as it was.
    """
    import numpy as np

    quarantine = lake.table(quarantine_table(spec))
    quarantined = _newest(quarantine, partition)
    if quarantined is None or not quarantined.n_rows:
        raise PartitionNotFoundError(
            f"dataset {spec.name!r}: nothing of {partition} is in {quarantine.name!r}"
        )
    newest = _newest(lake.table(raw_table), partition)
    if newest is None:
        raise PartitionNotFoundError(
            f"dataset {spec.name!r}: {raw_table!r} has no {partition}; ingest the day again"
        )
    raw = PartitionVersion.of(raw_table, newest)
    columns = [name for name in spec.columns if name in quarantine.schema.names]
    before = _row_hashes(quarantine, quarantined, columns)
    result = validate(spec, raw, lake=lake, token=token, known_at=known_at)
    published = lake.table(spec.name)
    (now,) = published.commits(first=partition, last=partition)
    after = _row_hashes(published, now, columns)
    return Readmission(
        result=result,
        n_before=quarantined.n_rows,
        n_readmitted=int(np.isin(before, after).sum()),
        still=dict(result.quarantined_by_reason),
    )


def _raw_rows(spec: DatasetSpec, raw: PartitionVersion, table: Table) -> PartitionRows:
    day = raw.partition
    commits = table.commits(first=day, last=day, version=raw.version)
    if not commits or not commits[0].n_rows:
        raise EmptyPartitionError(
            f"dataset {spec.name!r}, partition {day}: {raw.table!r} version {raw.version} has no "
            f"rows; nothing was published. Run the ingest task of {day} again"
        )
    (newest,) = table.commits(first=day, last=day)
    if newest.digest != raw.digest:
        raise StaleAttemptError(
            f"dataset {spec.name!r}, partition {day}: {raw.table!r} version {raw.version} was "
            f"replaced by a later extract, version {newest.version} has it; the run that took it "
            f"publishes it. Run {spec.name}.ingest for {day} if it has not"
        )
    return PartitionRows.within_memory(table, commits[0])


def _published(table: Table, partition: str, version: int | None) -> Commit | None:
    """Return what is published as of a version; as of now, if that has been vacuumed or is gone."""
    if not table.exists:
        return None
    known = version is not None and version <= table.version
    for asked in (version, None) if known else (None,):
        for commit in table.commits(first=partition, last=partition, version=asked):
            if all((table.folder / file.path).exists() for file in commit.files):
                return commit
    return None


def _refused(
    spec: DatasetSpec, raw: PartitionVersion, reasons: Sequence[str]
) -> ValidationFailedError:
    return ValidationFailedError(
        f"dataset {spec.name!r}, partition {raw.partition}: not published, what was published "
        f"before stays. The rows are in {raw.table!r} version {raw.version}:\n"
        + "\n".join(f"  {reason}" for reason in reasons)
    )


def _failed(outcomes: Sequence[CheckOutcome], severity: str) -> tuple[str, ...]:
    return tuple(o.text for o in outcomes if o.severity == severity and o.passed is False)


def _newest(table: Table, partition: str) -> Commit | None:
    if not table.exists:
        return None
    commits = table.commits(first=partition, last=partition)
    return commits[0] if commits else None


def _row_hashes(table: Table, commit: Commit, columns: list[str]) -> npt.NDArray[np.uint64]:
    """Hash the rows of a commit by their content, without the reasons of the quarantine."""
    import numpy as np

    rows = PartitionRows.within_memory(table, commit)
    return np.concatenate([row_hashes(chunk) for _, chunk in rows.chunks(columns)])
