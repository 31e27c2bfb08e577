"""Pin: which days a training may use as of its cut-off, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError, PartitionKeyError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.partitions import shift_day, today

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake, Table
    from mlops_tasks.specs import ModelSpec

__all__ = ["corrected_since", "pin_training_data"]


def pin_training_data(spec: ModelSpec, as_of: str, *, lake: Lake) -> TrainingPin:
    """Choose and pin the days that a training may use as of its cut-off.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The cut-off, a day ``YYYY-MM-DD``. Only days whose label delay has passed by then are used,
        and of every day only what counts as known by then: a later correction changes no earlier
        training.
    lake : Lake
        The data.

    Returns
    -------
    TrainingPin
        The newest `evaluation_days` labelled days for evaluation, up to `train_days` before them
        for training, and exact versions of every table.

    Raises
    ------
    NoLabelsError
        If not enough labelled days are known for both windows; it names those that are there but
        known later only, and what to do.
    PartitionKeyError
        If `as_of` is not a day or lies in the future; of datasets that have ended, also if it lies
        after the last day as of which their newest published days could bring news.
    """
    _refuse_ahead(spec, spec.check_as_of(as_of), lake)
    days = _usable_days(spec, as_of, lake)
    evaluation = days[-spec.evaluation_days :]
    training = days[: -spec.evaluation_days][-spec.train_days :]
    if not training:
        raise NoLabelsError(_too_few(spec, as_of, days, lake))
    first, last = training[0], evaluation[-1]
    inputs = {
        item.dataset.name: lake.table(item.dataset.name).pin(
            first=shift_day(first, -item.lookback_days),
            last=last,
            known_at=as_of,
        )
        for item in spec.inputs
    }
    return TrainingPin(
        as_of=as_of,
        train=(first, training[-1]),
        evaluation=(evaluation[0], last),
        inputs=inputs,
        labels=lake.table(spec.label.dataset.name).pin(first=first, last=last, known_at=as_of),
    )


def _refuse_ahead(spec: ModelSpec, as_of: str, lake: Lake) -> None:
    """Refuse a day that a replay of data from the past has not reached yet.

    Where the source goes on, today is the limit: it may be silent for a while. Where it has ended,
    every day after the last one with news would be the same training under a later name, and the
    days before would not count it as their last training.
    """
    if spec.rows.end is None or spec.rows.end.isoformat() >= today(spec.timezone):
        return
    published = {one.name: lake.table(one.name).partitions() for one in spec.datasets}
    reached = [
        one.last_as_of(published[one.name][-1]) for one in spec.datasets if published[one.name]
    ]
    if reached and as_of > max(reached):
        raise PartitionKeyError(
            f"model {spec.name!r}: nothing is known as of {as_of} that is not known as of "
            f"{max(reached)}, by the newest days of {sorted(published)}; train as of that day or "
            "an earlier one, or ingest more days first"
        )


def _usable_days(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the days that every table has as known by `as_of` and whose labels are due by then."""
    tables = [set(lake.table(dataset.name).partitions(known_at=as_of)) for dataset in spec.datasets]
    due = _labels_due(spec, as_of)
    return sorted(day for day in set.intersection(*tables) if day <= due)


def _labels_due(spec: ModelSpec, as_of: str) -> str:
    return shift_day(as_of, -spec.label.dataset.delay_days)


def _too_few(spec: ModelSpec, as_of: str, days: Sequence[str], lake: Lake) -> str:
    """Return why there is no training, and what to do: days may be there, but known later only."""
    text = (
        f"model {spec.name!r}: {len(days)} labelled days are known as of {as_of}, and the "
        f"evaluation alone takes {spec.evaluation_days}"
    )
    first_known = {one.name: _first_known(lake.table(one.name)) for one in spec.datasets}
    there = set.intersection(*map(set, first_known.values()))
    there = {day for day in there if day <= _labels_due(spec, as_of)}
    late = sorted(max(known[day] for known in first_known.values()) for day in there - set(days))
    if not late:
        return f"{text}; ingest more days of {list(first_known)}"
    causes = [
        name
        for name, known in first_known.items()
        if any(known[day] > as_of for day in there - set(days))
    ]
    missing = spec.evaluation_days + 1 - len(days)
    enough = late[missing - 1] if missing <= len(late) else ""
    later = f"Train as of {enough} or a later day. " if _may_train_as_of(spec, enough) else ""
    return (
        f"{text}. {len(late)} {'more ' if days else ''}days are there, first known {late[0]}: a "
        f"training as of an earlier day does not use them. {later}If they were really known by "
        f"{as_of}, take them in again with that day as `known_at` in the form of "
        f"{_ingests(causes)}. `mlops lake commits {causes[0]}` lists what was known when"
    )


def _first_known(table: Table) -> dict[str, str]:
    """Return for each day that has rows the first day as of which they count as known."""
    first: dict[str, str] = {}
    for commit in table.all_commits() if table.exists else ():
        if commit.n_rows:
            first[commit.partition] = min(
                commit.known_at, first.get(commit.partition, "9999-12-31")
            )
    return first


def _ingests(datasets: Sequence[str]) -> str:
    return " and ".join(f"{name}.ingest" for name in datasets)


def _may_train_as_of(spec: ModelSpec, day: str) -> bool:
    try:
        spec.check_as_of(day)
    except PartitionKeyError:
        return False
    return True


def corrected_since(pin: TrainingPin, *, lake: Lake) -> dict[str, list[str]]:
    """Return the pinned days that have other rows by now, which the training does not use.

    Parameters
    ----------
    pin : TrainingPin
        From `pin_training_data`.
    lake : Lake
        The data.

    Returns
    -------
    dict of str to list of str
        By table, its days, in order; tables without any are left out.
    """
    found: dict[str, list[str]] = {}
    for one in pin.pins:
        table = lake.table(one.table)
        pinned = {commit.partition: commit.digest for commit in table.pinned_commits(one)}
        newest = table.commits(first=one.first, last=one.last)
        days = [c.partition for c in newest if c.digest != pinned.get(c.partition, c.digest)]
        if days:
            found[one.table] = days
    return found
