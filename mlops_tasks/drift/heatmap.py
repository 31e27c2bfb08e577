"""The heatmap of column by day as a PNG, for places that show no page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mlops_tasks.drift.formatting import short_name
from mlops_tasks.drift.page import Cell, heat_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from mlops_tasks.drift.report import DriftReport

__all__ = ["draw_heatmap"]

# The first is that of what nobody knows; then as on the page.
_COLOURS = ("#ffffff", "#f1f3f5", "#e2e6ea", "#f6e3b8", "#f4b183", "#df6f4a", "#a82a2a")
_MAX_COLUMNS = 40
_MAX_NUMBERS = 1000
_MIN_WIDTH = 4.5


def draw_heatmap(reports: Sequence[DriftReport], *, title: str = "Drift") -> bytes:
    """Draw which columns moved on which days.

    Parameters
    ----------
    reports : sequence of DriftReport
        In the order of time, at least one.
    title : str, default "Drift"
        Above the picture.

    Returns
    -------
    bytes
        A PNG; the 40 columns that moved most, if there are more. Days that share no column with
        their reference, as after a change of the whole schema, are named, without cells.

    Raises
    ------
    PartitionNotFoundError
        If there is no report.

    Notes
    -----
    Needs matplotlib, which MLflow brings along; draws without a display and changes no settings.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    reports = list(reports)
    names, rows = heat_table(reports)
    cut = f", the first {_MAX_COLUMNS} of {len(names)} columns" if len(names) > _MAX_COLUMNS else ""
    names, rows = [short_name(name) for name in names[:_MAX_COLUMNS]], rows[:_MAX_COLUMNS]
    wide = 1.2 + 0.075 * max(map(len, names), default=0) + 0.36 * len(reports)
    size = (max(wide, _MIN_WIDTH), 1.9 + 0.27 * len(names))
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = figure.subplots()
    if rows:
        shades = [[max(cell.shade, -1) for cell in row] for row in rows]
        colours = ListedColormap(_COLOURS)
        axes.pcolormesh(shades, cmap=colours, vmin=-1.5, vmax=5.5, edgecolors="white", linewidth=1)
    else:
        axes.set(xlim=(0, len(reports)), ylim=(0, 1))
        axes.text(len(reports) / 2, 0.5, "no column in common", ha="center", va="center")
    axes.invert_yaxis()
    axes.set_yticks([i + 0.5 for i in range(len(names))], names, fontsize=8)
    days = [report.window for report in reports]
    axes.set_xticks([i + 0.5 for i in range(len(days))], days, rotation=90, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plain = f"{short_name(title)}{cut}".replace("$", r"\$")  # else matplotlib sets it as a formula
    heading = f"{plain}\neffect as a multiple of its threshold, over 1 is drift"
    axes.set_title(heading, fontsize=9, loc="left")
    if len(rows) * len(days) <= _MAX_NUMBERS:
        _write_numbers(axes, rows)
    target = io.BytesIO()
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _write_numbers(axes: Axes, rows: list[list[Cell]]) -> None:
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5}
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            colour = "white" if cell.shade >= 5 else "#1d2126"
            weight = "bold" if cell.is_alarm else "normal"
            axes.text(x + 0.5, y + 0.5, cell.mark, color=colour, fontweight=weight, **look)
