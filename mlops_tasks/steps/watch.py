"""Watch: what is wrong as of a day, and which open incidents are over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import DAY, check_partition, today
from mlops_tasks.policy.incidents import Alarm, Cause, Incident
from mlops_tasks.policy.incidents.alarms import WatchedEvidence, incidents_of
from mlops_tasks.specs.calendar import scored_on, with_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.lake import Lake
    from mlops_tasks.policy import AlarmHistory
    from mlops_tasks.specs import ModelSpec

__all__ = ["SeenAlarm", "Watch", "past_deadline", "subjects_of", "watch"]

_OF_DATASETS = (Cause.INGESTION, Cause.REFUSED)
#: What the clock sees; of the rest only tasks and people know that it is over.
_OF_MODELS = (
    *(Cause.SCORING, Cause.MONITORING, Cause.DRIFT, Cause.PERFORMANCE, Cause.CANNOT_TELL),
    *(Cause.ALIASES, Cause.DEADLINE, Cause.SHADOW, Cause.WORSE),
)


#: What is about one champion beside the one before it, and over with the next.
_OF_PROMOTIONS = (Cause.SHADOW, Cause.WORSE)


@dataclass(frozen=True, slots=True)
class SeenAlarm:
    """An alarm, and the partitions of its open incident that it does not take back."""

    alarm: Alarm
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """What one look has found.

    Attributes
    ----------
    alarms : tuple of SeenAlarm
        What is wrong.
    ended : tuple of (Incident, str)
        Open incidents that are over, and how they ended.
    live : bool
        Whether the day is the present: of a past that is played again nobody is told.
    """

    alarms: tuple[SeenAlarm, ...] = ()
    ended: tuple[tuple[Incident, str], ...] = ()
    live: bool = True


def subjects_of(spec: ModelSpec) -> list[str]:
    """Return what a model's clock looks at: its datasets, what they are computed from, and it."""
    return [*(one.name for one in with_inputs(spec.datasets)), spec.name]


def past_deadline(
    spec: ModelSpec, evidence: WatchedEvidence, *, now: datetime | None = None
) -> WatchedEvidence:
    """Add the partitions without predictions that are past the deadline of the spec.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    evidence : WatchedEvidence
        With what is absent.
    now : datetime, optional
        The time, with its zone.

    Returns
    -------
    WatchedEvidence
        With `late`; as it was where the spec has no deadline.
    """
    if spec.deadline is None:
        return evidence
    rows = spec.rows
    waiting = {
        key
        for one in evidence.absences
        if (one.about, one.what) in _keeps_from_scoring(spec)
        for key in one.partitions
    }

    begun = spec.deadline.before(now or datetime.now(UTC))

    def is_late(key: str) -> bool:
        return rows.schedule.tick(key, rows.delay_steps) < begun

    return replace(evidence, late=tuple(sorted(filter(is_late, waiting))))


def _keeps_from_scoring(spec: ModelSpec) -> set[tuple[str, str]]:
    rows = spec.rows.name
    return {(rows, "ingested"), (rows, "published"), (spec.name, "scored")}


def watch(
    spec: ModelSpec,
    evidence: WatchedEvidence,
    incidents: Mapping[str, Mapping[Cause, Incident]],
    *,
    lake: Lake,
) -> Watch:
    """Compare what is wrong with the incidents that are open.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    evidence : WatchedEvidence
        What is known as of a day.
    incidents : mapping of str to mapping
        Of each of `subjects_of` the newest incident of each cause.
    lake : Lake
        Where it is seen whether what was missing is there by now.

    Returns
    -------
    Watch
        Alarms to raise, and incidents to close.
    """
    look = _Look(spec, evidence, lake)
    found = {(one.subject, one.cause): one for one in incidents_of(spec, evidence)}
    open_ones = [one for of in incidents.values() for one in of.values() if one.is_open]
    before = {(one.subject, one.cause): one for one in open_ones}
    alarms = [
        SeenAlarm(alarm, look.kept(before[about]) if about in before else ())
        for about, alarm in found.items()
    ]
    over = [one for about, one in before.items() if about not in found]
    ended = [(one, how) for one in over if (how := look.ending(one))]
    return Watch(tuple(alarms), tuple(ended), _is_live(spec, evidence.as_of))


class _Look:
    """What became of the partitions of open incidents."""

    def __init__(self, spec: ModelSpec, evidence: WatchedEvidence, lake: Lake) -> None:
        self.spec, self.evidence, self.lake = spec, evidence, lake
        self.datasets = {one.name: one for one in with_inputs(spec.datasets)}

    def kept(self, incident: Incident) -> tuple[str, ...]:
        """Return the partitions that no look of today takes out of an incident."""
        if incident.cause in (Cause.DRIFT, Cause.PERFORMANCE):
            return incident.partitions
        if incident.cause in (*_OF_DATASETS, Cause.SCORING, Cause.SHADOW):
            return self._still_missing(incident)
        due = partial(scored_on, self.spec)
        return tuple(key for key in _keys_of(incident) if due(key) > self.evidence.as_of)

    def ending(self, incident: Incident) -> str:
        """Return how an incident has ended of which no alarm says anything; empty if it has not."""
        cause, as_of = incident.cause, self.evidence.as_of
        known = _OF_DATASETS if incident.subject in self.datasets else _OF_MODELS
        if cause not in known:
            return ""
        if cause in (Cause.DRIFT, Cause.PERFORMANCE):
            return self._fine(getattr(self.evidence, str(cause)))
        if cause is Cause.ALIASES:
            return "" if self.evidence.moved is None else "all aliases are where the ledger says"
        if cause is Cause.CANNOT_TELL:
            return f"as of {as_of} somebody can tell again"
        if cause in _OF_PROMOTIONS and self.evidence.champion_since > incident.opened_at:
            return f"version {self.evidence.champion} has become the champion since"
        if cause is Cause.WORSE:
            return ""
        if self.kept(incident):
            return ""
        return f"as of {as_of} nothing of it is missing any more"

    def _fine(self, history: AlarmHistory | None) -> str:
        return history.text if history is not None and history.answer == "fine" else ""

    def _still_missing(self, incident: Incident) -> tuple[str, ...]:
        keys = _keys_of(incident)
        tables = {Cause.SCORING: self.spec.predictions_table, Cause.SHADOW: self.spec.shadow_table}
        table = self.lake.table(tables.get(incident.cause, incident.subject))
        if not keys or not table.exists:
            return keys
        there = {commit.partition for commit in table.commits(first=keys[0], last=keys[-1])}
        if incident.cause is Cause.INGESTION:
            raw = self.lake.table(f"{incident.subject}__raw")
            found = raw.commits(first=keys[0], last=keys[-1]) if raw.exists else []
            there |= {commit.partition for commit in found}
        return tuple(key for key in keys if key not in there)


def _keys_of(incident: Incident) -> tuple[str, ...]:
    """Return the partitions of an incident that can be looked for: runs had mistyped keys, too."""

    def is_key(text: str) -> bool:
        try:
            return bool(check_partition(text))
        except PartitionKeyError:
            return False

    return tuple(filter(is_key, incident.partitions))


def _is_live(spec: ModelSpec, as_of: str) -> bool:
    """Whether a decision as of a day is one of the newest two by the clock."""
    grain = spec.schedule.grain
    before = grain.shift(grain.key_at(DAY.begins(today(spec.timezone))), -2)
    return as_of >= DAY.key_at(grain.begins(before))
