"""What a model costs when it serves: milliseconds for a row, and the size of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.gate.criteria import ALARM, CANNOT_TELL, FINE, Criterion

if TYPE_CHECKING:
    from mlops_tasks.gate.latency import Latency
    from mlops_tasks.gate.plan import GatePlan

__all__ = ["latency_criterion", "size_criterion"]

_MB = 1e6


def latency_criterion(plan: GatePlan, found: Latency, most_ms: float) -> Criterion:
    """Hold the milliseconds for one row, features given, against their budget."""
    answer = found.answer(most_ms)
    words = {
        FINE: f"within {most_ms:g} ms",
        ALARM: f"above {most_ms:g} ms even in the calmest fifth of the calls",
        CANNOT_TELL: f"the machine was too busy to tell whether within {most_ms:g} ms, which holds "
        "nothing back; the smoke test of the registered version measures it again",
    }[answer]
    batch = f"{found.batch_rows} rows at once {found.batch_ms:.1f} ms"
    return Criterion(
        name="p99 of one row in ms",
        kind="latency",
        answer=answer,
        text=f"99 of 100 single rows within {found.p99_ms:.1f} ms, half within {found.p50_ms:.1f} "
        f"ms ({found.n_calls} calls; {batch}): {words}",
        value=found.p99_ms,
        lower=min(found.least_p99_ms, found.p99_ms),
        upper=found.p99_ms,
        margin=most_ms,
        failing=plan.failing("latency"),
        n_rows=found.n_calls,
    )


def size_criterion(plan: GatePlan, n_bytes: int, most_mb: float | None) -> Criterion:
    """Hold the size of the model's files against its limit; without one it is reported."""
    size = n_bytes / _MB
    answer = FINE if most_mb is None or size <= most_mb else ALARM
    limit = "" if most_mb is None else f", {'within' if answer == FINE else 'above'} {most_mb:g} MB"
    return Criterion(
        name="size in MB",
        kind="size",
        answer=answer,
        text=f"the files of the model have {size:.3g} MB{limit}",
        value=size,
        margin=most_mb,
        failing="report" if most_mb is None else plan.failing("size"),
    )
