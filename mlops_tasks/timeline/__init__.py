"""The timeline of a model: performance, drift, champions, decisions and incidents on one axis."""

from mlops_tasks.timeline.page import render_incidents, render_timeline
from mlops_tasks.timeline.publication import publish_timeline, timeline_address
from mlops_tasks.timeline.reading import read_timeline
from mlops_tasks.timeline.records import (
    ChampionMove,
    ColumnHistory,
    DriftHistory,
    IncidentSpan,
    Measured,
    NextCheck,
    Timeline,
)
from mlops_tasks.timeline.schedule import next_check

__all__ = [
    "ChampionMove",
    "ColumnHistory",
    "DriftHistory",
    "IncidentSpan",
    "Measured",
    "NextCheck",
    "Timeline",
    "next_check",
    "publish_timeline",
    "read_timeline",
    "render_incidents",
    "render_timeline",
    "timeline_address",
]
