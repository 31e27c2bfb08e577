"""An incident in words: the line of a list, the subject and the text of a message."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_tasks.policy.incidents.records import Cause, Incident
from mlops_tasks.policy.incidents.timing import timing_of

__all__ = ["duration", "facts", "headline", "message", "sample_incident"]

_HEADS = {"opened": "Incident", "worse": "Worse", "closed": "Closed"}
_NAMED = 5


def headline(incident: Incident, told: str = "") -> str:
    """Return the subject of a message.

    Parameters
    ----------
    incident : Incident
        The incident.
    told : str, optional
        ``opened``, ``worse`` or ``closed``; by default what it is now.

    Returns
    -------
    str
        One line.
    """
    head = _HEADS[told or ("opened" if incident.is_open else "closed")]
    return f"[{head}] {incident.title}: {incident.impact}"


def facts(incident: Incident) -> dict[str, object]:
    """Return what there is to say, name by name; what is empty is left out."""
    keys, more = incident.partitions[:_NAMED], len(incident.partitions) - _NAMED
    named = ", ".join(keys) + (f" and {more} more" if more > 0 else "")
    shown = {
        "incident": incident.id,
        "state": _state(incident),
        "impact": incident.impact,
        f"{incident.grain}s": named,
        "because": incident.because,
        "fix": incident.fix if incident.is_open else "",
        "ended": incident.ended,
        "owner": incident.owner,
        "began": _moment(incident.began_at),
        "opened": _moment(incident.opened_at),
        "taken up": _person(incident.acknowledged_at, incident.acknowledged_by),
        "silenced": _until(incident),
        "note": incident.note,
        "closed": _person(incident.closed_at, incident.closed_by),
        "times": _times(incident),
        "links": [f"{name} {address}" for name, address in incident.links.items()],
    }
    return {name: value for name, value in shown.items() if value not in ("", [])}


def message(incident: Incident, told: str = "") -> str:
    """Return the text of a message: what it is, what it has cost, what to do, where to look.

    Parameters
    ----------
    incident : Incident
        The incident.
    told : str, optional
        As for `headline`.

    Returns
    -------
    str
        Plain text.
    """
    lines = [headline(incident, told), ""]
    for name, value in facts(incident).items():
        items = value if isinstance(value, list) else [value]
        lines += [f"{name if n == 0 else '':<10} {item}" for n, item in enumerate(items)]
    if incident.is_open:
        lines += [
            "",
            f"Take it up:  mlops incidents ack {incident.id}",
            f"Not now:     mlops incidents silence {incident.id} --for 1d",
            "You hear of it again when it gets worse or ends, and not before.",
        ]
    return "\n".join(lines) + "\n"


def sample_incident() -> Incident:
    """Return an incident that never was, to try a channel with."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Incident(
        subject="nothing_at_all",
        cause=Cause.SCORING,
        number=0,
        because="somebody tries whether messages arrive; nothing is wrong",
        fix="nothing",
        opened_at=now,
        changed_at=now,
        partitions=("2024-02-29",),
        tell=1,
        told="opened",
    )


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it.

    Examples
    --------
    >>> duration(40.0), duration(5400), duration(200000), duration(None)
    ('40 seconds', '90 minutes', '55.6 hours', 'not known')
    """
    if seconds is None:
        return "not known"
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 72 * 60 else f"{minutes / 1440:.1f} days"


def _state(incident: Incident) -> str:
    past = "" if incident.live else ", of a past that was played again: nobody is told"
    return f"{incident.state}, level {incident.level}{past}"


def _times(incident: Incident) -> str:
    found = timing_of(incident)
    named = (
        ("detected", found.detect),
        ("taken up", found.acknowledge),
        ("recovered", found.recover),
    )
    said = [f"{name} after {duration(value)}" for name, value in named if value is not None]
    return ", ".join(said)


def _until(incident: Incident) -> str:
    if not incident.silenced_until:
        return ""
    return f"until {_moment(incident.silenced_until)} by {incident.silenced_by}"


def _person(at: str, who: str) -> str:
    return f"{_moment(at)} by {who}" if at else ""


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else ""
