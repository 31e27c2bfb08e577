"""What is drawn in each strip of the page, and where it lies on the axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mlops_tasks.drift.page import ALARM_SHADE, shade_of
from mlops_tasks.partitions import Partition, check_day
from mlops_tasks.timeline.axis import Axis, Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from mlops_tasks.policy import DecisionRow
    from mlops_tasks.timeline.records import (
        ChampionMove,
        ColumnHistory,
        DriftHistory,
        IncidentSpan,
        Measured,
        Timeline,
    )

__all__ = [
    "HEIGHT",
    "Bar",
    "Dot",
    "HeatRow",
    "Lane",
    "PerformanceStrip",
    "Reign",
    "decision_lanes",
    "heat_rows",
    "incident_lanes",
    "performance_strip",
    "reigns",
]

HEIGHT = 180.0
_ROW = 10
_NOBODY_KNOWS = -1
_MOST_LANES = 20
# Reigns that are shorter have no room for their name.
_ROOM_FOR_NAME = 7.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One measurement: where it is, its answer, and what is said of it."""

    x: float
    y: float
    answer: str
    text: str


@dataclass(frozen=True, slots=True)
class PerformanceStrip:
    """The metric over time: paths in units of the axis, dots in percent of the width."""

    scale: Scale
    line: str
    band: str
    threshold: str
    estimate_line: str
    estimate_band: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One column: a path of each shade, and one of the windows that alarm."""

    column: ColumnHistory
    paths: tuple[tuple[str, str], ...]
    alarms: str
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of time, in percent of the width."""

    x: float
    width: float
    text: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of marks or bars of the same kind."""

    name: str
    kind: str
    bars: tuple[Bar, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Reign:
    """How long one version was champion; `begins` is False where it was that before the axis."""

    x: float
    width: float
    version: str
    kind: str
    text: str
    begins: bool

    @property
    def name(self) -> str:
        """What is written in it, where there is room."""
        return self.version if self.width >= _ROOM_FOR_NAME else ""


# --- performance


def performance_strip(timeline: Timeline, axis: Axis) -> PerformanceStrip:
    """Lay out what predictions were worth, with its interval, limit and estimate."""
    both = (*timeline.performance, *timeline.estimates)
    values = [value for one in both for value in (one.value, one.lower, one.upper, one.threshold)]
    scale = Scale.of(values, HEIGHT)
    measured = timeline.performance
    return PerformanceStrip(
        scale=scale,
        line=_line(measured, axis, scale),
        band=_band(measured, axis, scale),
        threshold=_steps(measured, axis, scale),
        estimate_line=_line(timeline.estimates, axis, scale),
        estimate_band=_band(timeline.estimates, axis, scale),
        dots=tuple(_dot(one, axis, scale) for one in measured),
    )


def _middle(one: Measured) -> datetime:
    return one.begin + (one.end - one.begin) / 2


def _line(measured: Sequence[Measured], axis: Axis, scale: Scale) -> str:
    """Return a line through values, broken where there is none, or another version."""
    words, before = [], None
    for one in measured:
        if one.value is None:
            before = None
            continue
        pen = "L" if before == one.result.model_version else "M"
        words.append(f"{pen}{axis.units(_middle(one))} {scale.y(one.value):g}")
        before = one.result.model_version
    return "".join(words)


def _band(measured: Sequence[Measured], axis: Axis, scale: Scale) -> str:
    words = []
    for one in measured:
        if one.lower is None or one.upper is None:
            continue
        x, end = axis.units(one.begin), axis.units(one.end)
        top, bottom = scale.y(one.upper), scale.y(one.lower)
        words.append(f"M{x} {top:g}H{end}V{bottom:g}H{x}z")
    return "".join(words)


def _steps(measured: Sequence[Measured], axis: Axis, scale: Scale) -> str:
    """Return where alarms begin: level lines, drawn on as long as nothing changes."""
    words: list[str] = []
    before: tuple[float, int] | None = None
    for one in measured:
        if one.threshold is None:
            continue
        x, end, y = axis.units(one.begin), axis.units(one.end), scale.y(one.threshold)
        words.append(f"H{end}" if before == (y, x) else f"M{x} {y:g}H{end}")
        before = y, end
    return "".join(words)


def _dot(one: Measured, axis: Axis, scale: Scale) -> Dot:
    # What nobody can tell has no height: it stands at the foot.
    y = HEIGHT - 8 if one.value is None else scale.y(one.value)
    said = "; ".join(check.text for check in one.result.alarms) or one.text
    return Dot(axis.x(_middle(one)), y, one.result.answer, f"{one.key}: {said}")


# --- drift


def heat_rows(drift: DriftHistory, axis: Axis) -> list[HeatRow]:
    """Lay out how far each column has moved; windows next to each other are one piece."""
    places = [(axis.units(begin), axis.units(end)) for begin, end in drift.spans]
    return [_heat_row(one, drift.keys, places) for one in drift.columns]


def _heat_row(
    column: ColumnHistory, keys: Sequence[str], places: Sequence[tuple[int, int]]
) -> HeatRow:
    shades = [
        _shade(severity, alarm) if is_there else None
        for severity, alarm, is_there in zip(
            column.severities, column.alarms, column.is_there, strict=True
        )
    ]
    pieces: dict[int, list[str]] = {}
    for shade, begin, end in _pieces(shades, places):
        pieces.setdefault(shade, []).append(f"M{begin} 0H{end}V{_ROW}H{begin}z")
    loud = [1 if alarm else None for alarm in column.alarms]
    alarms = "".join(f"M{begin} {_ROW - 1}H{end}" for _, begin, end in _pieces(loud, places))
    paths = [("none" if one < 0 else f"s{one}", "".join(pieces[one])) for one in sorted(pieces)]
    return HeatRow(column, tuple(paths), alarms, _heat_text(column, keys))


def _pieces(
    values: Sequence[int | None], places: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, int]]:
    """Yield runs of one value without a gap in time."""
    begun: tuple[int, int, int] | None = None
    for value, (begin, end) in zip(values, places, strict=True):
        if begun is not None and (begun[0], begun[2]) == (value, begin):
            begun = begun[0], begun[1], end
            continue
        if begun is not None:
            yield begun
        begun = None if value is None else (value, begin, end)
    if begun is not None:
        yield begun


def _shade(severity: float | None, alarm: bool) -> int:
    if severity is None:
        return ALARM_SHADE if alarm else _NOBODY_KNOWS
    return shade_of(severity)


def _heat_text(column: ColumnHistory, keys: Sequence[str]) -> str:
    n = sum(column.is_there)
    text = f"{column.name}: alarmed on {column.n_alarms} of {n} windows"
    if column.worst:
        at = keys[column.severities.index(column.worst)]
        text += f", at most {column.worst:.1f} times its threshold ({at})"
    newest = column.severities[-1]
    if not column.is_there[-1]:
        return f"{text}; not in the newest window"
    return f"{text}; newest " + ("nobody can tell" if newest is None else f"{newest:.2f} times")


# --- champions, decisions, incidents


def reigns(moves: Sequence[ChampionMove], axis: Axis) -> list[Reign]:
    """Lay out which version was champion when."""
    found = []
    for number, move in enumerate(moves):
        end = moves[number + 1].at if number + 1 < len(moves) else axis.end
        x, right = axis.x(move.at), axis.x(end)
        who = f" by {move.by}" if move.by else ""
        text = f"version {move.version} since {move.day} ({move.kind}{who}): {move.reason}"
        begins = move.at > axis.begin
        found.append(Reign(x, round(right - x, 2), move.version, move.kind, text, begins))
    return found


_ANSWERS = ("retrain", "not_retrained", "cannot_tell")


def decision_lanes(rows: Sequence[DecisionRow], axis: Axis) -> list[Lane]:
    """Lay out the decisions, a lane for each answer."""
    lanes = []
    for answer in _ANSWERS:
        words = answer.replace("_", " ")
        ours = [one for one in rows if one.answer == answer]
        bars = tuple(_decision(one, axis) for one in ours)
        when = f", the newest as of {ours[-1].as_of}" if ours else ""
        lanes.append(Lane(words, answer, bars, f"{words}: {len(ours)} of {len(rows)}{when}"))
    return lanes


def _decision(row: DecisionRow, axis: Axis) -> Bar:
    day = Partition(check_day(row.as_of), axis.timezone)
    x, right = axis.x(day.start), axis.x(day.end)
    return Bar(x, round(right - x, 2), f"as of {row.as_of}: {row.cause}: {row.reason}")


def incident_lanes(spans: Iterable[IncidentSpan], axis: Axis) -> list[Lane]:
    """Lay out incidents, a lane for each subject and cause; the worst of the present first."""
    inside = [one for one in spans if one.end is None or one.end >= axis.begin]
    lanes = []
    for title, group in groupby(sorted(inside, key=_title), key=_title):
        found = sorted(group, key=lambda one: one.begin)
        bars = tuple(_incident(one, axis) for one in found)
        kind = "open" if any(one.is_open for one in bars) else "closed"
        lanes.append(Lane(title, kind, bars, f"{title}: {'; '.join(one.text for one in bars)}"))
    lanes.sort(key=lambda one: (one.kind != "open", one.bars[0].x, one.name))
    return lanes[:_MOST_LANES]


def _title(span: IncidentSpan) -> str:
    return span.incident.title


def _incident(span: IncidentSpan, axis: Axis) -> Bar:
    incident = span.incident
    x, right = axis.x(span.begin), axis.x(span.end or axis.end)
    state = "open" if incident.is_open else f"ended: {incident.ended}"
    text = f"{incident.id}: {incident.impact}, {state}"
    return Bar(x, round(right - x, 2), text, is_open=incident.is_open)
