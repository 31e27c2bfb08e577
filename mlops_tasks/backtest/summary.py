"""Losses, harm and regret: what a played past says of each policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from mlops_tasks.backtest.oracle import cheapest_path
from mlops_tasks.backtest.report import Figures, OracleResult, PolicyResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.backtest.bench import Played
    from mlops_tasks.backtest.realised import Period, Realised

__all__ = ["Scale", "known", "loss", "summarize", "summarize_oracle"]

_TOLERANCE, _RELATIVE_TOLERANCE = 0.01, 0.02


@dataclass(frozen=True, slots=True)
class Scale:
    """How losses are weighed.

    Attributes
    ----------
    losses : list of list of float
        By period, the loss of each candidate there is by then; the last one is new.
    greater_is_better : bool
        Direction of the metric.
    tolerance, training_cost : float
        A difference that matters, and what a training costs.
    n_chosen : int
        Periods on which settings are chosen.
    """

    losses: list[list[float]]
    greater_is_better: bool
    tolerance: float
    training_cost: float
    n_chosen: int

    @classmethod
    def of(
        cls,
        realised: Realised,
        periods: Sequence[Period],
        *,
        training_cost: float | None,
        n_chosen: int,
    ) -> Scale:
        """Measure every candidate on every period after its training."""
        up = realised.metric.greater_is_better
        days = [period.trained for period in periods]
        losses = [
            [loss(realised.of_version(one, day), up=up) for day in days[: one.number + 1]]
            for one in periods
        ]
        fresh = [abs(own[-1]) for own in losses if not math.isnan(own[-1])]
        tolerance = _TOLERANCE if up else _RELATIVE_TOLERANCE * (median(fresh) if fresh else 1.0)
        cost = tolerance if training_cost is None else training_cost
        return cls(losses, up, round(tolerance, 6), round(cost, 6), n_chosen)

    @property
    def parts(self) -> tuple[range, range]:
        """The periods to choose on, and those to show."""
        return range(self.n_chosen), range(self.n_chosen, len(self.losses))


def loss(value: float, *, up: bool) -> float:
    """Return the loss of a metric's value: only differences of it mean something."""
    return -value if up else value


def known(values: Iterable[float]) -> tuple[float | None, ...]:
    """Return values rounded for a report, None where they are not defined."""
    return tuple(None if math.isnan(one) else round(one, 6) for one in values)


def summarize_oracle(scale: Scale, periods: Sequence[Period]) -> OracleResult:
    """Find the oracle's path, and what it came to.

    A period whose metric is not defined costs nothing.
    """
    plain = [[0.0 if math.isnan(one) else one for one in period] for period in scale.losses]
    path = cheapest_path(plain, scale.training_cost)
    values = [
        -found if scale.greater_is_better else found
        for found in (scale.losses[number][used] for number, used in enumerate(path.used))
    ]
    trained_in = [n for n in range(1, len(path.used)) if path.used[n] != path.used[n - 1]]
    chosen, shown = (_figures(scale, values, trained_in, part) for part in scale.parts)
    days = tuple(periods[number].trained for number in trained_in)
    return OracleResult(known(values), days, tuple(trained_in), chosen, shown)


def summarize(
    played: Played,
    realised: Realised,
    periods: Sequence[Period],
    scale: Scale,
    oracle: OracleResult,
) -> PolicyResult:
    """Say what a policy came to, beside the oracle."""
    values = [realised.of_policy(one, played.served) for one in periods]
    fresh = [own[-1] for own in scale.losses]
    harm = [
        loss(value, up=scale.greater_is_better) > best + scale.tolerance
        for value, best in zip(values, fresh, strict=True)
    ]
    of_night = {day: n for n, one in enumerate(periods) for day in one.decided}
    trainings = played.trainings[1:]
    trained_in = [of_night[one.as_of] for one in trainings]
    figures = []
    for part, bound in zip(scale.parts, (oracle.chosen, oracle.shown), strict=True):
        nights = [one for one in played.nights if of_night[one.as_of] in part]
        drifted = {of_night[one.as_of] for one in nights if one.drift_alarm}
        harmed = {number for number in part if harm[number]}
        own = [one for one, n in zip(trainings, trained_in, strict=True) if n in part]
        found = _figures(scale, values, trained_in, part)
        figures.append(
            Figures(
                n_periods=found.n_periods,
                metric=found.metric,
                n_trainings=len(own),
                n_promoted=sum(one.verdict == "promote" for one in own),
                fit_s=round(sum(played.fits[one.as_of].trained.fit_s for one in own), 2),
                performance_alarms=sum(one.performance_alarm for one in nights),
                drift_alarms=sum(one.drift_alarm for one in nights),
                harm=len(harmed),
                recovery=_recovery([harm[n] for n in part], [len(periods[n].rounds) for n in part]),
                drift_without_harm=len(drifted - harmed),
                harm_without_drift=len(harmed - drifted),
                cost=found.cost,
                regret=round(found.cost - bound.cost, 6),
            )
        )
    return PolicyResult(
        name=played.policy.name,
        title=played.policy.title,
        values=known(values),
        harm=tuple(harm),
        trainings=tuple(played.trainings),
        trained_in=tuple(trained_in),
        chosen=figures[0],
        shown=figures[1],
    )


def _figures(
    scale: Scale, values: Sequence[float], trained_in: Sequence[int], part: range
) -> Figures:
    """Weigh losses and trainings of some periods."""
    there = [values[number] for number in part if not math.isnan(values[number])]
    n_trainings = sum(number in part for number in trained_in)
    total = sum(loss(value, up=scale.greater_is_better) for value in there)
    return Figures(
        n_periods=len(there),
        metric=round(fmean(there), 6) if there else None,
        n_trainings=n_trainings,
        cost=round(total + n_trainings * scale.training_cost, 6),
    )


def _recovery(harm: Sequence[bool], n_rounds: Sequence[int]) -> float | None:
    """Return the mean length of the stretches of harm, in rounds."""
    stretches: list[int] = []
    before = False
    for is_harmed, rounds in zip(harm, n_rounds, strict=True):
        if is_harmed:
            if before:
                stretches[-1] += rounds
            else:
                stretches.append(rounds)
        before = is_harmed
    return round(fmean(stretches), 1) if stretches else None
