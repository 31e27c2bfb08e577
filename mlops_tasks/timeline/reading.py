"""The timeline out of the ledger: a few queries, whatever its length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlops_tasks.monitoring import MonitorResult
from mlops_tasks.partitions import DAY, Partition, check_day
from mlops_tasks.policy import decision_rows
from mlops_tasks.problem_types import gate_metric
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES
from mlops_tasks.registry.past_champions import day_of_move
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import with_inputs
from mlops_tasks.timeline.incidents import incident_spans
from mlops_tasks.timeline.records import (
    ChampionMove,
    ColumnHistory,
    DriftHistory,
    Measured,
    Timeline,
)
from mlops_tasks.timeline.schedule import next_check

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mlops_tasks.policy import DecisionRow
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.specs import ModelSpec

__all__ = ["N_PARTITIONS", "read_timeline"]

#: Partitions that are shown, at most: half a year of days, a week of hours.
N_PARTITIONS = 180
_KINDS: tuple[str, ...] = (EvidenceKind.PERFORMANCE, EvidenceKind.DRIFT, EvidenceKind.ESTIMATE)
# A lone column of little importance is not worth nothing to whoever reads.
_LEAST_IMPORTANCE = 0.1
_UNBOUNDED = 10.0


def read_timeline(spec: ModelSpec, *, ledger: Ledger, n_partitions: int = N_PARTITIONS) -> Timeline:
    """Read what happened to a model.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    ledger : Ledger
        The ledger; nothing else is looked at.
    n_partitions : int, default 180
        How many partitions at most, the newest ones.

    Returns
    -------
    Timeline
        Empty where nothing has happened yet.
    """

    def newest(kind: str) -> list[LedgerEntry]:
        return ledger.newest_of_keys(spec.name, kind, n_partitions)

    entries = {kind: newest(kind) for kind in _KINDS}
    rows = decision_rows(spec.name, n_partitions, ledger=ledger)
    span = _span(spec, entries, rows, n_partitions)
    if span is not None:
        entries = {
            kind: [one for one in found if one.key >= span.first] for kind, found in entries.items()
        }
        rows = [one for one in rows if one.as_of >= span.first_day]
    metric, champion = gate_metric(spec), ledger.champion(spec.name)
    performance, estimates = (
        tuple(_measured(spec, metric.name, one) for one in entries[kind])
        for kind in (EvidenceKind.PERFORMANCE, EvidenceKind.ESTIMATE)
    )
    subjects = [*(one.name for one in with_inputs(spec.datasets)), spec.name]
    return Timeline(
        model=spec.name,
        owner=spec.owner,
        grain=spec.rows.grain,
        timezone=spec.timezone,
        metric=metric.name,
        metric_title=metric.title,
        begin=span.begin if span else None,
        end=span.end if span else None,
        champion=champion.version if champion else None,
        performance=performance,
        estimates=estimates,
        drift=_drift(spec, entries[EvidenceKind.DRIFT]),
        moves=_moves(spec, ledger, span) if span else (),
        decisions=tuple(rows),
        incidents=incident_spans(subjects, spec.timezone, ledger=ledger),
        next=next_check(
            spec,
            decided=rows[-1].as_of if rows else None,
            measured=performance[-1].key if performance else None,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """What the axis spans: from the first partition shown to the newest thing that is known."""

    first: str
    first_day: str
    last_day: str
    begin: datetime
    end: datetime


def _span(
    spec: ModelSpec,
    entries: dict[str, list[LedgerEntry]],
    rows: Sequence[DecisionRow],
    n_partitions: int,
) -> _Span | None:
    keys = sorted({entry.key for found in entries.values() for entry in found})[-n_partitions:]
    if not keys and not rows:
        return None
    spans = [_instants(spec, key) for key in (keys[:1] + keys[-1:])]
    if keys:
        first_day = DAY.key_of(spans[0][0], spec.timezone)
        days = [one for one in rows if one.as_of >= first_day][-1:]
    else:
        first_day, days = rows[0].as_of, [rows[0], rows[-1]]
    spans += [_day(spec, one.as_of) for one in days]
    begin, end = min(one for one, _ in spans), max(one for _, one in spans)
    last_day = DAY.key_of(end - timedelta(seconds=1), spec.timezone)
    return _Span(keys[0] if keys else "", first_day, last_day, begin, end)


def _instants(spec: ModelSpec, key: str) -> tuple[datetime, datetime]:
    found = Partition(key, spec.timezone, spec.calendar)
    return found.start, found.end


def _day(spec: ModelSpec, day: str) -> tuple[datetime, datetime]:
    found = Partition(check_day(day), spec.timezone)
    return found.start, found.end


def _measured(spec: ModelSpec, metric: str, entry: LedgerEntry) -> Measured:
    result = from_json(MonitorResult, entry.evidence)
    begin, end = _instants(spec, entry.key)
    check = next((one for one in result.checks if one.name == metric), None)
    if check is None:
        text = result.checks[0].text if result.checks else "nothing was measured"
        return Measured(entry.key, begin, end, None, None, None, None, text, result)
    # Of what nobody can tell, and of an estimate, the threshold may be a mere placeholder.
    threshold = check.threshold if check.value is not None else None
    bounds = check.lower, check.upper
    return Measured(entry.key, begin, end, check.value, *bounds, threshold, check.text, result)


def _drift(spec: ModelSpec, entries: Sequence[LedgerEntry]) -> DriftHistory:
    if not entries:
        return DriftHistory()
    n = len(entries)
    severities: dict[str, list[float | None]] = {}
    alarms: dict[str, list[bool]] = {}
    there: dict[str, list[bool]] = {}
    importance: dict[str, float | None] = {}
    for number, entry in enumerate(entries):
        # Thousands of checks: read as they are, records would take seconds.
        for check in entry.evidence["checks"]:
            name = check["name"]
            if name not in there:
                severities[name], alarms[name], there[name] = [None] * n, [False] * n, [False] * n
            severities[name][number] = _severity(check)
            alarms[name][number] = bool(check["alarm"])
            there[name][number] = True
            importance[name] = check.get("importance")
    columns = [
        ColumnHistory(
            name,
            importance[name],
            tuple(severities[name]),
            tuple(alarms[name]),
            tuple(there[name]),
        )
        for name in there
    ]
    keys = tuple(entry.key for entry in entries)
    return DriftHistory(
        keys,
        tuple(_instants(spec, key) for key in keys),
        tuple(str(entry.evidence["model_version"]) for entry in entries),
        tuple(sorted(columns, key=_rank)),
        from_json(MonitorResult, entries[-1].evidence),
    )


def _severity(check: dict[str, Any]) -> float | None:
    value, threshold = check["value"], check["threshold"]
    if value is None or not threshold:
        return None
    return float(value / threshold)


def _rank(column: ColumnHistory) -> tuple[bool, float, str]:
    """Put columns that have alarmed first, then those that moved and matter most."""
    worst = max(column.worst, _UNBOUNDED if column.n_alarms and not column.worst else 0.0)
    weight = 1.0 if column.importance is None else max(column.importance, _LEAST_IMPORTANCE)
    return not column.n_alarms, -worst * weight, column.name


def _moves(spec: ModelSpec, ledger: Ledger, span: _Span) -> tuple[ChampionMove, ...]:
    """Return the moves of the champion that the axis spans, and the last one before it."""
    found = []
    for entry in ledger.lifecycle(spec.name):
        if entry.kind not in CHAMPION_MOVES:
            continue
        day = day_of_move(entry, span.last_day, spec.timezone)
        is_real = DAY.key_of(entry.recorded_at, spec.timezone) == day
        found.append(
            ChampionMove(
                # What was trained as of a day takes over after it.
                at=entry.recorded_at if is_real else min(_day(spec, day)[1], span.end),
                day=day,
                kind=entry.kind,
                version=str(entry.evidence["version"]),
                before=entry.evidence.get("previous"),
                by=entry.by,
                reason=str(entry.evidence.get("reason", "")),
            )
        )
    before = [number for number, one in enumerate(found) if one.at <= span.begin]
    return tuple(found[before[-1] if before else 0 :])
