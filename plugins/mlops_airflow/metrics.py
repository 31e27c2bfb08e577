"""What monitoring and decisions say through Airflow's metrics: three answers, never two.

The ledger is the truth; these are for dashboards and alerts. Names and tags are in
docs/reference.md. A value is a gauge only where somebody can tell; that nobody can is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.steps.decide import RetrainDecision

__all__ = ["count_decision", "gauge_measurement"]


def count_decision(model: str, decision: RetrainDecision) -> None:
    """Count a decision by its answer, and show for how many partitions something is absent."""
    tags = {"model": model, "answer": decision.answer, "cause": decision.cause}
    stats.incr("mlops.decisions", tags=tags)
    absent = {what: 0 for what in ("ingested", "published", "labelled", "scored", "monitored")}
    for one in decision.evidence.absences:
        absent[one.what] += len(one.partitions)
    for what, n in absent.items():
        stats.gauge("mlops.absent_partitions", n, tags={"model": model, "what": what})


def gauge_measurement(model: str, kind: str, result: MonitorResult) -> None:
    """Show what was measured, of performance each check, of drift the number of columns."""
    stats.incr("mlops.measurements", tags={"model": model, "kind": kind, "answer": result.answer})
    if kind == "performance":
        for check in result.checks:
            if check.value is not None:
                tags = {"model": model, "check": check.name}
                stats.gauge("mlops.performance", check.value, tags=tags)
    elif kind == "drift" and result.answer != "cannot_tell":
        stats.gauge("mlops.drift", len(result.alarms), tags={"model": model})
