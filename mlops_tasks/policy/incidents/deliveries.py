"""Notifications: each change is sent at most once to each channel, and the ledger says whether."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.faults import fault_point
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_tasks.policy.incidents.records import Incident
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["MOST_ATTEMPTS", "Delivery", "deliver", "deliveries_of"]

#: After this number of failures a notification is given up; `mlops incidents show` says so.
MOST_ATTEMPTS = 8
_KIND = EvidenceKind.NOTIFICATION


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel.

    Attributes
    ----------
    incident : str
        Id of the incident.
    tell : int
        Which of its changes is told.
    told : str
        ``opened``, ``worse`` or ``closed``.
    channel : str
        Connection id, or import path of a notifier.
    state : str
        ``claimed`` before it is sent, then ``sent`` or ``failed``. One that stays claimed was being
        sent when its process ended: nobody knows whether it arrived, and it is not sent again.
    attempt : int
        From 1.
    at : str
        When it became so, an instant in ISO format, UTC.
    error : str
        What the channel said, without addresses and secrets.
    """

    incident: str
    tell: int
    told: str
    channel: str
    state: str
    attempt: int
    at: str
    error: str = ""

    @property
    def text(self) -> str:
        """What became of it, in words."""
        what, when = f"{self.told} to {self.channel}", f"{self.at[:16].replace('T', ' ')} UTC"
        if self.state == "sent":
            return f"{what}: sent {when}"
        if self.state == "claimed":
            return f"{what}: nobody can tell whether it was sent, its task ended at {when}"
        last = "given up" if self.attempt >= MOST_ATTEMPTS else "tried again by the next clock"
        return f"{what}: attempt {self.attempt} failed {when}, {last}: {self.error}"


def deliver(
    incident: Incident,
    channels: Iterable[str],
    send: Callable[[str, Incident], None],
    *,
    ledger: Ledger,
    dag_run: str = "",
) -> list[Delivery]:
    """Send the newest change that people are to be told of, unless that was done.

    Parameters
    ----------
    incident : Incident
        As it is now. What it says is sent, also where the change that is told was an earlier one.
    channels : iterable of str
        Whom to tell.
    send : callable
        Takes a channel and the incident; an exception says that it did not arrive.
    ledger : Ledger
        Where each message is claimed before it is sent, and marked afterwards.
    dag_run : str, optional
        Of the entries.

    Returns
    -------
    list of Delivery
        What was sent or has failed just now.
    """
    done = []
    for channel in dict.fromkeys(channels) if incident.tell else ():
        claim = _claim(incident, channel, ledger, dag_run)
        if claim is None:
            continue
        fault_point("notify:claimed")
        try:
            send(channel, incident)
        except Exception as error:  # whatever a notifier raises
            found = replace(claim, state="failed", error=_reason(error), at=_now())
        else:
            found = replace(claim, state="sent", at=_now())
        _record(ledger, incident.subject, found, dag_run)
        done.append(found)
    return done


def deliveries_of(incident: Incident, ledger: Ledger) -> list[Delivery]:
    """Return what became of every message about an incident.

    Parameters
    ----------
    incident : Incident
        The incident.
    ledger : Ledger
        Where it is written down.

    Returns
    -------
    list of Delivery
        The newest word on each, the one said last at the end.
    """
    found = [
        (entry.seq, from_json(Delivery, entry.evidence))
        for entry in ledger.entries(model=incident.subject, kind=_KIND)
        if entry.key.startswith(f"{incident.cause}/{incident.number}.")
    ]
    return [delivery for _, delivery in sorted(found, key=lambda pair: pair[0])]


def _claim(incident: Incident, channel: str, ledger: Ledger, dag_run: str) -> Delivery | None:
    """Return the claim, or None where somebody has it, or had it before."""
    first = Delivery(incident.id, incident.tell, incident.told, channel, "claimed", 1, _now())

    def follow(newest: LedgerEntry | None) -> dict[str, object] | None:
        if newest is None:
            return to_json(first)
        before = from_json(Delivery, newest.evidence)
        if before.state != "failed" or before.attempt >= MOST_ATTEMPTS:
            return None
        return to_json(replace(first, attempt=before.attempt + 1))

    about = {"model": incident.subject, "kind": _KIND, "key": _key(first)}
    entry = ledger.record_next(follow, **about, dag_run=dag_run)
    return None if entry is None else from_json(Delivery, entry.evidence)


def _record(ledger: Ledger, subject: str, delivery: Delivery, dag_run: str) -> None:
    about = {"model": subject, "kind": _KIND, "key": _key(delivery)}
    ledger.record(**about, evidence=to_json(delivery), dag_run=dag_run)


def _key(delivery: Delivery) -> str:
    _, _, rest = delivery.incident.partition("/")
    return f"{rest}.{delivery.tell} {delivery.channel}"[:250]


def _reason(error: Exception) -> str:
    """Say what went wrong without what a library shows: addresses with tokens, logins."""
    if isinstance(error, MlopsError):
        return str(error)
    said = getattr(error, "strerror", None) or getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f': {said}' if said else ''}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
