"""The timeline, and incidents alone, as pages that load nothing from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.policy.incidents import median_timing
from mlops_tasks.policy.incidents.text import duration, facts
from mlops_tasks.reports import page_template
from mlops_tasks.timeline.axis import UNITS, Axis
from mlops_tasks.timeline.strips import (
    HEIGHT,
    decision_lanes,
    heat_rows,
    incident_lanes,
    performance_strip,
    reigns,
)
from mlops_tasks.timeline.summary import interval, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.policy.incidents import Incident
    from mlops_tasks.timeline.records import Timeline

__all__ = ["render_incidents", "render_timeline"]

_TIMELINE = Path(__file__).with_name("timeline.html.j2")
_INCIDENTS = Path(__file__).with_name("incidents.html.j2")
# Columns that are not folded: those that have alarmed, and as many in any case.
_N_OPEN, _MOST_OPEN = 12, 40


def render_timeline(timeline: Timeline) -> str:
    """Write the page of a model.

    Parameters
    ----------
    timeline : Timeline
        From `read_timeline`.

    Returns
    -------
    str
        HTML with its styles and pictures inside; no script, no address of another resource. The
        same timeline gives the same page.
    """
    strips: dict[str, Any] = {}
    if timeline.begin is not None and timeline.end is not None:
        axis = Axis(timeline.begin, timeline.end, timeline.timezone)
        rows = heat_rows(timeline.drift, axis)
        n_loud = sum(bool(row.column.n_alarms) for row in rows)
        n_open = min(max(n_loud, _N_OPEN), _MOST_OPEN)
        strips = {
            "axis": axis,
            "performance": performance_strip(timeline, axis),
            "heat": rows[:n_open],
            "folded": rows[n_open:],
            "turns": _turns(timeline, axis),
            "reigns": reigns(timeline.moves, axis),
            "decisions": decision_lanes(timeline.decisions, axis),
            "lanes": incident_lanes(timeline.incidents, axis),
        }
    return page_template(_TIMELINE).render(
        timeline=timeline,
        summary=summarize(timeline),
        strips=strips,
        incidents=[one.incident for one in timeline.incidents],
        facts=facts,
        interval=interval,
        height=HEIGHT,
        units=UNITS,
    )


def _turns(timeline: Timeline, axis: Axis) -> list[int]:
    """Return where windows begin that another version has scored than the one before."""
    versions, spans = timeline.drift.versions, timeline.drift.spans
    return [
        axis.units(spans[number][0])
        for number in range(1, len(versions))
        if versions[number] != versions[number - 1]
    ]


def render_incidents(incidents: Sequence[Incident], *, title: str = "Incidents") -> str:
    """Write the page of incidents: what each has cost, who looks after it, how it ended.

    Parameters
    ----------
    incidents : sequence of Incident
        Open ones and others.
    title : str, default "Incidents"
        Above them.

    Returns
    -------
    str
        HTML as of `render_timeline`; those that are open come first.
    """
    found = sorted(incidents, key=lambda one: (one.is_open, one.opened_at, one.id), reverse=True)
    figures = median_timing(found)
    named = ("detect", "acknowledge", "recover")
    times = [f"to {name} {duration(getattr(figures, name))}" for name in named]
    return page_template(_INCIDENTS).render(
        title=title,
        incidents=found,
        n_open=sum(one.is_open for one in found),
        times=", ".join(times),
        facts=facts,
    )
