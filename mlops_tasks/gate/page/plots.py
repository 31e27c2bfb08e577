"""Curves as paths of a picture, with the ends of their axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.figures import short_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.gate.explanation.dependence import Dependence
    from mlops_tasks.problem_types.curves import Curve

__all__ = ["PLOT_HEIGHT", "PLOT_WIDTH", "Plot", "curve_plots", "dependence_plot"]

PLOT_WIDTH, PLOT_HEIGHT = 320.0, 220.0
_PAD = 0.04
_TITLES = {
    "roc": ("ROC", "share of negatives taken for positive", "share of positives found"),
    "precision_recall": ("Precision and recall", "recall", "precision"),
    "calibration": ("Calibration", "predicted", "observed"),
    "actual": ("Predicted and actual", "mean prediction", "mean truth"),
    "residuals": ("Residuals", "quantile", "truth less prediction"),
}
_UNIT = {"roc", "precision_recall"}
_IDENTITY = {"roc", "calibration", "actual"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture: lines by what they show, and what its axes mean and span.

    ``reference`` is the line of a model that knows nothing, or of a perfect one.
    """

    title: str
    x_title: str
    y_title: str
    x_ends: tuple[str, str]
    y_ends: tuple[str, str]
    lines: tuple[tuple[str, str], ...]
    points: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()
    reference: str = ""


def curve_plots(ours: Sequence[Curve], theirs: Sequence[Curve]) -> list[Plot]:
    """Draw each curve of both into one picture, the challenger's last, on top."""
    rival = {curve.kind: curve for curve in theirs}
    return [
        _curve_plot(curve.kind, {"champion": rival.get(curve.kind), "challenger": curve})
        for curve in ours
        if curve.x
    ]


def _curve_plot(kind: str, sides: Mapping[str, Curve | None]) -> Plot:
    known = {who: curve for who, curve in sides.items() if curve is not None and curve.x}
    x = [v for curve in known.values() for v in curve.x]
    y = [v for curve in known.values() for v in curve.y]
    if kind in _UNIT:
        x, y = [0.0, 1.0], [0.0, 1.0]
    elif kind in _IDENTITY:
        x = y = [*x, *y]
    elif kind == "residuals":
        x, y = [0.0, 1.0], [*y, 0.0]
    frame = _Frame.around(x, y)
    title, x_title, y_title = _TITLES[kind]
    reference = ""
    if kind in _IDENTITY:
        reference = frame.path([frame.x0, frame.x1], [frame.x0, frame.x1])
    elif kind == "residuals":
        reference = frame.path([frame.x0, frame.x1], [0.0, 0.0])
    return Plot(
        title=title,
        x_title=x_title,
        y_title=y_title,
        x_ends=(short_number(min(x)), short_number(max(x))),
        y_ends=(short_number(min(y)), short_number(max(y))),
        lines=tuple((who, frame.path(curve.x, curve.y)) for who, curve in known.items()),
        points=tuple(
            (who, frame.points(curve.x, curve.y)) for who, curve in known.items() if curve.n_rows
        ),
        reference=reference,
    )


def dependence_plot(one: Dependence) -> Plot | None:
    """Draw what is predicted over the values of a feature; None of categories, or of nothing."""
    x = [v for v in one.values if not isinstance(v, str)]
    if len(x) < 2 or len(x) < len(one.values):
        return None
    y = [v for curve in one.predictions.values() for v in curve]
    frame = _Frame.around(x, y)
    return Plot(
        title=one.feature,
        x_title=one.feature,
        y_title="mean prediction",
        x_ends=(short_number(min(x)), short_number(max(x))),
        y_ends=(short_number(min(y)), short_number(max(y))),
        lines=tuple((label, frame.path(x, curve)) for label, curve in one.predictions.items()),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    x0: float
    x1: float
    y0: float
    y1: float

    @classmethod
    def around(cls, x: Sequence[float], y: Sequence[float]) -> _Frame:
        return cls(*_padded(x), *_padded(y))

    def points(self, x: Sequence[float], y: Sequence[float]) -> tuple[tuple[float, float], ...]:
        return tuple(
            (
                round((a - self.x0) / (self.x1 - self.x0) * PLOT_WIDTH, 1),
                round((self.y1 - b) / (self.y1 - self.y0) * PLOT_HEIGHT, 1),
            )
            for a, b in zip(x, y, strict=True)
        )

    def path(self, x: Sequence[float], y: Sequence[float]) -> str:
        return "M" + " L".join(f"{a:g},{b:g}" for a, b in self.points(x, y))


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = _PAD * (high - low) or _PAD * abs(high) or 1.0
    return low - pad, high + pad
