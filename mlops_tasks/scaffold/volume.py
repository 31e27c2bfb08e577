"""Windows that hold enough rows to learn from and to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.partitions import Duration
from mlops_tasks.scaffold.label_rows import in_grain
from mlops_tasks.specs import DriftSpec, ModelSpec, PerformanceSpec, RetrainSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.scaffold.answers import Assumptions
    from mlops_tasks.scaffold.moments import Moments
    from mlops_tasks.scaffold.targets import Target

__all__ = ["Windows", "find_windows"]

_MONITORED = {
    "hour": ("7d", "14d", "28d"),
    "day": ("7d", "14d", "28d", "56d"),
    "week": ("28d", "56d", "84d"),
    "month": ("3mo", "6mo", "12mo"),
}
_TRAINED = {
    "hour": ("60d", "182d"),
    "day": ("60d", "182d", "364d"),
    "week": ("182d", "364d", "728d"),
    "month": ("12mo", "24mo", "36mo"),
}
_LEARNT_FROM = 2_000
_OF_CLASS = 30
# Above the least that a window must have: partitions differ, and labels are missing here and there.
_SPARE = 1.25
_LEAST = 30


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths, and how many rows are enough.

    Attributes
    ----------
    train, evaluation, monitored : Duration
        Of training, evaluation, and of drift and performance.
    min_rows : int
        With fewer rows in the window there is no answer.
    cooldown, max_age : Duration
        Of retraining.
    n_train : int
        Rows that a training has, about.
    """

    train: Duration
    evaluation: Duration
    monitored: Duration
    min_rows: int
    cooldown: Duration
    max_age: Duration
    n_train: int

    @property
    def changed(self) -> dict[str, object]:
        """What of it is not the default of a spec, as fields of `ModelSpec`."""
        fields = ModelSpec.model_fields
        found: dict[str, object] = {
            name: length
            for name in ("train", "evaluation")
            if (length := getattr(self, name)) != fields[name].default
        }
        # How many labelled rows are needed follows from the smallest change that matters.
        window = {"window": self.monitored}
        for name, kind, watched in (
            ("drift", DriftSpec, window | {"min_rows": self.min_rows}),
            ("performance", PerformanceSpec, window),
        ):
            if differs := _differing(kind(), watched):
                found[name] = (kind.__name__, differs)
        policy = {"cooldown": self.cooldown, "max_age": self.max_age}
        if differs := _differing(RetrainSpec(), policy):
            found["retrain"] = ("RetrainSpec", differs)
        return found


def _differing(default: object, given: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if getattr(default, name) != value}


def find_windows(moments: Moments, target: Target, delay: Duration, noted: Assumptions) -> Windows:
    """Choose windows by how many rows fall into them.

    Parameters
    ----------
    moments : Moments
        How rows fall.
    target : Target
        How rare its rarest class is.
    delay : Duration
        How long after a partition its labels are known.
    noted : Assumptions
        What was found.
    """
    name = moments.grain.name
    per_day = sum(moments.counts.values()) / moments.n_days
    default = PerformanceSpec().rows_wanted
    monitored = _first(_MONITORED[name], per_day, default * _SPARE)
    expected = monitored.days * per_day
    enough = expected >= default * _SPARE
    min_rows = default if enough else max(int(expected / _SPARE) // 10 * 10, _LEAST)
    by_class = _OF_CLASS / target.rarest if target.rarest else 0
    # Evaluation must leave something to learn from.
    shorter = [one for one in _MONITORED[name] if Duration.of(one).days <= moments.n_days / 6]
    evaluation = _first(shorter or _MONITORED[name][:1], per_day, max(default, by_class))
    most = _first(_TRAINED[name], per_day, _LEARNT_FROM)
    train = _fitting(most, evaluation, delay, moments)
    weekly = name in ("week", "month")
    windows = Windows(
        train,
        evaluation,
        monitored,
        min_rows,
        cooldown=monitored if weekly else RetrainSpec().cooldown,
        max_age=Duration.of("6mo" if name == "month" else "182d")
        if weekly
        else RetrainSpec().max_age,
        n_train=int(min(train.days, moments.n_days) * per_day),
    )
    why = f"about {per_day * monitored.days:,.0f} rows; needs {min_rows:,}"
    noted.add("monitored over", monitored.words, why)
    noted.add(
        "trained on",
        f"at most {train.words}",
        f"about {windows.n_train:,} rows; then evaluated on {evaluation.words}"
        + ("" if train == most else f"; no more is left of {moments.n_days} days"),
    )
    return windows


def _fitting(most: Duration, evaluation: Duration, delay: Duration, moments: Moments) -> Duration:
    """Shorten a training that, with its evaluation, is longer than what there is with labels."""
    grain = moments.grain
    there = moments.n_gaps + len(moments.counts)
    left = max(there - evaluation.steps(grain) - delay.steps(grain), 1)
    if most.steps(grain) <= left:
        return most
    if grain.name == "hour" and left >= 24:
        return Duration(left // 24, "d")
    return in_grain(left, grain)


def _first(choices: Sequence[str], per_day: float, wanted: float) -> Duration:
    lengths = [Duration.of(one) for one in choices]
    return next((one for one in lengths if one.days * per_day >= wanted), lengths[-1])
