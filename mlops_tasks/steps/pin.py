"""Pin: which days a training as of one night may use, at exact versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError, PartitionKeyError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.partitions import shift_day, today

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec

__all__ = ["pin_training_data"]


def pin_training_data(spec: ModelSpec, as_of: str, *, lake: Lake) -> TrainingPin:
    """Choose and pin the days that a training as of one night may use.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The night, ``YYYY-MM-DD``. Only days whose label delay has passed by then are used, and
        of every day only what was known by then: a later correction changes no earlier training.
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
        If there are not enough labelled days for both windows.
    PartitionKeyError
        If `as_of` is not a day or lies in the future; of datasets that have ended, also if it lies
        after the last night on which their newest published days could bring news.
    """
    _refuse_ahead(spec, spec.check_as_of(as_of), lake)
    days = _usable_days(spec, as_of, lake)
    evaluation = days[-spec.evaluation_days :]
    training = days[: -spec.evaluation_days][-spec.train_days :]
    if not training:
        raise NoLabelsError(
            f"model {spec.name!r}: {len(days)} labelled days are known as of {as_of}, and the "
            f"evaluation alone takes {spec.evaluation_days}; ingest more days of "
            f"{[dataset.name for dataset in spec.datasets]}"
        )
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
    """Refuse a night that a replay of data from the past has not reached yet.

    Where the source goes on, today is the limit: it may be silent for a while. Where it has ended,
    every night after the last one with news would be the same training under a later name, and the
    nights before would not count it as their last training.
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
            f"{max(reached)}, by the newest days of {sorted(published)}; train as of that night or "
            "an earlier one, or ingest more days first"
        )


def _usable_days(spec: ModelSpec, as_of: str, lake: Lake) -> list[str]:
    """List the days that every table has and whose labels are due by the night `as_of`."""
    due = shift_day(as_of, -spec.label.dataset.delay_days)
    tables = [set(lake.table(dataset.name).partitions(known_at=as_of)) for dataset in spec.datasets]
    return sorted(day for day in set.intersection(*tables) if day <= due)
