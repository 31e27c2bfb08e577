"""Policies of retraining on the past: the loop of a trial, once for each of them."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_tasks.backtest.bench import Bench, fit_all, play_all
from mlops_tasks.backtest.history import take_in
from mlops_tasks.backtest.policies import choose_policies
from mlops_tasks.backtest.realised import Period, Realised
from mlops_tasks.backtest.report import BacktestReport, PeriodShown
from mlops_tasks.backtest.stores import backtest_home
from mlops_tasks.backtest.summary import Scale, known, summarize, summarize_oracle
from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.sources import environment_connection
from mlops_tasks.trial.span import longest_span
from mlops_tasks.workers import n_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mlops_tasks.backtest.bench import Played
    from mlops_tasks.backtest.policies import Policy
    from mlops_tasks.sources import Connection
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.trial.report import TrialStep
    from mlops_tasks.trial.span import Span

__all__ = ["backtest"]

_ROUNDS = {"day": 7}  # of a period; a week or a month is one of its own
_FEWEST_PERIODS = 2


def backtest(
    spec: ModelSpec,
    *,
    first: str | None = None,
    last: str | None = None,
    play_from: str | None = None,
    policies: Iterable[str] = (),
    shown_from: str | None = None,
    training_cost: float | None = None,
    connect: Callable[[str], Connection] = environment_connection,
    keep: Path | None = None,
    watch: Callable[[TrialStep], None] = lambda step: None,
    n_processes: int | None = None,
) -> BacktestReport:
    """Play months of the past under several policies, through the steps that production runs.

    Data are taken in once, as of the days on which the schedule would have; each policy then
    scores, monitors, decides and trains, in order, and sees what was known by then. What several
    policies have in common is done once. Nothing of it touches the user's lake, ledger or MLflow.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str, optional
        Partitions of the rows, both inclusive; by default all there are.
    play_from : str, optional
        First round that is played; by default as soon as a whole training window is known, or where
        that would leave less than half of the range, a part of it.
    policies : iterable of str, optional
        Names of `compared_policies`; by default all.
    shown_from : str, optional
        A partition of the rows: figures are shown for the periods from it on, and the policy is
        chosen on those before. By default half and half.
    training_cost : float, optional
        What a training costs, in units of the gate's metric over one period: a training that gains
        less is not worth it. By default the difference that matters, 0.01, or 2 % of an error.
    connect, keep, watch
        As for `mlops_tasks.trial.try_model`.
    n_processes : int, optional
        How many fits, and then policies, at once; by default the processors allowed.

    Returns
    -------
    BacktestReport
        The policies beside each other, and the oracle.

    Raises
    ------
    NoChampionError
        If the gate promotes no first model.
    PartitionKeyError
        If the range does not suffice.
    MlopsError
        As of the steps.
    """
    started = time.perf_counter()
    compared = choose_policies(spec, policies)
    # How fast this machine is today says nothing about the past.
    spec = spec.model_copy(update={"gate": spec.gate.model_copy(update={"max_latency_ms": None})})
    span = longest_span(spec, first, last, play_from=play_from)
    periods = _periods(spec, span)
    n_chosen = _n_chosen(spec, periods, shown_from)
    n_processes = n_processes or n_threads()
    steps: list[TrialStep] = []

    def seen(step: TrialStep) -> None:
        steps.append(step)
        watch(step)

    with backtest_home(keep) as home:
        published = take_in(span, home / "lake", connect, n_processes, seen)
        bench = Bench(
            spec,
            home,
            f"sqlite:///{home / 'ledger.db'}" if keep else "sqlite://",
            frozenset(dataset.name for dataset in span.calendar.datasets),
            published,
        )
        fits = fit_all(bench, _days(compared, span, periods), n_processes, seen)
        played = play_all(bench, compared, span, fits, n_processes, seen)
        for one in played:
            fits.update(one.fits)
        opened = bench.open(seen, fits)
        stores = opened.stores
        realised = Realised(spec, opened.versions, lake=stores.lake, tracking=stores.tracking)
        found = _report(
            spec,
            span,
            periods,
            played,
            realised,
            n_chosen=n_chosen,
            training_cost=training_cost,
        )
    seconds: dict[str, float] = defaultdict(float)
    for step in steps:
        seconds[step.name] += step.seconds
    return replace(
        found,
        n_fits=len(fits),
        steps={name: round(one, 2) for name, one in seconds.items()},
        seconds=round(time.perf_counter() - started, 3),
    )


def _days(compared: Sequence[Policy], span: Span, periods: Sequence[Period]) -> list[str]:
    """Return the days as of which there will be a training, whatever monitoring says."""
    found = {span.calendar.cutoff, *(period.trained for period in periods)}
    if any(policy.name in ("nightly", "every") for policy in compared):
        found.update(span.calendar.as_of(key) for key in span.rounds)
    return sorted(found)


def _periods(spec: ModelSpec, span: Span) -> list[Period]:
    """Cut the rounds into periods: weeks of days; a week or a month is one of its own.

    Rows whose labels do not come within the range are left out. What is left at the end, and
    rounds that only wait for labels, belong to the period before.
    """
    calendar, length = span.calendar, _ROUNDS.get(span.calendar.grain.name, 1)
    labelled = {key for one in span.rounds for key in calendar.labelled_after(one)}
    found: list[Period] = []
    for begin in range(0, len(span.rounds), length):
        rounds = span.rounds[begin : begin + length]
        scored = sorted({key for one in rounds for key in calendar.scored_after(one)} & labelled)
        partitions = tuple(key for key in scored if span.first <= key <= span.last)
        trained = calendar.as_of(calendar.grain.shift(rounds[0], -1))
        decided = tuple(calendar.as_of(one) for one in rounds)
        if found and (not partitions or len(partitions) * 2 < len(found[0].partitions)):
            last = found.pop()
            found.append(
                replace(
                    last,
                    rounds=last.rounds + rounds,
                    partitions=last.partitions + partitions,
                    decided=last.decided + decided,
                )
            )
        else:
            found.append(Period(len(found), rounds, partitions, trained, decided))
    if len(found) < _FEWEST_PERIODS or not found[0].partitions:
        raise PartitionKeyError(
            f"model {spec.name!r}: {span.first} to {span.last} is too short to compare policies: "
            f"{len(span.rounds)} {calendar.grain.name}s can be played, at least "
            f"{_FEWEST_PERIODS * length} are needed; begin earlier or end later"
        )
    return found


def _n_chosen(spec: ModelSpec, periods: Sequence[Period], shown_from: str | None) -> int:
    """Return how many periods come before those that are shown."""
    if shown_from is None:
        return len(periods) // 2
    spec.rows.check_partition(shown_from)
    found = sum(period.partitions[-1] < shown_from for period in periods)
    if not 0 < found < len(periods):
        raise PartitionKeyError(
            f"model {spec.name!r}: periods from {shown_from} on cannot be shown, as those before "
            f"choose; name a partition after {periods[0].partitions[-1]} and up to "
            f"{periods[-1].partitions[0]}"
        )
    return found


def _report(
    spec: ModelSpec,
    span: Span,
    periods: Sequence[Period],
    played: Sequence[Played],
    realised: Realised,
    *,
    n_chosen: int,
    training_cost: float | None,
) -> BacktestReport:
    scale = Scale.of(realised, periods, training_cost=training_cost, n_chosen=n_chosen)
    oracle = summarize_oracle(scale, periods)
    found = tuple(summarize(one, realised, periods, scale, oracle) for one in played)
    fresh = known(realised.of_version(one, one.trained) for one in periods)
    return BacktestReport(
        model=spec.name,
        metric=realised.metric.name,
        metric_title=realised.metric.title,
        greater_is_better=realised.metric.greater_is_better,
        first=span.first,
        last=span.last,
        played_from=span.rounds[0],
        grain=span.calendar.grain.name,
        periods=tuple(
            PeriodShown(one.rounds[0], one.rounds[-1], realised.n_rows(one), best)
            for one, best in zip(periods, fresh, strict=True)
        ),
        n_chosen=n_chosen,
        tolerance=scale.tolerance,
        training_cost=scale.training_cost,
        policies=found,
        oracle=oracle,
        choice=min(found, key=lambda one: (one.chosen.cost, one.chosen.n_trainings)).name,
        n_fits=0,
        n_decisions=sum(len(one.decisions) for one in played),
    )
