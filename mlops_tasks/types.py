"""The small frozen records that steps hand to each other, all plain JSON when asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "Check",
    "IngestResult",
    "MonitorResult",
    "PartitionVersion",
    "Pin",
    "RetrainDecision",
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
    """What `ingest` extracted: a reference to the raw partition, no rows."""

    raw: PartitionVersion
    query_s: float


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What `validate` published and what it kept back.

    ``changed`` is False when the partition had been published before with the very same content.
    """

    published: PartitionVersion
    n_rows_in: int
    n_quarantined: int
    n_evaluated: int
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    changed: bool = True


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
        return cls(**{**raw, "columns": tuple(raw["columns"]), "versions": tuple(raw["versions"])})


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

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A fitted model in MLflow: references and the figures a person asks for first."""

    run_id: str
    model_id: str
    model_uri: str
    digest: str
    n_rows: int
    positive_share: float
    fit_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a challenger, and on what evidence.

    ``verdict`` is ``"promote"`` or ``"keep"``; metrics are plain finite floats.
    """

    verdict: str
    reason: str
    n_rows: int
    challenger: dict[str, float]
    champion: dict[str, float] | None
    champion_version: str | None
    difference: dict[str, float]


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
