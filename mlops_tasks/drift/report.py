"""The report on one window: plain data, and lines for a log."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops_tasks.drift.decision import LEVEL_DAYS, Answer, ColumnDrift, DriftPolicy, SchemaChange
from mlops_tasks.partitions import Coverage  # noqa: TC001 (`from_json` needs the type)

__all__ = ["DriftReport"]

_N_LINES = 10


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All that is known of the drift of one window.

    Attributes
    ----------
    answer : Answer
        Nobody can tell if less than half of the window is there; else drift if a column alarms or
        the schema broke; else too few rows if no column can tell.
    headline : str
        The answer in one sentence.
    window, reference : str
        What people call the window and its reference.
    n_rows, n_reference, n_reference_days : int
        Rows of both; days of the reference that show how days differ, 0 for none.
    n_comparisons : int
        Comparisons that could have alarmed; each has this part of the policy's level.
    policy : DriftPolicy
        When to alarm.
    schema : SchemaChange
        Columns that came, went or changed their kind.
    columns : tuple of ColumnDrift
        By severity times importance, strongest first.
    coverage : Coverage or None
        How much of the window is there, where that is known.

    Notes
    -----
    `answer` and `headline` follow from the rest; as fields they come first in its JSON, for
    programs that read no further.
    """

    answer: Answer = field(init=False)
    headline: str = field(init=False)
    window: str
    reference: str
    n_rows: int
    n_reference: int
    n_reference_days: int
    n_comparisons: int
    policy: DriftPolicy
    schema: SchemaChange
    columns: tuple[ColumnDrift, ...]
    coverage: Coverage | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", self._answered())
        object.__setattr__(self, "headline", self._sentence())

    @property
    def gaps(self) -> str:
        """What of the window is missing; empty where nothing is."""
        return self.coverage.text if self.coverage else ""

    @property
    def alarms(self) -> tuple[ColumnDrift, ...]:
        """The columns that alarm."""
        return tuple(column for column in self.columns if column.alarm)

    @property
    def lines(self) -> tuple[str, ...]:
        """The report as text, one line each: the headline, the evidence, and what it rests on."""
        lines = [self.headline]
        for column in self.alarms[:_N_LINES]:
            lines += [f"  {column.name}: {one.sentence}" for one in column.evidence if one.alarm]
        if len(self.alarms) > _N_LINES:
            lines.append(f"  and {len(self.alarms) - _N_LINES} more")
        few = [one.name for one in self.columns if one.answer is Answer.TOO_FEW]
        if few and self.answer is not Answer.TOO_FEW:
            lines.append(f"  {Answer.TOO_FEW}: {', '.join(few)}")
        if self.gaps and self.answer is not Answer.GAPS:
            lines.append(f"  {self.gaps}")
        lines.append(f"  {self.basis}")
        return tuple(lines)

    @property
    def basis(self) -> str:
        """What the answer rests on."""
        n, level = self.n_reference_days, f"{100 * self.policy.level:g} %"
        chance = f"any false alarm at most {level} of the time"
        if not n:
            chance = f"expect more false alarms than {level}: nothing shows how its days differ"
        elif n < LEVEL_DAYS:
            chance += f" with {LEVEL_DAYS} days, perhaps more with fewer"
        return (
            f"{self.n_rows} rows against {self.n_reference} ({f'{n} days' if n else 'too few days'}"
            f"); {self.n_comparisons} comparisons, {chance}; effects under "
            f"{self.policy.min_effect:g} never alarm"
        )

    def _answered(self) -> Answer:
        if self.coverage and not self.coverage.enough:
            return Answer.GAPS
        if self.alarms or self.schema.alarm:
            return Answer.DRIFT
        if all(column.answer is Answer.TOO_FEW for column in self.columns):
            return Answer.TOO_FEW
        return Answer.STABLE

    def _sentence(self) -> str:
        which = f"{self.window} against {self.reference}"
        if self.answer is Answer.GAPS:
            return f"{which}: {Answer.GAPS} ({self.gaps})"
        if self.answer is Answer.TOO_FEW:
            needed = f"{self.policy.min_rows} with a value needed"
            return f"{which}: {Answer.TOO_FEW} ({self.n_rows} rows, {needed})"
        if self.answer is Answer.STABLE:
            n_stable = sum(column.answer is Answer.STABLE for column in self.columns)
            part = f" of {len(self.columns)}" if n_stable < len(self.columns) else ""
            return f"{which}: no drift in {n_stable}{part} columns"
        names = [column.name for column in self.alarms]
        parts = [f"drift in {len(names)} of {len(self.columns)} columns ({', '.join(names)})"]
        broken = [f"schema: {self.schema.text}"]
        return f"{which}: {'; '.join(parts * bool(names) + broken * self.schema.alarm)}"
