"""The incidents of the ledger: each entry is the whole incident as it became."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnknownIncidentError
from mlops_tasks.policy.incidents import transitions
from mlops_tasks.policy.incidents.records import Cause, Incident
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlops_tasks.policy.incidents.records import Alarm
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["IncidentBook"]

_KIND = EvidenceKind.INCIDENT


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class IncidentBook:
    """All incidents, read from the ledger and written to it.

    Attributes
    ----------
    ledger : Ledger
        Where they are. Of each subject and cause the newest entry is the incident as it is.
    dag_run, by : str
        Of what is written, as for `Ledger.record`.
    clock : callable
        Returns the time, with its zone.
    """

    ledger: Ledger
    dag_run: str = ""
    by: str = ""
    clock: Callable[[], datetime] = field(default=_now)

    def newest(self, subject: str) -> dict[Cause, Incident]:
        """Return the newest incident of each cause of one model or dataset, open or closed."""
        found = self.ledger.newest_of_keys(subject, _KIND, len(Cause))
        return {Cause(entry.key): _incident(entry) for entry in found}

    def all(self, *, subject: str | None = None, history: bool = False) -> list[Incident]:
        """Return incidents by when they were opened.

        Parameters
        ----------
        subject : str, optional
            Only those of one model or dataset.
        history : bool, default False
            Also those that a newer one of the same cause has followed.
        """
        found = self.ledger.entries(model=subject, kind=_KIND, history=history)
        last = {incident.id: incident for incident in map(_incident, found)}
        return sorted(last.values(), key=lambda one: (one.opened_at, one.id))

    def find(self, name: str) -> Incident:
        """Return an incident by its id, or the newest one of ``subject/cause``.

        Raises
        ------
        UnknownIncidentError
            If there is none.
        """
        subject, _, rest = name.partition("/")
        cause, _, number = rest.partition("/")
        found = [one for one in self.changes(subject, cause) if number in ("", str(one.number))]
        if found:
            return found[-1]
        there = [one.id for one in self.all() if one.is_open]
        raise UnknownIncidentError(
            f"there is no incident {name!r}; open are {', '.join(there) or 'none'}. `mlops "
            "incidents list --all` shows those that have ended, too"
        )

    def changes(self, subject: str, cause: str) -> list[Incident]:
        """Return every change of the incidents of a cause, oldest first."""
        about = {"model": subject, "kind": _KIND, "key": cause}
        return [_incident(entry) for entry in self.ledger.entries(**about, history=True)]

    def raise_alarm(
        self, alarm: Alarm, *, live: bool = True, unjudged: Collection[str] = ()
    ) -> Incident | None:
        """Open an incident or bring an open one up to date, see `transitions.alarmed`."""
        return self._change(
            alarm.subject,
            alarm.cause,
            lambda before, now: transitions.alarmed(
                before, alarm, now, live=live, unjudged=unjudged
            ),
        )

    def recover(self, subject: str, cause: Cause, partition: str, task: str) -> Incident | None:
        """Let a task that succeeded take its partition out, see `transitions.recovered`."""
        before = self._newest(subject, cause)
        if before is None or not before.is_open:
            return None  # nearly always, and without waiting for those who write
        return self._change(
            subject,
            cause,
            lambda before, now: transitions.recovered(before, partition, task, now),
        )

    def close(
        self, incident: Incident, how: str, *, by: str, as_of: str = "", live: bool = True
    ) -> Incident | None:
        """End an incident, unless it has ended meanwhile, or the clock knows later days."""

        def follow(before: Incident | None, now: datetime) -> Incident | None:
            same = before is not None and before.is_open and before.number == incident.number
            if before is None or not same or (as_of and as_of < before.as_of):
                return None
            return transitions.closed(before, how, now, by=by, as_of=as_of, live=live)

        return self._change(incident.subject, incident.cause, follow)

    def acknowledge(self, incident: Incident, by: str, note: str = "") -> Incident:
        """Write down who looks after it."""
        return self._say(incident, lambda one, now: transitions.acknowledged(one, by, note, now))

    def silence(self, incident: Incident, until: datetime, by: str, note: str = "") -> Incident:
        """Let nobody be told of it for a time."""
        return self._say(incident, lambda one, now: transitions.silenced(one, until, by, note, now))

    def _say(self, incident: Incident, word: Callable[[Incident, datetime], Incident]) -> Incident:
        def follow(before: Incident | None, now: datetime) -> Incident | None:
            if before is None or not before.is_open or before.number != incident.number:
                return None
            return word(before, now)

        found = self._change(incident.subject, incident.cause, follow)
        if found is None:
            raise UnknownIncidentError(
                f"incident {incident.id} has ended and stays as it is; see `mlops incidents show "
                f"{incident.id}`"
            )
        return found

    def _change(
        self,
        subject: str,
        cause: Cause,
        follow: Callable[[Incident | None, datetime], Incident | None],
    ) -> Incident | None:
        def evidence(newest: LedgerEntry | None) -> dict[str, object] | None:
            found = follow(None if newest is None else _incident(newest), self.clock())
            return None if found is None else to_json(found)

        about = {"model": subject, "kind": _KIND, "key": str(cause)}
        entry = self.ledger.record_next(evidence, **about, dag_run=self.dag_run, by=self.by)
        return None if entry is None else _incident(entry)

    def _newest(self, subject: str, cause: Cause) -> Incident | None:
        entry = self.ledger.newest(subject, _KIND, key=str(cause))
        return None if entry is None else _incident(entry)


def _incident(entry: LedgerEntry) -> Incident:
    return from_json(Incident, entry.evidence)
