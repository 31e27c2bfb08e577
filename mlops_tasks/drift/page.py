"""The report as one HTML page that loads nothing from anywhere."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.drift.decision import Answer
from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.reports import page_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift.decision import ColumnDrift, SchemaChange
    from mlops_tasks.drift.report import DriftReport

__all__ = ["ALARM_SHADE", "Cell", "heat_table", "render_page", "shade_of"]

_TEMPLATE = Path(__file__).with_name("page.html.j2")
# Severities from which a cell is a shade darker; from 1 on it is an alarm.
_SHADES = (0.5, 0.75, 1.0, 1.5, 3.0)
#: Of what alarms without a number.
ALARM_SHADE = 4
_MOST = 10
_WIDTH, _HEIGHT = 640.0, 150.0
# Alarming columns that are unfolded, at most.
_N_OPEN = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """One column on one day.

    Attributes
    ----------
    shade : int
        From 0 to 5; from 3 on it is drift. -1 if nobody can tell, -2 if there was no such column.
    severity : float or None
        Largest effect as a multiple of its threshold.
    is_alarm : bool
        Whether it alarms.
    text : str
        What a reader hears or sees on it.
    """

    shade: int
    severity: float | None
    is_alarm: bool
    text: str

    @property
    def mark(self) -> str:
        """What is written in it."""
        if self.severity is None:
            return "!" if self.is_alarm else "?" if self.shade == -1 else "–"
        near = 0.95 <= self.severity < 1.05
        digits = f"{self.severity:.2f}" if near else f"{self.severity:.1f}"
        return digits if self.severity < _MOST else f"≥{_MOST}"


def render_page(reports: Sequence[DriftReport], *, title: str = "Drift") -> str:
    """Write the page of one or several windows.

    Parameters
    ----------
    reports : sequence of DriftReport
        In the order of time, at least one; the last is shown in full, all are in the heatmap.
    title : str, default "Drift"
        Title of the page.

    Returns
    -------
    str
        HTML with its styles and pictures inside; no script, no address of another resource.

    Raises
    ------
    PartitionNotFoundError
        If there is no report.
    """
    reports = list(reports)
    names, rows = heat_table(reports)
    report = reports[-1]
    return page_template(_TEMPLATE).render(
        title=title,
        report=report,
        reports=reports,
        turns=[False, *(a.reference != b.reference for a, b in pairwise(reports))],
        places={column.name: f"column-{i}" for i, column in enumerate(report.columns)},
        opened={column.name for column in report.alarms[:_N_OPEN]},
        heat=list(zip(names, rows, strict=True)),
        steps=_steps,
        width=_WIDTH,
        height=_HEIGHT,
    )


def heat_table(reports: Sequence[DriftReport]) -> tuple[list[str], list[list[Cell]]]:
    """Lay out the heatmap of column by day.

    Parameters
    ----------
    reports : sequence of DriftReport
        In the order of time, at least one.

    Returns
    -------
    tuple of list
        Names of the columns, those that moved most (by the largest rank of any day) first; and for
        each one cell per report.

    Raises
    ------
    PartitionNotFoundError
        If there is no report.
    """
    if not reports:
        raise PartitionNotFoundError(
            "there is no drift report to show: no window was compared yet; the task drift of "
            "<model>.score compares one when a day is scored"
        )
    by_day = [{column.name: column for column in report.columns} for report in reports]
    ranks = [
        dict.fromkeys(_broken(report.schema), 1.0) | {one.name: one.rank for one in report.columns}
        for report in reports
    ]
    largest = {name: max(own.get(name, 0.0) for own in ranks) for name in set().union(*ranks)}
    names = sorted(largest, key=lambda name: (-largest[name], name))
    return names, [
        [_cell(name, report, day.get(name)) for report, day in zip(reports, by_day, strict=True)]
        for name in names
    ]


def shade_of(severity: float) -> int:
    """Return how dark a column is, from 0 to 5, by how many times its threshold it has moved."""
    return bisect_right(_SHADES, severity)


def _cell(name: str, report: DriftReport, column: ColumnDrift | None) -> Cell:
    window = report.window
    if report.answer is Answer.GAPS and (column or name in _broken(report.schema)):
        return Cell(-1, None, False, f"{name}, {window}: {Answer.GAPS}, {report.gaps}")
    if wrong := _broken(report.schema).get(name):
        return Cell(ALARM_SHADE, None, True, f"{name}, {window}: {wrong}")
    if column is None:
        return Cell(-2, None, False, f"{name}, {window}: no such column")
    if column.answer is Answer.TOO_FEW:
        return Cell(-1, None, False, f"{name}, {window}: {Answer.TOO_FEW}")
    shade = shade_of(column.severity)
    text = "; ".join(one.text for one in column.evidence if one.alarm) or str(column.answer)
    return Cell(shade, column.severity, column.alarm, f"{name}, {window}: {text}")


def _broken(schema: SchemaChange) -> dict[str, str]:
    """Return what is wrong with each column that is gone or holds something else."""
    changed = dict(one.split(": ", 1) for one in schema.changed)
    return dict.fromkeys(schema.removed, "gone") | changed


def _steps(shares: Sequence[float], top: float) -> str:
    """Return the corners of a histogram's outline, as lines of an SVG path."""
    width = _WIDTH / len(shares)
    return " L".join(
        f"{x:.1f},{_HEIGHT * (1 - share / top):.1f}"
        for i, share in enumerate(shares)
        for x in (i * width, (i + 1) * width)
    )
