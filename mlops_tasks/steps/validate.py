"""Validate: a raw partition passes its contract and its suite, or stays unpublished."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EmptyPartitionError, StaleAttemptError, ValidationFailedError
from mlops_tasks.faults import fault_point
from mlops_tasks.validation.changes import row_changes
from mlops_tasks.validation.examination import examine
from mlops_tasks.validation.history import history_outcomes, trailing_commits
from mlops_tasks.validation.outcomes import SUPERSEDED
from mlops_tasks.validation.publication import publish
from mlops_tasks.validation.report import ReportFacts, bad_row_samples, write_report
from mlops_tasks.validation.results import ValidationResult
from mlops_tasks.validation.rows import PartitionRows
from mlops_tasks.validation.suite import load_suite

if TYPE_CHECKING:
    from mlops_tasks.lake import Commit, Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.examination import Examination
    from mlops_tasks.validation.results import CheckOutcome
    from mlops_tasks.validation.suite import Suite

__all__ = ["validate"]


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
        Day as of which the rows are known; by default the day at which the raw rows were, where
        that changes nothing that was published since, else today: see `as_of_night`.

    Returns
    -------
    ValidationResult
        Counts, reasons and the published version; `changed` tells whether the content is new.

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
    rows = _rows(spec, raw, lake)
    before = _published(spec, raw.partition, lake, published_version)
    found = examine(spec, suite, rows)
    n_good = rows.n_rows - found.marks.n_marked
    trail = trailing_commits(spec, raw.partition, lake)
    history = history_outcomes(spec, raw.partition, found.facts, n_good, before=trail, lake=lake)
    run = _Run(spec, raw, rows, suite, found, trail, (*found.outcomes, *history), lake)
    run.refuse_if_blocked()
    published = publish(spec, rows, found.marks, lake=lake, token=token, known_at=known_at)
    fault_point("validate:after_publish")
    result = run.result(published, before, published_digest)
    return replace(result, report=run.write(result))


@dataclass(frozen=True, slots=True)
class _Run:
    """One validation between its examination and its end."""

    spec: DatasetSpec
    raw: PartitionVersion
    rows: PartitionRows
    suite: Suite
    found: Examination
    trail: list[Commit]
    outcomes: tuple[CheckOutcome, ...]
    lake: Lake

    def refuse_if_blocked(self) -> None:
        """Raise, with a report, if the partition must not be published."""
        lines = self._blocking()
        if not lines:
            return
        spec, raw = self.spec, self.raw
        error = ValidationFailedError(
            f"dataset {spec.name!r}, partition {raw.partition}: not published, what was published "
            f"before stays. The rows are in {raw.table!r} version {raw.version}:\n"
            + "\n".join(f"  {line}" for line in lines)
        )
        error.report = self.write(None, lines)
        raise error

    def result(
        self, published: PartitionVersion, before: Commit | None, digest: str | None
    ) -> ValidationResult:
        """Gather what came out."""
        now = _published(self.spec, self.raw.partition, self.lake, published.version)
        changes = row_changes(self.spec, before, now, lake=self.lake) if before and now else None
        return ValidationResult(
            published=published,
            raw_version=self.raw.version,
            suite_digest=self.suite.digest,
            n_rows_in=self.rows.n_rows,
            n_quarantined=self.found.marks.n_marked,
            n_evaluated=len(self.suite.expectations),
            n_chunks=self.rows.n_chunks,
            quarantined_by_reason=self.found.marks.counts(),
            warnings=self._failed("warning"),
            notes=self._failed("info"),
            changed=published.digest != digest,
            checks=self.outcomes,
            changes=changes,
        )

    def write(self, result: ValidationResult | None, blocked: list[str] | None = None) -> str:
        """Write the report; return its path relative to the lake."""
        fault_point("report:before_write")
        facts = ReportFacts(
            spec=self.spec,
            raw=self.raw,
            suite=self.suite,
            chunks=self.rows.how,
            outcomes=self.outcomes,
            n_bad=self.found.marks.n_marked,
            reasons=self.found.marks.counts(),
            samples=bad_row_samples(self.rows, self.found.marks),
            history=self.trail,
            result=result,
            blocked=tuple(blocked or ()),
        )
        return write_report(self.lake, facts)

    def _failed(self, severity: str) -> tuple[str, ...]:
        return tuple(
            outcome.text
            for outcome in self.outcomes
            if outcome.severity == severity and outcome.passed is False
        )

    def _blocking(self) -> list[str]:
        """Say why it must not be published: a check of the whole, or too many bad rows."""
        marks, n_rows = self.found.marks, self.rows.n_rows
        lines = [
            outcome.text
            for outcome in self.outcomes
            if outcome.severity == "critical"
            and outcome.passed is False
            and (outcome.n_bad is None or outcome.error)
        ]
        n_bad, allowed = marks.n_marked_beyond(SUPERSEDED), self.spec.max_quarantined_share
        if n_bad > allowed * n_rows:
            counts = sorted(marks.counts().items())
            worst = ", ".join(f"{reason} {n}" for reason, n in counts)
            lines.append(
                f"{n_bad} of {n_rows} rows are bad ({n_bad / n_rows:.1%}, allowed {allowed:.1%}): "
                f"{worst}"
            )
        return lines


def _rows(spec: DatasetSpec, raw: PartitionVersion, lake: Lake) -> PartitionRows:
    day = raw.partition
    table = lake.table(raw.table)
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


def _published(spec: DatasetSpec, partition: str, lake: Lake, version: int | None) -> Commit | None:
    """Return what is published as of a version; as of now, if that has been vacuumed or is gone."""
    table = lake.table(spec.name)
    if not table.exists:
        return None
    known = version is not None and version <= table.version
    for asked in (version, None) if known else (None,):
        for commit in table.commits(first=partition, last=partition, version=asked):
            if all((table.folder / file.path).exists() for file in commit.files):
                return commit
    return None
