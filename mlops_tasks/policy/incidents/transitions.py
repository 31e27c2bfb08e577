"""How an incident changes: each function takes what is and returns what will be, or None."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from mlops_tasks.policy.incidents.records import Alarm, Cause, Incident

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

__all__ = ["acknowledged", "alarmed", "closed", "recovered", "silenced"]

# What an alarm says anew of an open incident. Why, and what to do, a task knows better than the
# clock, which sees that something is missing.
_FRESH = ("owner", "grain", "as_of", "task")
_WHY = ("because", "fix")
# What is worth an entry where it differs.
_SHOWN = ("because", "fix", "owner", "partitions", "n_rows", "links", "live")
# Who closes an incident that is not a person.
_MACHINES = ("clock", "task")


def alarmed(
    before: Incident | None,
    alarm: Alarm,
    now: datetime,
    *,
    live: bool = True,
    unjudged: Collection[str] = (),
) -> Incident | None:
    """Open an incident, or let an open one know what is the case now.

    Parameters
    ----------
    before : Incident or None
        The newest one of this subject and cause.
    alarm : Alarm
        What was seen.
    now : datetime
        The time, with its zone.
    live : bool, default True
        Whether the alarm is about the present.
    unjudged : collection of str, default ()
        Partitions of the open incident that the clock could not look at yet; they stay in it.

    Returns
    -------
    Incident or None
        As it is from now on; None where nothing is new, also where `before` knows later days.
    """
    if before is not None and alarm.as_of and alarm.as_of < before.as_of:
        return None
    if before is None or not before.is_open:
        news = alarm if before is None else _beyond(before, alarm)
        return None if news is None else _told(_opened(before, news, now, live=live), now)
    names = _FRESH if alarm.as_of and before.task else _FRESH + _WHY
    fresh: dict[str, Any] = {name: value for name in names if (value := getattr(alarm, name))}
    kept = set(unjudged) if alarm.as_of else set(before.partitions)
    after = replace(
        before,
        **fresh,
        partitions=tuple(sorted(kept | set(alarm.partitions))),
        n_rows=_rows(before, alarm, kept),
        links={**before.links, **alarm.links},
        live=before.live or live,
    )
    level = _level(after)
    change = "worse" if level > before.level else "still"
    after = _told(_changed(after, change, now, level=max(level, before.level)), now)
    same = all(getattr(after, name) == getattr(before, name) for name in _SHOWN)
    return None if same and after.tell == before.tell else after


def recovered(before: Incident | None, partition: str, task: str, now: datetime) -> Incident | None:
    """Take a partition out that a task has made good; the last one closes the incident.

    Parameters
    ----------
    before : Incident or None
        The newest one of its subject and cause.
    partition : str
        Key of the run that succeeded; empty where runs are not about partitions of the data.
    task : str
        ``dag_id/task_id``.
    now : datetime
        The time, with its zone.

    Returns
    -------
    Incident or None
        None where that task says nothing about it.
    """
    if before is None or not before.is_open:
        return None
    if partition and partition not in before.partitions:
        return None
    other = before.task not in ("", task)
    # Two tasks measure each partition; of the others each makes good what it is about.
    if other and (not partition or before.cause is Cause.MONITORING):
        return None
    left = tuple(key for key in before.partitions if partition and key != partition)
    how = f"{task} succeeded" + (f" for {partition}, the last one" if partition else "")
    if not left:
        return closed(before, how, now, by="task")
    return _changed(replace(before, partitions=left, n_rows=None), "better", now)


def closed(
    before: Incident, how: str, now: datetime, *, by: str, as_of: str = "", live: bool = True
) -> Incident:
    """End an incident, and say how.

    Parameters
    ----------
    before : Incident
        An open one.
    how : str
        How it ended.
    now : datetime
        The time, with its zone.
    by : str
        ``clock``, ``task``, or the name of a person.
    as_of : str, optional
        Day as of which the clock has looked.
    live : bool, default True
        Whether it ended in the present.
    """
    at = _text(now)
    after = replace(before, state="closed", closed_at=at, closed_by=by, ended=how)
    after = _changed(replace(after, as_of=as_of or before.as_of), "closed", now)
    # Whoever was not told that it began is not told that it ended.
    if not before.told_level or not live or _is_silent(before, now):
        return after
    return replace(after, tell=after.n_changes, told="closed")


def acknowledged(before: Incident, by: str, note: str, now: datetime) -> Incident:
    """Write down who looks after an incident; a second word replaces the first one's name."""
    at = before.acknowledged_at or _text(now)
    after = replace(before, acknowledged_at=at, acknowledged_by=by, note=note or before.note)
    return _changed(after, "acknowledged", now)


def silenced(before: Incident, until: datetime, by: str, note: str, now: datetime) -> Incident:
    """Let nobody be told of an incident before an instant."""
    after = replace(before, silenced_until=_text(until), silenced_by=by, note=note or before.note)
    return _changed(after, "silenced", now)


def _beyond(before: Incident, alarm: Alarm) -> Alarm | None:
    """Return what an alarm says beyond what a person has closed, who knows of it."""
    if before.closed_by in _MACHINES or not alarm.partitions:
        return alarm
    left = tuple(key for key in alarm.partitions if key not in before.partitions)
    if len(left) == len(alarm.partitions):
        return alarm
    return replace(alarm, partitions=left, n_rows=None) if left else None


def _opened(before: Incident | None, alarm: Alarm, now: datetime, *, live: bool) -> Incident:
    at = _text(now)
    found = Incident(
        subject=alarm.subject,
        cause=alarm.cause,
        number=before.number + 1 if before else 1,
        because=alarm.because,
        fix=alarm.fix,
        opened_at=at,
        changed_at=at,
        owner=alarm.owner,
        partitions=tuple(sorted(alarm.partitions)),
        grain=alarm.grain,
        n_rows=alarm.n_rows,
        also=alarm.also,
        links=dict(alarm.links),
        began_at=alarm.began_at,
        as_of=alarm.as_of or (before.as_of if before else ""),
        task=alarm.task,
        live=live,
    )
    return replace(found, level=_level(found))


def _rows(before: Incident, alarm: Alarm, kept: set[str]) -> int | None:
    """Return how many rows it is about, or None where they are not known of all partitions."""
    if alarm.as_of:
        return None if kept - set(alarm.partitions) else alarm.n_rows
    if set(alarm.partitions) <= kept:
        return before.n_rows
    known = None not in (before.n_rows, alarm.n_rows)
    return (before.n_rows or 0) + (alarm.n_rows or 0) if known else None


def _changed(incident: Incident, change: str, now: datetime, **changes: Any) -> Incident:
    n = incident.n_changes + 1
    return replace(incident, change=change, changed_at=_text(now), n_changes=n, **changes)


def _told(incident: Incident, now: datetime) -> Incident:
    """Let people be told where it is worse than they know, unless it is silenced or past."""
    if not incident.live or incident.level <= incident.told_level or _is_silent(incident, now):
        return incident
    told = "worse" if incident.told_level else "opened"
    return replace(incident, tell=incident.n_changes, told=told, told_level=incident.level)


def _level(incident: Incident) -> int:
    n = len(incident.partitions)
    return 1 + sum(n >= step for step in incident.cause.steps)


def _is_silent(incident: Incident, now: datetime) -> bool:
    return incident.silenced_until > _text(now)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
