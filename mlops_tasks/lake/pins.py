"""Pins: rows that never change, of a partition, of a range of days, of a training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.lake.commits import ASSUMED
from mlops_tasks.partitions import Coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake.commits import Commit
    from mlops_tasks.partitions import Grain

__all__ = [
    "PartitionVersion",
    "Pin",
    "RandomSplit",
    "TrainingPin",
    "assumed_lines",
    "make_pin",
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
    known_at, known_by, committed_at : str
        As of when it counts as known, by what, and when it was really committed: see `Commit`.
    """

    table: str
    partition: str
    version: int
    n_rows: int
    digest: str
    known_at: str = ""
    known_by: str = ""
    committed_at: str = field(default="", compare=False)

    @classmethod
    def of(cls, table: str, commit: Commit) -> PartitionVersion:
        """Return the reference to what a commit of a table holds."""
        return cls(
            table=table,
            partition=commit.partition,
            version=commit.version,
            n_rows=commit.n_rows,
            digest=commit.digest,
            known_at=commit.known_at,
            known_by=commit.known_by,
            committed_at=commit.committed_at,
        )

    @property
    def assumed(self) -> bool:
        """Whether it counts as known when its schedule would have taken it in, not as it was."""
        return self.known_by == ASSUMED


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
    assumed : int
        Of the days, those that count as known when their schedule would have taken them in, though
        they were really committed later.
    """

    table: str
    first: str
    last: str
    versions: tuple[int, ...]
    columns: tuple[str, ...]
    n_rows: int
    digest: str
    assumed: int = 0

    @property
    def version(self) -> int:
        """Newest version among the days."""
        return max(self.versions, default=-1)


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """A row is evaluated on, and never trained on, by a hash of its key and nothing else.

    Two trainings with an equal split keep the same rows for the evaluation, whatever their windows.

    Attributes
    ----------
    seed : int
        What is hashed with the key.
    one_in : int
        One row in this number of rows is evaluated on.
    """

    seed: int
    one_in: int = 5


@dataclass(frozen=True, slots=True)
class TrainingPin:
    """The data of one training as known on one day, its cut-off `as_of`.

    ``train`` and ``evaluation`` are the inclusive first and last event days of the two windows;
    the evaluation window lies wholly after the training window, with the ``embargo`` (a duration)
    between them. With a ``random`` split both windows are the same, and each row belongs to one of
    them. ``missing`` names, for each of the two, the partitions of its calendar span that could not
    be used.
    """

    as_of: str
    train: tuple[str, str]
    evaluation: tuple[str, str]
    inputs: dict[str, Pin]
    labels: Pin
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    embargo: str = ""
    random: RandomSplit | None = None

    def coverage(self, window: str, grain: Grain) -> Coverage:
        """Return how much of the calendar span of ``"train"`` or ``"evaluation"`` is there."""
        (first, last), missing = getattr(self, window), self.missing.get(window, ())
        ends = sorted((first, last, *missing))
        return Coverage(grain.name, grain.between(ends[0], ends[-1]) + 1, tuple(missing))

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins of all its tables, labels last."""
        return (*self.inputs.values(), self.labels)

    @property
    def digest(self) -> str:
        """SHA-256 of windows, split and content; it says nothing of versions or of when."""
        lines = [f"{table} {pin.digest}" for table, pin in sorted(self.inputs.items())]
        lines += [self.labels.digest, *self.train, *self.evaluation, self.embargo, str(self.random)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def split(self) -> str:
        """How the evaluation is kept from the training, in words."""
        if self.random is not None:
            return f"one row in {self.random.one_in} by a hash of its key, seed {self.random.seed}"
        return f"by time, embargo {self.embargo}" if self.embargo else "by time, without an embargo"

    @property
    def assumed(self) -> dict[str, int]:
        """By table, how many partitions are only assumed to have been known; none: left out."""
        return {pin.table: pin.assumed for pin in self.pins if pin.assumed}


def assumed_lines(pin: TrainingPin) -> list[str]:
    """Return in words, by table, how many partitions are only assumed to have been known."""
    return [
        f"{n} of {len(table.versions)} partitions of {table.table} assumed from its schedule"
        for table in pin.pins
        if (n := table.assumed)
    ]


def make_pin(
    table: str, first: str, last: str, columns: tuple[str, ...], commits: Sequence[Commit]
) -> Pin:
    """Return the pin of given commits, one per partition.

    Its digest is the SHA-256 over the sorted lines ``<day> <rows> <content digest>``, so it depends
    on nothing but the content of the days.
    """
    ordered = sorted(commits, key=lambda commit: commit.partition)
    lines = [f"{commit.partition} {commit.n_rows} {commit.digest}" for commit in ordered]
    return Pin(
        table=table,
        first=first,
        last=last,
        versions=tuple(commit.version for commit in ordered),
        columns=columns,
        n_rows=sum(commit.n_rows for commit in ordered),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        assumed=sum(commit.assumed for commit in ordered),
    )
