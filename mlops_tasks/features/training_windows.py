"""The two windows of a training, and the gap between them, cut out of the partitions there are."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlops_tasks.partitions import Coverage, Duration, window_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.specs import ModelSpec

__all__ = ["TrainingWindows", "cut_windows"]

_log = logging.getLogger(__name__)
_UNITS: dict[str, Literal["h", "d", "w", "mo"]] = {"hour": "h", "day": "d", "week": "w"}


@dataclass(frozen=True, slots=True)
class TrainingWindows:
    """The partitions to train on and to evaluate on, each in order.

    Attributes
    ----------
    train, evaluation : tuple of str
        Keys; no training where `train` is empty. Of a random split both are the same.
    embargo : Duration
        Between them.
    missing : dict of str to tuple of str
        By window the keys between its first and its last partition that could not be used.
    """

    train: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()
    embargo: Duration = field(default_factory=lambda: Duration(0, "d"))
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)


def cut_windows(spec: ModelSpec, usable: Sequence[str]) -> TrainingWindows:
    """Split the usable partitions: the newest for the evaluation, those before for the training.

    Both windows are calendar time: what is missing in one is not made up for by older partitions.
    An embargo that nobody asked for, the label's delay, takes no more than half of a short history:
    a new model is trained all the same, and the log says so.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    usable : sequence of str
        Partitions that have rows and labels, in order.

    Returns
    -------
    TrainingWindows
        The windows.
    """
    if not usable:
        return TrainingWindows()
    middle = window_start(spec.calendar, usable[-1], spec.evaluation)
    embargo = _embargo(spec, usable[0], middle)
    end = _end(spec, middle, embargo)
    begin = window_start(spec.calendar, end, spec.train)
    if spec.split == "random":
        both = tuple(key for key in usable if begin <= key)
        missing = Coverage.of(spec.calendar, both[0], both[-1], set(both)).missing
        gaps = {"train": missing, "evaluation": missing} if missing else {}
        return TrainingWindows(both, both, embargo, gaps)
    training = tuple(key for key in usable if begin <= key <= end)
    evaluation = tuple(key for key in usable if key >= middle)
    if not training:
        return TrainingWindows((), evaluation, embargo)
    gaps = {
        "train": Coverage.of(spec.calendar, training[0], end, set(training)).missing,
        "evaluation": Coverage.of(spec.calendar, middle, evaluation[-1], set(evaluation)).missing,
    }
    named = {name: missing for name, missing in gaps.items() if missing}
    return TrainingWindows(training, evaluation, embargo, named)


def _end(spec: ModelSpec, middle: str, embargo: Duration) -> str:
    """Return the last partition before the evaluation and the embargo."""
    grain = spec.calendar
    end = grain.shift(middle, -1)
    return grain.shift(window_start(grain, end, embargo), -1) if embargo else end


def _embargo(spec: ModelSpec, first: str, middle: str) -> Duration:
    """Return the embargo of the spec; of one by default, so much as a short history can bear."""
    grain, asked = spec.calendar, spec.embargo
    if not asked or "embargo" in spec.model_fields_set:
        return asked
    most = max(grain.between(first, middle), 0) // 2
    steps = grain.between(_end(spec, middle, asked), middle) - 1
    if steps <= most:
        return asked
    shorter = Duration(most, _UNITS.get(grain.name, "mo"))
    _log.warning(
        "model %r: the embargo by default, the label's delay of %s, would take more than half of "
        "the history before the evaluation, %s to %s; it is %s until there is more. Set embargo= "
        "to decide it yourself",
        *(spec.name, asked.words, first, grain.shift(middle, -1), shorter.words),
    )
    return shorter
