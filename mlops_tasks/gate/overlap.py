"""Rows that a model has seen must not judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LeakageError, PartitionKeyError
from mlops_tasks.partitions import Grain, Partition, grain_of

if TYPE_CHECKING:
    from mlops_tasks.lake import TrainingPin

__all__ = ["refuse_overlap"]


def refuse_overlap(
    who: str, trained: TrainingPin, pin: TrainingPin, grain: Grain, timezone: str = "UTC"
) -> None:
    """Refuse an evaluation window that does not lie after a training window.

    Instants are compared, not keys: a champion may be of a time when the partitions were longer.

    Parameters
    ----------
    who : str
        Whose training it was, for the error.
    trained, pin : TrainingPin
        The pins of the training and of the evaluation.
    grain : Grain
        Of the model's partitions.
    timezone : str, optional
        Of its datasets.

    Raises
    ------
    LeakageError
        Naming both days.
    """
    if pin.random is not None and trained.random == pin.random:
        return  # the same rows were kept from both by their keys, whatever the windows
    last, first = trained.train[1], pin.evaluation[0]
    learnt = Partition(last, timezone, _grain(trained.train, grain))
    if learnt.end > Partition(first, timezone, _grain(pin.evaluation, grain)).start:
        raise LeakageError(
            f"the {who} was trained on days up to {last}, the evaluation begins on "
            f"{first}: it would be judged on what it has seen. Train as of a later "
            "day"
        )


def _grain(window: tuple[str, str], grain: Grain) -> Grain:
    """Return the grain of a window: that of the model today, if its keys are of it."""
    try:
        for key in window:
            grain.check(key)
    except PartitionKeyError:
        return grain_of(window[1])
    return grain
