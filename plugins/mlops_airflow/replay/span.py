"""Which partitions to replay: what was asked for, checked, or the newest that there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import Duration, Partition
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.trial.span import closing_round, first_round

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

__all__ = ["choose_span"]


def choose_span(
    spec: ModelSpec, first: str | None, last: str | None, *, now: datetime | None = None
) -> tuple[str, str]:
    """Return the first and the last round to replay.

    A round is what one decision closes: the rows of a partition, or of a day where rows come by the
    hour.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str or None
        What was asked for. By default as much of the end as `mlops try` plays: the longest window
        of monitoring, and until its labels are there.
    now : datetime, optional
        For tests.

    Returns
    -------
    tuple of (str, str)
        Both inclusive. Where the rows have ended, the last one is that in which their last labels
        come.

    Raises
    ------
    PartitionKeyError
        If they lie outside of the data, or leave nothing to train on before them.
    """
    now = now or datetime.now(UTC)
    newest = _newest(spec, now)
    last = newest if last is None else _checked(spec, last, "--to")
    first = first_round(spec, last) if first is None else _checked(spec, first, "--from")
    if last > newest:
        raise PartitionKeyError(
            f"model {spec.name!r}: --to {last} is not over: the newest {spec.schedule.grain.name} "
            f"that has been decided on by now is {newest}"
        )
    if first > last:
        raise PartitionKeyError(f"model {spec.name!r}: --from {first} lies behind --to {last}")
    _check_history(spec, first)
    return first, closing_round(spec, last, now=now)


def _newest(spec: ModelSpec, now: datetime) -> str:
    """Return the newest round whose decision is due by now, and whose rows there are."""
    newest, end = spec.schedule.newest_before(now), spec.rows.last
    return newest if end is None else min(newest, _round_of(spec, end))


def _checked(spec: ModelSpec, key: str, option: str) -> str:
    """Return the round of a key, of the rows or of the decisions."""
    grain = spec.schedule.grain
    is_round = grain is not spec.calendar and len(key) == len(grain.example)
    try:
        if is_round:
            day = Partition(grain.check(key), spec.timezone, grain)
            spec.rows.check_partition(day.keys(spec.calendar)[0])
            return key
        return _round_of(spec, spec.rows.check_partition(key))
    except PartitionKeyError as error:
        raise PartitionKeyError(f"{option}: {error}") from None


def _round_of(spec: ModelSpec, partition: str) -> str:
    return Calendar(spec, partition).first


def _has_labels(spec: ModelSpec, first: str, train: Duration) -> bool:
    """Return whether labels go as far back as a training before a round looks."""
    label = spec.label.dataset
    begin = spec.calendar.key_of(label.partition(label.first).start, spec.timezone)
    return Calendar(spec, first).trained_from(train) >= begin


def _check_history(spec: ModelSpec, first: str) -> None:
    if not _has_labels(spec, first, Duration(1, "h")):
        raise PartitionKeyError(
            f"model {spec.name!r}: before --from {first} there is nothing to train on: labels "
            f"begin with {spec.label.dataset.first}, and the newest {spec.evaluation} of those "
            "known by then are for the evaluation; choose a later --from"
        )
