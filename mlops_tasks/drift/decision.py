"""The records of a decision: the answer, the evidence, and what a policy asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from mlops_tasks.exceptions import SpecError

__all__ = [
    "LEVEL_DAYS",
    "Answer",
    "ColumnDrift",
    "DriftPolicy",
    "Evidence",
    "Picture",
    "SchemaChange",
]


#: With this many days of a reference the false alarms keep their stated level; see ADR 11.
LEVEL_DAYS = 28


class Answer(StrEnum):
    """What can be said of a column, or of a whole table."""

    DRIFT = "drift"
    STABLE = "stable"
    TOO_FEW = "too few rows to tell"
    GAPS = "too much of the window is missing to tell"


@dataclass(frozen=True, slots=True)
class DriftPolicy:
    """When a change is worth an alarm.

    Attributes
    ----------
    level : float
        Chance of any alarm in one comparison of a table without drift, in (0, 0.5].
    min_effect : float
        Smallest effect that matters, in [0, 10]: Cohen's h, or for means a shift in standard
        deviations. 0 makes every change matter that chance does not explain; 0.1 is about a
        population stability index of 0.01.
    min_rows : int
        Rows with a value that both sides need, at least 30; with fewer the answer is "too few rows
        to tell".

    Raises
    ------
    SpecError
        If a value is out of its range.
    """

    level: float = 0.01
    min_effect: float = 0.1
    min_rows: int = 100

    def __post_init__(self) -> None:
        allowed = {
            "level, a chance, must be in (0, 0.5]": 0 < self.level <= 0.5,
            "min_effect, an effect size, must be in [0, 10]": 0 <= self.min_effect <= 10,
            "min_rows must be at least 30, and finite": 30 <= self.min_rows < math.inf,
        }
        wrong = [rule for rule, kept in allowed.items() if not kept]
        if wrong:
            raise SpecError(f"drift policy {self}: {'; '.join(wrong)}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One aspect of one column against its threshold.

    Attributes
    ----------
    aspect : str
        Name of one of `drift.aspects`, such as ``shape`` or ``missing``.
    effect, threshold : float or None
        Effect size and where the alarm begins, unitless; None when there are too few rows, or
        where the effect has no bound (a constant became another constant).
    alarm : bool
        Whether the effect is above the threshold.
    text : str
        What changed, in words.
    """

    aspect: str
    effect: float | None
    threshold: float | None
    alarm: bool
    text: str

    @property
    def sentence(self) -> str:
        """What changed, with the effect and where the alarm begins."""
        effect = "unbounded" if self.effect is None else f"{self.effect:.2f}"
        return f"{self.text} [{self.aspect} effect {effect}, alarm above {self.threshold:.2f}]"

    @property
    def severity(self) -> float:
        """Effect as a multiple of the threshold, at most 1000; 0 when nobody can tell."""
        if self.effect is None or not self.threshold:
            return 1000.0 if self.alarm else 0.0
        return min(self.effect / self.threshold, 1000.0)


@dataclass(frozen=True, slots=True)
class Picture:
    """Shares of rows to draw: bins of numbers or categories.

    Attributes
    ----------
    labels : tuple of str
        Of each bar.
    reference, current : tuple of float
        Share of the rows with a value, per bar; empty for a side without any.
    is_ordered : bool
        Whether the bars are neighbours, as bins are.
    """

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]
    is_ordered: bool


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What is known of the drift of one column.

    Attributes
    ----------
    name, kind : str
        The column, and ``numeric``, ``time`` or ``category``.
    answer : Answer
        Drift, stable, or too few rows to tell.
    importance : float or None
        Multiple of the mean importance, when importances were given and this column has one.
    evidence : tuple of Evidence
        One per aspect.
    measures : dict of str to float or None
        Of `drift.measures`, for the reader; nothing is decided on them.
    picture : Picture
        Both distributions.
    """

    name: str
    kind: str
    answer: Answer
    importance: float | None
    evidence: tuple[Evidence, ...]
    measures: dict[str, float | None]
    picture: Picture

    @property
    def alarm(self) -> bool:
        """Whether the column drifted."""
        return self.answer is Answer.DRIFT

    @property
    def severity(self) -> float:
        """Largest effect as a multiple of its threshold."""
        return max((one.severity for one in self.evidence), default=0.0)

    @property
    def rank(self) -> float:
        """Severity weighed by importance; the report is sorted by it.

        A column without an importance, such as a score, counts as much as the most important.
        """
        weight = 1.0 if self.importance is None else min(self.importance, 1.0)
        return self.severity * weight


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Columns that only one side has, or that changed their kind.

    Attributes
    ----------
    added, removed : tuple of str
        Columns of the current side only, and of the reference only.
    changed : tuple of str
        ``name: old kind -> new kind``.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether a column is gone or holds something else; a new one hurts no model."""
        return bool(self.removed or self.changed)

    @property
    def text(self) -> str:
        """What changed, in words; empty if nothing did."""
        parts = (("gone", self.removed), ("changed", self.changed), ("new", self.added))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
