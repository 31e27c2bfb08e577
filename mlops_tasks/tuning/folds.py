"""Parts of the training window on which candidates are compared: later ones, or random ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.features import is_between, is_held_out
from mlops_tasks.partitions import Duration, window_start

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.lake import RandomSplit, TrainingPin
    from mlops_tasks.specs import ModelSpec

__all__ = ["Fold", "fold_rows", "selection_folds"]

_MOST = 3
_SHORTEST = 2  # partitions: one to fit on, one to measure


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of the training window to fit a candidate on, and later ones to measure it.

    Attributes
    ----------
    fitted, measured : tuple of str
        First and last partition, both inclusive.
    random : RandomSplit or None
        In place of later rows: those that are measured on by a hash of their key.
    """

    fitted: tuple[str, str]
    measured: tuple[str, str]
    random: RandomSplit | None = None


def selection_folds(spec: ModelSpec, pin: TrainingPin) -> tuple[Fold, ...]:
    """Return the folds of a training, earliest first: no row of the evaluation is in any.

    Each is measured on as many partitions as the evaluation has, after the embargo, and fitted on
    all before. There are up to three, which together take at most half of the training window.

    Parameters
    ----------
    spec : ModelSpec
        The model, for its windows.
    pin : TrainingPin
        From `pin_training_data`.

    Returns
    -------
    tuple of Fold
        One at least.

    Raises
    ------
    NoLabelsError
        If the training window is too short for one.
    """
    if pin.random is not None:
        splits = (replace(pin.random, seed=pin.random.seed + 1 + n) for n in range(_MOST))
        return tuple(Fold(pin.train, pin.train, split) for split in splits)
    grain = spec.calendar
    keys, gap = grain.range(*pin.train), _embargo_steps(spec, pin)
    wanted = grain.between(*pin.evaluation) + 1
    room = len(keys) - gap
    if room < _SHORTEST:
        raise NoLabelsError(
            f"model {spec.name!r}: candidates are compared inside the training window, and "
            f"{pin.train[0]} to {pin.train[1]} with an embargo of {pin.embargo or 'nothing'} is "
            "too short for it; use a longer `train`, or leave out candidates and search"
        )
    size = max(1, min(wanted, room // 3))
    n_folds = max(1, min(_MOST, room // 2 // size))
    folds = []
    for n in reversed(range(n_folds)):
        last = len(keys) - 1 - n * size
        first = last - size + 1
        folds.append(Fold((keys[0], keys[first - gap - 1]), (keys[first], keys[last])))
    return tuple(folds)


def _embargo_steps(spec: ModelSpec, pin: TrainingPin) -> int:
    """Return how many partitions the embargo of a pin touches."""
    if not pin.embargo:
        return 0
    last = pin.train[1]
    return (
        spec.calendar.between(window_start(spec.calendar, last, Duration.of(pin.embargo)), last) + 1
    )


def fold_rows(spec: ModelSpec, rows: pa.Table, fold: Fold) -> tuple[pa.Table, pa.Table]:
    """Return the rows that a candidate is fitted on, and those that it is measured on.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : Table
        From `labelled_rows` of the training window.
    fold : Fold
        One of its folds.

    Returns
    -------
    tuple of Table
        Rows belong to a part by their own moment, or by their key.
    """
    import pyarrow as pa

    if fold.random is not None:
        held_out = is_held_out(spec, rows, fold.random)
        return rows.filter(pa.array(~held_out)), rows.filter(pa.array(held_out))
    fitted, measured = (
        is_between(spec, rows, begin, spec.partition(last).end)
        for begin, last in (
            (None, fold.fitted[1]),  # some rows are asked for before their partition begins
            (spec.partition(fold.measured[0]).start, fold.measured[1]),
        )
    )
    return rows.filter(pa.array(fitted)), rows.filter(pa.array(measured))
