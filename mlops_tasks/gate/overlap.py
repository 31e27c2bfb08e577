"""Rows that a model has seen must not judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LeakageError

if TYPE_CHECKING:
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.partitions import Grain

__all__ = ["refuse_overlap"]


def refuse_overlap(who: str, trained: TrainingPin, pin: TrainingPin, grain: Grain) -> None:
    """Refuse an evaluation window that does not lie after a training window.

    Parameters
    ----------
    who : str
        Whose training it was, for the error.
    trained, pin : TrainingPin
        The pins of the training and of the evaluation.
    grain : Grain
        Of the model's partitions.

    Raises
    ------
    LeakageError
        Naming both days.
    """
    if pin.random is not None and trained.random == pin.random:
        return  # the same rows were kept from both by their keys, whatever the windows
    last, first = trained.train[1], pin.evaluation[0]
    if last >= first:
        raise LeakageError(
            f"the {who} was trained on days up to {last}, the evaluation begins on "
            f"{first}: it would be judged on what it has seen. Train as of a later "
            "day"
        )
