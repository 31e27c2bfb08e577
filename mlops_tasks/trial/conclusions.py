"""What monitoring could conclude over a trial, and which setting would let it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.trial.report import Conclusion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.monitoring import Check, MonitorResult
    from mlops_tasks.partitions import Duration
    from mlops_tasks.specs import ModelSpec

__all__ = ["conclude"]

KINDS = (EvidenceKind.PERFORMANCE, EvidenceKind.LABELS, EvidenceKind.DRIFT)


def conclude(
    spec: ModelSpec, found: Mapping[EvidenceKind, Sequence[MonitorResult]]
) -> tuple[Conclusion, ...]:
    """Count the answers of each check, and say what would let it tell.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    found : mapping of EvidenceKind to sequence of MonitorResult
        What was measured, in order.

    Returns
    -------
    tuple of Conclusion
        Performance first, columns that alarmed before others.
    """
    conclusions = []
    for kind in KINDS:
        names = dict.fromkeys(check.name for result in found[kind] for check in result.checks)
        own = [_conclusion(spec, kind, name, found[kind]) for name in names]
        conclusions += sorted(own, key=lambda one: (-one.n_alarm, -one.n_cannot_tell))
    return tuple(conclusions)


def _conclusion(
    spec: ModelSpec, kind: EvidenceKind, name: str, results: Sequence[MonitorResult]
) -> Conclusion:
    checks = [check for one in results for check in one.checks if check.name == name]
    silent = [check for check in checks if check.value is None and not check.alarm]
    n_alarm = sum(check.alarm for check in checks)
    return Conclusion(
        kind=str(kind),
        name=name,
        n_fine=len(checks) - n_alarm - len(silent),
        n_alarm=n_alarm,
        n_cannot_tell=len(silent),
        text=checks[-1].text,
        fix=_fix(spec, kind, checks[-1], results),
    )


def _fix(
    spec: ModelSpec, kind: EvidenceKind, newest: Check, results: Sequence[MonitorResult]
) -> str:
    """Name the setting that would let a check tell which could not."""
    if newest.value is not None or newest.alarm:
        return ""
    asks = spec.performance if kind is EvidenceKind.PERFORMANCE else spec.drift
    own = "PerformanceSpec" if kind is EvidenceKind.PERFORMANCE else "DriftSpec"
    window = spec.performance.window if kind is EvidenceKind.LABELS else asks.window
    most = max(results, key=lambda one: one.n_rows)
    if not most.n_rows:
        return "no row of a window has a label yet: play more, or see why labels do not come"
    rate = most.n_rows / len(spec.calendar.range(most.first, most.last))
    rows_of_window = rate * _steps(spec, window)
    least = asks.min_rows or spec.performance.rows_wanted
    if rows_of_window >= least:
        return _fix_of_rare(spec, kind, most)
    wanted = _written(spec, ceil(least / rate))
    longer = "PerformanceSpec" if kind is EvidenceKind.LABELS else own
    return (
        f"a window of {window.words} has about {rows_of_window:,.0f} rows: {longer}(window="
        f'"{wanted}"), or {own}(min_rows={max(30, int(rows_of_window))})'
    )


def _fix_of_rare(spec: ModelSpec, kind: EvidenceKind, most: MonitorResult) -> str:
    if kind is not EvidenceKind.PERFORMANCE or most.n_rows < spec.performance.rows_wanted:
        return "a whole window has rows enough: play more"
    return (
        f"a longer PerformanceSpec(window=…), or a min_class_rows below "
        f"{spec.performance.min_class_rows}"
    )


def _steps(spec: ModelSpec, window: Duration) -> int:
    from mlops_tasks.partitions import window_start

    last = spec.rows.first
    return len(spec.calendar.range(window_start(spec.calendar, last, window), last))


def _written(spec: ModelSpec, n_partitions: int) -> str:
    """Return a number of partitions as a spec says it."""
    unit = {"hour": "h", "day": "d", "week": "w", "month": "mo"}[spec.rows.grain]
    if unit == "h" and n_partitions > 48:
        return f"{ceil(n_partitions / 24)}d"
    return f"{n_partitions}{unit}"
