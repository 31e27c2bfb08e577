"""The picture of a backtest: one file that loads nothing, and one for slides."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.backtest.chart import HEIGHT, WIDTH, Scales, chart_rows
from mlops_tasks.backtest.words import COLUMNS, conclusions, counted, notes, table_rows, unit
from mlops_tasks.exceptions import MlopsError

if TYPE_CHECKING:
    from jinja2 import Template

    from mlops_tasks.backtest.report import BacktestReport

__all__ = ["draw_png", "render_page"]

_HARM, _CHOOSE, _OURS, _OTHER = "#f6d9d2", "#f1f3f5", "#0b63b0", "#97a1ae"


def render_page(report: BacktestReport) -> str:
    """Render a backtest as one page without scripts, for dark and light, wide and narrow screens.

    Parameters
    ----------
    report : BacktestReport
        From `backtest`.

    Returns
    -------
    str
        HTML.
    """
    scales = Scales.of(report)
    return _template().render(
        report=report,
        rows=chart_rows(report),
        scales=scales,
        oracle=scales.path(report.oracle.values),
        width=WIDTH,
        height=HEIGHT,
        unit=unit(report),
        counted=counted,
        columns=COLUMNS,
        table=table_rows(report),
        conclusions=conclusions(report),
        notes=notes(report),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(Path(__file__).with_name("page.html.j2").read_text("utf-8"))


def draw_png(report: BacktestReport, path: Path) -> None:
    """Draw the rows of the page as a PNG.

    Parameters
    ----------
    report : BacktestReport
        From `backtest`.
    path : Path
        File that is written.

    Raises
    ------
    MlopsError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MlopsError(
            f"{path.name} is not drawn: a PNG needs matplotlib; pip install matplotlib, or use the "
            "page (--html)"
        ) from error
    rows = [*report.policies, None]
    figure = Figure(figsize=(10, 1.05 * len(rows) + 0.9), layout="constrained")
    axes: Any = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    scales = Scales.of(report)
    for axis, one in zip(axes, rows, strict=True):
        values = report.oracle.values if one is None else one.values
        axis.axvspan(-0.5, report.n_chosen - 0.5, color=_CHOOSE, zorder=0)
        for number, bad in enumerate(() if one is None else one.harm):
            if bad:
                axis.axvspan(number - 0.5, number + 0.5, color=_HARM, zorder=1)
        if one is not None:
            axis.plot(_numbers(report.oracle.values), color=_OTHER, linewidth=1, zorder=2)
        axis.plot(_numbers(values), color=_OURS, linewidth=1.8, zorder=3)
        _draw_trainings(axis, report, one, scales.low)
        shown = report.oracle.shown if one is None else one.shown
        name = "oracle" if one is None else one.name
        metric = "" if shown.metric is None else f"{shown.metric:.4f}\n"
        label = f"{name}\n{metric}{counted(shown.n_trainings, 'training')}"
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_ylim(scales.low - 0.12 * (scales.high - scales.low), scales.high)
        axis.tick_params(labelsize=7)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    marked = sorted({0, report.n_chosen, len(report.periods) - 1})
    axes[-1].set_xticks(marked, [report.periods[number].first for number in marked])
    title = f"When to retrain {report.model}: {report.metric_title} by {unit(report)}"
    about = (
        "grey line: the oracle; grey ground: settings are chosen, and shown after it; "
        f"red ground: a new model would have been better by more than {report.tolerance:.4g}"
    )
    figure.suptitle(f"{title}\n{about}", fontsize=9)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _draw_trainings(axis: Any, report: BacktestReport, one: Any, low: float) -> None:
    """Mark trainings below the line, those that the gate kept out as rings."""
    if one is None:
        marks = [(at - 0.5, True) for at in report.oracle.trained_in]
    else:
        marks = [
            (at + 0.5, training.verdict == "promote")
            for at, training in zip(one.trained_in, one.trainings[1:], strict=True)
        ]
    for at, promoted in marks:
        face = "black" if promoted else "none"
        axis.plot([at], [low], "o", markersize=3.5, color="black", markerfacecolor=face, zorder=4)


def _numbers(values: tuple[float | None, ...]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
