"""Incidents with their place in the time of the data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import GRAINS, Partition
from mlops_tasks.policy.incidents import Incident
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json
from mlops_tasks.timeline.records import IncidentSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.registry.ledger import Ledger

__all__ = ["N_INCIDENTS", "incident_spans"]

#: Incidents that are shown, at most, and entries of a subject that are read for them.
N_INCIDENTS, _N_ENTRIES = 40, 400


def incident_spans(
    subjects: Iterable[str], timezone: str, *, ledger: Ledger, most: int = N_INCIDENTS
) -> tuple[IncidentSpan, ...]:
    """Return the newest incidents of models and datasets, those that are open first.

    Parameters
    ----------
    subjects : iterable of str
        Models and datasets.
    timezone : str
        In which their days begin.
    ledger : Ledger
        Where they are; each subject takes one query.
    most : int, default 40
        How many at most.

    Returns
    -------
    tuple of IncidentSpan
        Each as it is now.
    """
    found = [
        _span(first, last, timezone)
        for subject in subjects
        for first, last in _lives(subject, ledger)
    ]
    found.sort(key=lambda one: (one.incident.is_open, one.begin, one.incident.id), reverse=True)
    return tuple(found[:most])


def _lives(subject: str, ledger: Ledger) -> Iterable[tuple[Incident, Incident]]:
    """Yield the first and the last word on each incident."""
    lives: dict[str, tuple[Incident, Incident]] = {}
    for entry in ledger.newest_entries(subject, EvidenceKind.INCIDENT, _N_ENTRIES):
        incident = from_json(Incident, entry.evidence)
        first, _ = lives.get(incident.id, (incident, incident))
        lives[incident.id] = first, incident
    return lives.values()


def _span(first: Incident, last: Incident, timezone: str) -> IncidentSpan:
    if last.live:
        end = None if last.is_open else datetime.fromisoformat(last.closed_at)
        return IncidentSpan(last, datetime.fromisoformat(first.began_at or first.opened_at), end)
    keys = sorted({*first.partitions, *last.partitions})
    begin = _instant(keys[0] if keys else first.as_of, first, timezone)
    begin = begin or datetime.fromisoformat(first.opened_at)
    if last.is_open:
        return IncidentSpan(last, begin, None)
    end = _instant(last.as_of or (keys[-1] if keys else ""), last, timezone, end=True)
    return IncidentSpan(last, begin, max(begin, end or begin))


def _instant(key: str, incident: Incident, timezone: str, *, end: bool = False) -> datetime | None:
    """Return when a partition, or a day, begins or ends; None where it is none."""
    for grain in (GRAINS[incident.grain], GRAINS["day"]):  # type: ignore[index]
        try:
            found = Partition(grain.check(key), timezone, grain)
        except PartitionKeyError:
            continue
        return found.end if end else found.start
    return None
