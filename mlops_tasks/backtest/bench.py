"""Fits and policies side by side: each process has the same data, and its own predictions."""

from __future__ import annotations

import os
from concurrent.futures import as_completed
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlops_tasks.backtest.dags import PolicyDags
from mlops_tasks.backtest.processes import pool_of
from mlops_tasks.backtest.runs import RunFolder
from mlops_tasks.backtest.stores import SettledLake
from mlops_tasks.backtest.versions import Versions
from mlops_tasks.exceptions import NoChampionError
from mlops_tasks.profiles.remembered import RememberedProfiles
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.trial.dags import TrialDags
from mlops_tasks.trial.journal import Journal
from mlops_tasks.trial.loop import play_round
from mlops_tasks.trial.stores import TrialStores
from mlops_tasks.tuning import Studies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from mlops_tasks.backtest.dags import Night
    from mlops_tasks.backtest.policies import Policy
    from mlops_tasks.backtest.versions import Fit
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.trial.report import Decision, Training, TrialStep
    from mlops_tasks.trial.span import Span

    Watch = Callable[[TrialStep], None]

__all__ = ["Bench", "Opened", "Played", "RememberedCalendar", "fit_all", "play_all"]


@dataclass(frozen=True, slots=True)
class Bench:
    """All that a process needs to train and to play: addresses, and what is published.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    home : Path
        Folder of lake, runs and studies.
    ledger : str
        Address of the ledger; each process has its own one in memory.
    settled : frozenset of str
        Tables of the lake that change no more.
    published : mapping of str to set of str
        By dataset, the partitions that were taken in.
    worker : str
        What tells the tables of predictions of processes apart.
    """

    spec: ModelSpec
    home: Path
    ledger: str
    settled: frozenset[str]
    published: Mapping[str, set[str]]
    worker: str = ""

    def open(self, watch: Watch, fits: Mapping[str, Fit] | None = None) -> Opened:
        """Open the stores in this process."""
        stores = TrialStores(
            SettledLake(self.home / "lake", settled=self.settled),
            Ledger(self.ledger),
            RunFolder(str(self.home / "runs")),
            Studies(f"sqlite:///{self.home / 'studies.db'}"),
        )
        journal = Journal(watch)
        trainer = TrialDags(self.spec, self.published, stores, journal)
        trainer.repeated = RememberedProfiles()
        versions = Versions(trainer, self.worker)
        versions.fits.update(fits or {})
        return Opened(self, stores, journal, versions)


class RememberedCalendar(Calendar):
    """A calendar that each policy asks the same of again."""

    def __init__(self, spec: ModelSpec, first: str, begin: str | None = None) -> None:
        super().__init__(spec, first, begin)
        self._scored: dict[str, list[str]] = {}
        self._labelled: dict[str, list[str]] = {}

    def scored_after(self, key: str) -> list[str]:
        """Return the partitions that are scored in a round."""
        if key not in self._scored:
            self._scored[key] = super().scored_after(key)
        return self._scored[key]

    def labelled_after(self, key: str) -> list[str]:
        """Return the partitions whose labels come with a round."""
        if key not in self._labelled:
            self._labelled[key] = super().labelled_after(key)
        return self._labelled[key]


@dataclass(frozen=True, slots=True)
class Opened:
    """A bench in one process."""

    bench: Bench
    stores: TrialStores
    journal: Journal
    versions: Versions
    calendars: dict[str, Calendar] = field(default_factory=dict)

    def play(self, policy: Policy, span: Span) -> Played:
        """Let a policy live through the past."""
        begun = len(self.journal.steps)
        dags = PolicyDags(policy, self.versions, self.bench.published, self.stores, self.journal)
        dags.train(span.calendar.cutoff, "first training")
        first = dags.trainings[0]
        if first.verdict != "promote":
            raise NoChampionError(
                f"model {self.bench.spec.name!r}: the gate promotes no first model as of "
                f"{first.as_of}, so there is nothing to compare: {first.reason}. Begin later, or "
                "see `mlops try`"
            )
        if span.first not in self.calendars:
            known = RememberedCalendar(self.bench.spec, span.calendar.first, span.calendar.begin)
            self.calendars[span.first] = known
        for key in span.rounds:
            play_round(dags, self.calendars[span.first], key)
        return Played(
            policy,
            dags.served,
            tuple(dags.nights),
            tuple(dags.trainings),
            tuple(dags.decisions),
            {one.as_of: self.versions.fits[one.as_of] for one in dags.trainings},
            tuple(self.journal.steps[begun:]),
        )


@dataclass(frozen=True, slots=True)
class Played:
    """What a policy did with its past.

    Attributes
    ----------
    policy : Policy
        The policy.
    served : dict of str to str
        By partition, the version that scored it.
    nights : tuple of Night
        What monitoring said at each decision.
    trainings, decisions : tuple
        In order.
    fits : dict of str to Fit
        Its trainings, by the day as of which they are.
    steps : tuple of TrialStep
        What was done for it and not for another policy before.
    """

    policy: Policy
    served: dict[str, str]
    nights: tuple[Night, ...]
    trainings: tuple[Training, ...]
    decisions: tuple[Decision, ...]
    fits: dict[str, Fit]
    steps: tuple[TrialStep, ...] = field(default=(), repr=False)


def fit_all(bench: Bench, days: Sequence[str], n_processes: int, watch: Watch) -> dict[str, Fit]:
    """Train as of some days, which no policy can change, side by side.

    Parameters
    ----------
    bench : Bench
        Where.
    days : sequence of str
        The days.
    n_processes : int
        How many at once; 1 trains in this process.
    watch : callable
        Called with each step as it is known.

    Returns
    -------
    dict of str to Fit
        By day.
    """
    if n_processes == 1 or len(days) < n_processes:
        versions = bench.open(watch).versions
        return {day: versions.fit(day) for day in days}
    found: dict[str, Fit] = {}
    with pool_of(n_processes, _begin, bench) as pool:
        for future in as_completed([pool.submit(_fit, day) for day in days]):
            day, fit, steps = future.result()
            found[day] = fit
            for step in steps:
                watch(step)
    return {day: found[day] for day in days}


def play_all(
    bench: Bench,
    policies: Sequence[Policy],
    span: Span,
    fits: Mapping[str, Fit],
    n_processes: int,
    watch: Watch,
) -> list[Played]:
    """Play policies, side by side; those in one process share what they have in common.

    Parameters
    ----------
    bench, n_processes, watch
        As for `fit_all`.
    policies : sequence of Policy
        What is played.
    span : Span
        What comes due when.
    fits : mapping of str to Fit
        Trainings that were made already.

    Returns
    -------
    list of Played
        In the order of the policies.
    """
    if n_processes == 1 or len(policies) == 1:
        opened = bench.open(watch, fits)
        return [opened.play(policy, span) for policy in policies]
    with pool_of(n_processes, _begin, bench) as pool:
        # Who trains most takes longest.
        order = sorted(policies, key=lambda one: one.retrain.max_age.days)
        futures = {one.name: pool.submit(_play, one, span, dict(fits)) for one in order}
        for future in as_completed(futures.values()):
            for step in future.result().steps:
                watch(step)
    return [futures[one.name].result() for one in policies]


_HERE: list[Opened] = []  # of a worker process: opened once


def _begin(bench: Bench) -> None:
    own = replace(bench, worker=f"_{os.getpid()}")
    _HERE.append(own.open(lambda step: None))


def _fit(day: str) -> tuple[str, Fit, Iterable[TrialStep]]:
    (opened,) = _HERE
    begun = len(opened.journal.steps)
    fit = opened.versions.fit(day)
    return day, fit, opened.journal.steps[begun:]


def _play(policy: Policy, span: Span, fits: Mapping[str, Fit]) -> Played:
    (opened,) = _HERE
    opened.versions.fits.update({day: fits[day] for day in fits.keys() - opened.versions.fits})
    return opened.play(policy, span)
