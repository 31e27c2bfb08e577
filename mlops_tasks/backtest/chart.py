"""Where everything of the picture lies: one row for each policy, all on the same scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.backtest.report import BacktestReport, Figures

__all__ = ["HEIGHT", "WIDTH", "Mark", "Row", "Scales", "chart_rows"]

WIDTH, HEIGHT = 720.0, 84.0
_PAD, _FOOT = 8.0, 14.0


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales that all rows share.

    Attributes
    ----------
    n_periods : int
        Along the axis.
    low, high : float
        Range of the metric.
    """

    n_periods: int
    low: float
    high: float

    @classmethod
    def of(cls, report: BacktestReport) -> Scales:
        """Take the whole range of all policies and the oracle."""
        every = [report.oracle.values, *(one.values for one in report.policies)]
        values = [value for some in every for value in some if value is not None] or [0.0, 1.0]
        margin = 0.05 * (max(values) - min(values)) or 0.01
        return cls(len(report.periods), min(values) - margin, max(values) + margin)

    def x(self, period: float) -> float:
        """Return where the middle of a period is."""
        return round(WIDTH * (period + 0.5) / self.n_periods, 1)

    def y(self, value: float) -> float:
        """Return where a value is; a larger one is higher."""
        room = HEIGHT - _PAD - _FOOT
        return round(_PAD + room * (self.high - value) / (self.high - self.low), 1)

    def path(self, values: Sequence[float | None]) -> str:
        """Return a line through values, broken where there is none."""
        words, pen = [], "M"
        for number, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            words.append(f"{pen}{self.x(number):g},{self.y(value):g}")
            pen = "L"
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Mark:
    """A training: where it is, what it is said to be, and whether its model was let through."""

    x: float
    text: str
    promoted: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One policy as drawn."""

    name: str
    title: str
    path: str
    marks: tuple[Mark, ...]
    harm: tuple[tuple[float, float], ...]
    figures: Figures


def chart_rows(report: BacktestReport) -> tuple[Row, ...]:
    """Lay the policies out, the oracle last.

    Parameters
    ----------
    report : BacktestReport
        From `backtest`.

    Returns
    -------
    tuple of Row
        A mark lies at the end of the period in which it was trained.
    """
    scales = Scales.of(report)
    width = WIDTH / scales.n_periods
    rows = []
    for one in report.policies:
        marks = tuple(
            Mark(
                round(min(scales.x(at + 0.5), WIDTH - 2), 1),
                f"trained as of {training.as_of} ({training.cause}): {training.verdict}",
                training.verdict == "promote",
            )
            for at, training in zip(one.trained_in, one.trainings[1:], strict=True)
        )
        harm = tuple(
            (round(number * width, 1), round(width, 1))
            for number, bad in enumerate(one.harm)
            if bad
        )
        rows.append(Row(one.name, one.title, scales.path(one.values), marks, harm, one.shown))
    oracle = report.oracle
    marks = tuple(
        Mark(round(scales.x(at - 0.5), 1), f"trained as of {day}", True)
        for at, day in zip(oracle.trained_in, oracle.trained, strict=True)
    )
    title = "knows all labels beforehand: nothing is cheaper"
    rows.append(Row("oracle", title, scales.path(oracle.values), marks, (), oracle.shown))
    return tuple(rows)
