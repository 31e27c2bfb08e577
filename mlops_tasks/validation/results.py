"""What a validation found, and what it published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.lake import PartitionVersion

__all__ = ["CheckOutcome", "RowChanges", "ValidationResult"]


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of a validation: what it saw, against its limits.

    Attributes
    ----------
    name : str
        Kind of check and its columns, ``<kind>:<column>,<column>``.
    source : str
        Who asked for it: ``contract``, ``suite`` or ``history``.
    severity : str
        ``critical`` blocks, ``warning`` flags, ``info`` is only reported.
    passed : bool or None
        None when there was too little to tell, which blocks and flags nothing.
    observed, limits : str
        What was seen and what was asked for, as a person reads them.
    n_rows, n_bad : int or None
        Rows that were judged one by one and those that fell short; None for a check of the whole.
    how : str
        How a partition larger than one chunk was judged.
    examples : tuple of str
        A few of the values that fell short.
    error : str
        Why the check could not be made; it has failed then.
    value, threshold : float or None
        The number and its limit, for checks across partitions.
    """

    name: str
    source: str
    severity: str
    passed: bool | None
    observed: str = ""
    limits: str = ""
    n_rows: int | None = None
    n_bad: int | None = None
    how: str = ""
    examples: tuple[str, ...] = ()
    error: str = ""
    value: float | None = None
    threshold: float | None = None

    @property
    def text(self) -> str:
        """The whole outcome in one sentence."""
        parts = [self.error] if self.error else []
        if self.observed and not self.error:
            parts.append(f"observed {self.observed}")
        if self.n_bad is not None:
            parts.append(f"{self.n_bad:,} of {self.n_rows:,} rows fall short")
        return f"{self.name}{' ' if self.limits else ''}{self.limits}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How a partition differs, row by row, from the version that was published before.

    Attributes
    ----------
    since : int
        Table version it is compared with.
    added, removed, changed, unchanged : int
        Rows by key.
    columns : dict of str to int
        In how many of the changed rows each column differs; of at most 10,000 of them.
    examples : dict of str to tuple of str
        A few keys that were ``added``, ``removed`` or ``changed``.
    """

    since: int
    added: int
    removed: int
    changed: int
    unchanged: int
    columns: dict[str, int] = field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The counts in one sentence."""
        return (
            f"{self.added} added, {self.removed} removed, {self.changed} changed, "
            f"{self.unchanged} the same as in version {self.since}"
        )


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What `validate` published and what it kept back.

    Attributes
    ----------
    published : PartitionVersion
        The published partition.
    raw_version : int
        Version of the raw table that was validated.
    suite_digest : str
        Digest of the suite that it was validated against.
    n_rows_in, n_quarantined : int
        Rows read and rows kept back; the others were published.
    n_evaluated, n_chunks : int
        Expectations made, and chunks they were made in.
    quarantined_by_reason : dict of str to int
        Rows kept back, by reason; a row may have several.
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
