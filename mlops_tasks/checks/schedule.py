"""Times of the day: whether a decision comes after what it is taken on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.checks.result import ALARM, FINE, CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import DatasetSpec

__all__ = ["check_schedule"]


def check_schedule(look: Sample) -> Iterator[CheckResult]:
    """Compare when a decision is taken with when what is known by then is taken in."""
    spec = look.spec
    newest = spec.schedule.newest_before(look.now)
    as_of, decided = spec.schedule.known_on(newest), spec.schedule.tick(newest)
    where, late = f"cron {spec.cron!r}", False
    for dataset in look.datasets:
        found = _taken(dataset, as_of, decided)
        if found is None or found[1] < decided:
            continue
        late = True
        key, taken = found
        text = (
            f"it is decided at {decided:%H:%M}, before {dataset.name}.ingest takes the newest "
            f"{dataset.grain} at {taken:%H:%M}: the decision as of {as_of} lacks {key}, which "
            "counts as known by then"
        )
        fix = f"decide after {taken:%H:%M}, with time for scoring and monitoring, or ingest earlier"
        yield CheckResult("schedule", where, ALARM, text, fix)
    if not late:
        text = f"it is decided at {decided:%H:%M}, after what is known by then was taken in"
        yield CheckResult("schedule", where, FINE, text)


def _taken(dataset: DatasetSpec, as_of: str, decided: datetime) -> tuple[str, datetime] | None:
    """Return the newest partition known as of a day, and when it is taken, if that day brings one.

    One that is computed comes with what it is computed from.
    """
    if dataset.source.reads:
        return None
    delay = dataset.delay_steps
    key = dataset.calendar.shift(dataset.calendar.key_of(decided, dataset.timezone or "UTC"), 1)
    key = dataset.calendar.shift(key, -delay)
    while (due := dataset.due(key)) > as_of:
        key = dataset.calendar.shift(key, -1)
    return (key, dataset.schedule.tick(key, delay)) if due == as_of else None
