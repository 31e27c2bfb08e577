"""How long it takes to detect what is wrong, to take it up, and to recover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.policy.incidents.records import Incident

__all__ = ["Timing", "median_timing", "timing_of"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, or None where they are not known or have not ended yet.

    Attributes
    ----------
    detect : float or None
        From when it began until the incident was opened. Nobody knows it of a past that was played
        again.
    acknowledge : float or None
        From there until a person took it up.
    recover : float or None
        From when it was opened until it was closed.
    """

    detect: float | None = None
    acknowledge: float | None = None
    recover: float | None = None


def timing_of(incident: Incident) -> Timing:
    """Return how long one incident took.

    Parameters
    ----------
    incident : Incident
        Open or closed.

    Returns
    -------
    Timing
        What is known of it by now.
    """
    opened = incident.opened_at
    return Timing(
        detect=_seconds(incident.began_at, opened) if incident.live else None,
        acknowledge=_seconds(opened, incident.acknowledged_at),
        recover=_seconds(opened, incident.closed_at),
    )


def median_timing(incidents: Iterable[Incident]) -> Timing:
    """Return the medians over those incidents of which they are known.

    Parameters
    ----------
    incidents : iterable of Incident
        Those of a past that was played again are left out.

    Returns
    -------
    Timing
        None where nobody knows.
    """
    known = [timing_of(one) for one in incidents if one.live]
    return Timing(
        *(
            _median(getattr(one, name) for one in known)
            for name in ("detect", "acknowledge", "recover")
        )
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _seconds(begin: str, end: str) -> float | None:
    if not begin or not end:
        return None
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())
