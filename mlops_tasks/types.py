"""The small frozen records that steps hand to each other, all plain JSON when asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mlops_tasks.formats import known_fields

__all__ = [
    "Check",
    "CheckOutcome",
    "IngestResult",
    "MonitorResult",
    "PartitionVersion",
    "Pin",
    "RegisteredVersion",
    "RetrainDecision",
    "RowChanges",
    "ScoreResult",
    "TrainResult",
    "TrainingPin",
    "ValidationResult",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """One partition of one table, exactly as one commit left it.

    Attributes
    ----------
    table, partition : str
        Table name and partition key.
    version : int
        Version number of the table that the commit made.
    n_rows : int
        Rows of the partition.
    digest : str
        Digest of its content, independent of row order.
    """

    table: str
    partition: str
    version: int
    n_rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What `ingest` extracted: a reference to the raw partition, no rows.

    Attributes
    ----------
    raw : PartitionVersion
        The raw partition.
    query_s : float
        Seconds from the query to the commit: rows are written while they are read.
    described : str
        What was read, and how.
    notes : tuple of str
        What became of columns beyond the contract.
    """

    raw: PartitionVersion
    query_s: float
    described: str = ""
    notes: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Pin:
    """The exact, immutable rows of a range of days of one table.

    Attributes
    ----------
    table : str
        The table.
    first, last : str
        First and last day, both inclusive.
    versions : tuple of int
        For each day that has rows, in order, the version of the table that wrote it. Numbers,
        never times: clocks skew.
    columns : tuple of str
        Columns of the rows.
    n_rows : int
        Number of rows.
    digest : str
        Digest of the whole content; it depends on no row order, file or library.
    """

    table: str
    first: str
    last: str
    versions: tuple[int, ...]
    columns: tuple[str, ...]
    n_rows: int
    digest: str

    @property
    def version(self) -> int:
        """Newest version among the days."""
        return max(self.versions, default=-1)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Pin:
        """Rebuild the pin from ``dataclasses.asdict`` after a trip through JSON."""
        lists = {name: tuple(raw[name]) for name in ("columns", "versions")}
        return cls(**known_fields(cls, raw) | lists)


@dataclass(frozen=True, slots=True)
class TrainingPin:
    """The data of one training as known on one night.

    ``train`` and ``evaluation`` are the inclusive first and last event days of the two windows;
    the evaluation window lies wholly after the training window.
    """

    as_of: str
    train: tuple[str, str]
    evaluation: tuple[str, str]
    inputs: dict[str, Pin]
    labels: Pin

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> TrainingPin:
        """Rebuild the record from ``dataclasses.asdict`` after a trip through JSON."""
        return cls(
            as_of=raw["as_of"],
            train=(raw["train"][0], raw["train"][1]),
            evaluation=(raw["evaluation"][0], raw["evaluation"][1]),
            inputs={name: Pin.from_json(pin) for name, pin in raw["inputs"].items()},
            labels=Pin.from_json(raw["labels"]),
        )

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins of all its tables, labels last."""
        return (*self.inputs.values(), self.labels)

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A fitted model in MLflow: references and the figures a person asks for first.

    ``artifacts`` has the SHA-256 of each artifact of the run that later steps read.
    """

    run_id: str
    model_id: str
    model_uri: str
    digest: str
    n_rows: int
    positive_share: float
    fit_s: float
    artifacts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model as the ledger knows it: what is needed to load it safely.

    Attributes
    ----------
    name, version : str
        Registered model and version.
    run_id, model_uri : str
        Where MLflow has its run and its files.
    digest : str
        `files_digest` of its files when they were examined.
    artifacts : dict of str to str
        SHA-256 of each artifact of the run that later steps read.
    metrics : dict of str to float
        What it scored at its gate.
    """

    name: str
    version: str
    run_id: str
    model_uri: str
    digest: str
    artifacts: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a challenger, and on what evidence.

    ``verdict`` is ``"promote"``, ``"keep"`` or ``"cannot_tell"``; metrics are plain finite floats.
    ``difference`` is the interval that decided: ROC AUC, or what it is above the champion's;
    ``log_loss_gap`` that of the log loss above the champion's. Empty where they cannot be measured.
    ``artifacts`` has the SHA-256 of what the evaluation stored for later steps.
    """

    verdict: str
    reason: str
    n_rows: int
    challenger: dict[str, float]
    champion: dict[str, float] | None
    champion_version: str | None
    difference: dict[str, float]
    log_loss_gap: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """One scored partition: which model version, how many rows, mean score."""

    predictions: PartitionVersion
    model_version: str
    mean_score: float
    unseen_categories: dict[str, int]


@dataclass(frozen=True, slots=True)
class Check:
    """One number against its threshold, with the sentence a person reads.

    ``value`` is None when there was too little data to tell; such a check never alarms.
    """

    name: str
    value: float | None
    threshold: float
    alarm: bool
    text: str


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """The checks of one day, with the window they looked at."""

    first: str
    last: str
    n_rows: int
    model_version: str
    checks: tuple[Check, ...]
    coverage: float | None = None
    report: str = ""

    @property
    def alarms(self) -> tuple[Check, ...]:
        """The checks that alarm."""
        return tuple(check for check in self.checks if check.alarm)


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """Yes or no, always with a reason and the evidence looked at."""

    retrain: bool
    cause: str
    reason: str
    evidence: dict[str, Any]
