"""Gaps of a window: counted from the first scored partition on, and what they leave to conclude."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.partitions import Coverage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring.results import Check
    from mlops_tasks.specs import ModelSpec

__all__ = ["limited", "window_coverage"]


def window_coverage(
    spec: ModelSpec, lake: Lake, first: str, last: str, *, there: Collection[str]
) -> Coverage:
    """Return how much of a window was scored; before the first scoring nothing is missing."""
    scored = lake.table(spec.predictions_table).partitions()
    begin = max(first, min(scored, default=first))
    return Coverage.of(spec.calendar, min(begin, last), last, there)


def limited(checks: Iterable[Check], coverage: Coverage) -> list[Check]:
    """Let checks on a window of which less than half is there say that nobody can tell."""
    if coverage.enough:
        return list(checks)
    why = f"nobody can tell, {coverage.text}"
    return [
        replace(check, value=None, alarm=False, text=f"{check.name}: {why}") for check in checks
    ]
