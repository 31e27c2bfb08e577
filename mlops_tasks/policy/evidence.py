"""What a decision rests on: read from the ledger, typed, and no more than the policy weighs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.monitoring.results import MonitorResult
from mlops_tasks.partitions import days_between, shift_day
from mlops_tasks.policy.absence import Absence, find_absences
from mlops_tasks.policy.memory import Memory, read_memory
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES
from mlops_tasks.registry.past_champions import day_of_move
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import due_between, labelled_on, scored_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

__all__ = ["PolicyEvidence", "read_evidence"]

# Partitions that are looked through for the last one that somebody could tell.
_MOST_KEYS = 500
# And those that an alarm of a lone column is followed back.
_MOST_LASTING = 200


@dataclass(frozen=True, slots=True)
class PolicyEvidence:
    """What was known of a model on one day.

    ``champion`` is the version that was champion on that day, as far as was known then;
    ``champion_now`` that of today. ``last_training`` is the newest day that a model was trained as
    of, whatever became of it. ``performance`` and ``drift`` are about ``champion`` alone, the
    newest days that the policy looks at, in order. ``absences`` is what the schedule promised by
    then and was not there. ``untold_since`` is the day since which nobody can tell what the
    predictions are worth; None where the newest labels that are due tell it, or the champion's
    first ones are not due. ``memory`` is what was decided and trained before, and
    ``lasting`` for how many partitions in a row each column has alarmed that does so now, where
    these are too few for a cause. ``estimates`` are those of the partitions on which performance
    has alarmed, and the newest one.
    """

    champion: str | None = None
    champion_now: str | None = None
    last_training: str | None = None
    performance: tuple[MonitorResult, ...] = ()
    drift: tuple[MonitorResult, ...] = ()
    estimates: tuple[MonitorResult, ...] = ()
    absences: tuple[Absence, ...] = ()
    untold_since: str | None = None
    memory: Memory = field(default_factory=Memory)
    lasting: Mapping[str, int] = field(default_factory=dict)


def read_evidence(
    spec: ModelSpec, as_of: str, *, ledger: Ledger, lake: Lake | None = None
) -> PolicyEvidence:
    """Read what the policy of a model weighs, as it was known on one day.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its policy.
    as_of : str
        The day; what became known later is left out.
    ledger : Ledger
        The ledger.
    lake : Lake, optional
        Where data and predictions are; without it nobody looks for what is absent.

    Returns
    -------
    PolicyEvidence
        Of each monitor at most ``of_last`` days, however long the ledger is.
    """
    now, champion = ledger.champion(spec.name), ledger.champion_as_of(spec.name, as_of)
    training = ledger.newest(spec.name, EvidenceKind.VERDICT, as_of=as_of)

    def measured(kind: EvidenceKind) -> tuple[MonitorResult, ...]:
        if champion is None:
            return ()
        entries = ledger.newest_of_keys(
            spec.name, kind, spec.retrain.of_last, model_version=champion, as_of=as_of
        )
        return tuple(from_json(MonitorResult, entry.evidence) for entry in entries)

    performance = measured(EvidenceKind.PERFORMANCE)
    absences: tuple[Absence, ...] = ()
    untold_since = None
    if champion is not None:
        first, ours = _moves(spec, ledger, champion, as_of)
        if lake is not None:
            absences = find_absences(spec, as_of, lake=lake, ledger=ledger, champion_since=first)
        silent = not performance or performance[-1].answer == "cannot_tell"
        if silent or any(_hides_worth(spec, one) for one in absences):
            untold_since = _untold_since(spec, as_of, ledger, ours)
    drift = measured(EvidenceKind.DRIFT)
    few = bool(drift) and 0 < len(drift[-1].alarms) < spec.retrain.min_drifted
    return PolicyEvidence(
        champion=champion,
        champion_now=now.version if now else None,
        last_training=training.key if training else None,
        performance=performance,
        drift=drift,
        estimates=_estimates(spec, as_of, ledger, champion, performance),
        absences=absences,
        untold_since=untold_since,
        memory=read_memory(spec, as_of, ledger=ledger),
        lasting=_lasting(spec, as_of, ledger, champion) if few else {},
    )


def _estimates(
    spec: ModelSpec,
    as_of: str,
    ledger: Ledger,
    champion: str | None,
    performance: Sequence[MonitorResult],
) -> tuple[MonitorResult, ...]:
    """Return what was estimated of the partitions that have alarmed since, and of the newest."""
    if champion is None or not spec.performance.estimate:
        return ()
    keys = [*(one.last for one in performance if one.alarms), None]
    about: dict[str, str] = {"model_version": champion, "as_of": as_of}
    entries = [ledger.newest(spec.name, EvidenceKind.ESTIMATE, key=key, **about) for key in keys]
    by_key = {entry.key: entry for entry in entries if entry is not None}
    return tuple(from_json(MonitorResult, by_key[key].evidence) for key in sorted(by_key))


def _lasting(spec: ModelSpec, as_of: str, ledger: Ledger, champion: str | None) -> dict[str, int]:
    """Return for how many partitions in a row each column has alarmed that does so now."""
    entries = ledger.newest_of_keys(
        spec.name, EvidenceKind.DRIFT, _MOST_LASTING, model_version=champion, as_of=as_of
    )
    found: dict[str, int] = {}
    for n, entry in enumerate(reversed(entries), 1):
        loud = {one["name"] for one in entry.evidence["checks"] if one["alarm"]}
        still = loud if n == 1 else {name for name in loud if found.get(name) == n - 1}
        found |= dict.fromkeys(still, n)
        if not still:
            break
    return found


def _moves(spec: ModelSpec, ledger: Ledger, champion: str, as_of: str) -> tuple[str, str]:
    """Return the days as of which the model has had a champion, and this one."""
    moves = [entry for entry in ledger.lifecycle(spec.name) if entry.kind in CHAMPION_MOVES]
    days = [(entry, day_of_move(entry, as_of, spec.timezone)) for entry in moves]
    ours = [day for entry, day in days if str(entry.evidence.get("version")) == champion]
    first = min((day for _, day in days), default=as_of)
    return min(first, as_of), min(max(ours, default=first), as_of)


def _hides_worth(spec: ModelSpec, absence: Absence) -> bool:
    """Whether something is absent without which nobody knows what the newest rows were worth."""
    about_labels = absence.about == spec.label.dataset.name
    return absence.is_newest and (about_labels or absence.what == "monitored")


def _untold_since(spec: ModelSpec, as_of: str, ledger: Ledger, champion_since: str) -> str | None:
    """Return the day since which nobody can tell, of a new champion when its labels are due."""
    rows = spec.rows
    recent = due_between(
        rows, rows.first, partial(scored_on, spec), shift_day(champion_since, -62), champion_since
    )
    newest = recent[-1] if recent else rows.first
    begin = shift_day(
        champion_since, max(days_between(scored_on(spec, newest), labelled_on(spec, newest)), 0)
    )
    if begin >= as_of:
        return None
    entries = ledger.newest_of_keys(spec.name, EvidenceKind.PERFORMANCE, _MOST_KEYS, as_of=as_of)
    for entry in reversed(entries):
        found = from_json(MonitorResult, entry.evidence)
        if found.answer != "cannot_tell":
            return max(begin, found.known_at or labelled_on(spec, found.last))
    return begin
