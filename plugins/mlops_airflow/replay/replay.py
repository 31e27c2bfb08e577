"""Play a model's past through Airflow: its runs in the order in which its schedules bring them.

Nothing is kept in a file of its own. What has been done is read from Airflow's runs, whose ids are
ours, so that a run is never started twice; so a replay may be ended at any moment and goes on where
it was.
"""

from __future__ import annotations

import time
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from mlops_airflow.pausing import start_order
from mlops_airflow.replay.exceptions import NoFirstChampionError, ReplayError
from mlops_airflow.replay.failures import failures
from mlops_airflow.replay.outcomes import Round, Training
from mlops_airflow.replay.readiness import projects_of, wait_for_dags
from mlops_airflow.replay.settling import wait_until_quiet
from mlops_tasks.specs.calendar import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_airflow.replay.progress import View
    from mlops_airflow.replay.settling import Watcher
    from mlops_airflow.rest import AirflowApi, DagRun, PendingPartition
    from mlops_tasks.specs.calendar import Calendar

__all__ = ["Replay"]

_NOTE = "Started by a replay, in the order of the schedules."


def _nothing(_: str) -> None:
    """Move no clock: the source has all its rows."""


def _always(_: int) -> bool:
    """Go on until the last round."""
    return True


class Replay:
    """A model's past, played through Airflow.

    A round is what one decision closes: the rows of a partition, or of a day where rows come by the
    hour.

    Parameters
    ----------
    api : AirflowApi
        The Airflow that works.
    calendar : Calendar
        The model, and what of its datasets comes due when.
    last : str
        The last round.
    view : View
        Shows the progress.
    advance : callable, optional
        Called with a day before its runs start: moves the clock of a source that grows.

    Attributes
    ----------
    done : list of Round
        What was played, as it happens.
    """

    def __init__(
        self,
        api: AirflowApi,
        calendar: Calendar,
        last: str,
        view: View,
        *,
        advance: Callable[[str], None] = _nothing,
    ) -> None:
        self.api, self.calendar, self.last, self.view = api, calendar, last, view
        self.spec, self.model, self.advance = calendar.spec, calendar.spec.name, advance
        self.dag_ids = frozenset(calendar.dag_ids)
        self.done: list[Round] = []
        self.score, self.monitor, self.decide, self.train, self.release = (
            f"{self.model}.{verb}" for verb in ("score", "monitor", "decide", "train", "release")
        )
        self._late = {f"{one.name}.refresh": one for one in calendar.datasets}

    @property
    def rounds(self) -> list[str]:
        """All rounds, played or not."""
        return self.calendar.grain.range(self.calendar.first, self.last)

    def played(self) -> list[str]:
        """List the rounds that were played to their end.

        Returns
        -------
        list of str
            In order: those that are decided on, and all whose rows are scored.
        """
        decided = self._succeeded(self.decide)
        scored = self._succeeded(self.score)
        return [
            key
            for key in self.rounds
            if Step(self.decide, self.calendar.as_of(key)) in decided
            and all(Step(self.score, rows) in scored for rows in self.calendar.scored_after(key))
        ]

    def prepare(self) -> Training | None:
        """Take in what is known before the first round, and train a first champion.

        Returns
        -------
        Training or None
            The first training; None if it took place before.

        Raises
        ------
        ReplayError
            If a Dag is missing, a run failed or no first champion came out.
        """
        wait_for_dags(self.api, self.dag_ids, projects_of(self.spec), self.view.say)
        self._repeat_failed_runs()
        self.advance(self.calendar.cutoff)
        for steps in self.calendar.history():
            # What is taken in today has late rows already.
            self._take_in([step for step in steps if step.dag_id not in self._late])
        first = None if self._has_champion() else self._train_first_champion()
        self.api.unpause(start_order(self.spec))
        return first

    def run(self, more: Callable[[int], bool] = _always, expected: int | None = None) -> None:
        """Play what is not played yet; `done` has what happened.

        Parameters
        ----------
        more : callable, optional
            Asked before each round with the number of those played: whether to go on.
        expected : int, optional
            How many rounds will probably be played, for the progress bar; all by default.
        """
        played, name = set(self.played()), self.calendar.grain.name
        todo = [key for key in self.rounds if key not in played]
        if played:
            after = f"going on with {todo[0]}" if todo else "nothing is left"
            self.view.say(f"{len(played)} {name}s are played already: {after}")
        total = expected or len(todo)
        with self.view.stage(f"The {name}s", total) as stage:
            for number, key in enumerate(todo):
                if not more(number):
                    break
                stage.rename(f"{name} {key}")
                self.done.append(self.play(key, stage.watch))
                stage.set_progress(number + 1, max(number + 1, total))
                self.view.say(f"{name} {self.done[-1]}")

    def play(self, key: str, watch: Watcher) -> Round:
        """Let one round happen: data arrive, assets start what follows, the decision is taken.

        Parameters
        ----------
        key : str
            The round; the one before it has been played.
        watch : callable
            Called with what Airflow is busy with.

        Returns
        -------
        Round
            What happened.

        Raises
        ------
        RunFailedError
            If a run failed.
        ReplayError
            If a run that had to follow did not.
        """
        began, as_of = time.monotonic(), self.calendar.as_of(key)
        decide = Step(self.decide, as_of)
        self.advance(as_of)
        news = self.calendar.news(key)
        # The events of what was taken in before are gone: they may have found Dags paused.
        late = [step for step in news if not self._start(step)]
        self._settle(watch)
        for steps in self._followers(key, late):
            self._expect(steps, watch, lost=bool(late))
        lost = not self._start(decide)
        self._settle(watch)
        decision = self.api.result(self._run_of(decide), "decide")
        if decision is None:
            raise ReplayError(f"{self.decide} of {as_of} returned nothing; look at its run")
        training = self._training(as_of, watch, lost=lost) if decision["retrain"] else None
        return Round(
            key=key,
            as_of=as_of,
            retrain=decision["retrain"],
            cause=decision["cause"],
            reason=decision["reason"],
            training=training,
            seconds=round(time.monotonic() - began, 1),
        )

    def _training(self, as_of: str, watch: Watcher, *, lost: bool) -> Training:
        """Return the training that a decision has asked for."""
        asked = Step(self.train, as_of)
        self._expect([asked], watch, lost=lost)
        return Training.of(self.api, self._run_of(asked))

    def _followers(self, key: str, late: list[Step]) -> Iterable[list[Step]]:
        """Yield what follows the news of a round, in its order."""
        yield self.calendar.computed(key)
        yield [Step(self.score, rows) for rows in self.calendar.scored_after(key)]
        if late:
            scored = (Step(self.score, rows) for rows in self.calendar.labelled_after(key))
            yield [Step(self.monitor, one.partition_key) for one in scored if self._is_done(one)]

    def _settle(self, watch: Watcher) -> None:
        wait_until_quiet(
            self.api, watch, dag_ids=self.dag_ids, concerns=self._concerns, say=self.view.say
        )

    def _concerns(self, run: DagRun | PendingPartition) -> bool:
        """Return whether a run is part of this replay: Airflow may run newer ones beside."""
        first, last = self._keys
        key = run.partition_key
        if key is None or run.dag_id == self.release:  # the key of a release is a version
            return key is not None
        return first <= key <= self._last_taken_in.get(run.dag_id, last)

    @cached_property
    def _last_taken_in(self) -> dict[str, str]:
        """By Dag, the last partition that the replay takes in: its schedule may be further."""
        found: dict[str, str] = {}
        news = (self.calendar.news(key) for key in self.rounds)
        for step in chain.from_iterable([*self.calendar.history(), *news]):
            found[step.dag_id] = max(found.get(step.dag_id, ""), step.partition_key)
        return found

    @cached_property
    def _keys(self) -> tuple[str, str]:
        """The first and the last key of any run."""
        known = (step.partition_key for steps in self.calendar.history() for step in steps)
        # An hour is written longer than its day, and sorts behind it.
        return min(known, default=""), max(self.last, self.calendar.as_of(self.last)) + "T~"

    @cached_property
    def _before(self) -> set[Step]:
        """What was done before this session."""
        return self._succeeded(*self.dag_ids)

    def _start(self, step: Step) -> bool:
        """Start a run unless it was done before this session; return whether it was started."""
        if step in self._before:
            return False
        self._trigger(step)
        return True

    def _trigger(self, step: Step) -> None:
        key, late = step.partition_key, self._late.get(step.dag_id)
        # The run is of today, but what it adds became known when its schedule would have come.
        conf = {"known_at": late.due(key, refreshed=True)} if late else None
        self.api.trigger(step.dag_id, key, run_id=f"replay__{key}", note=_NOTE, conf=conf)

    def _expect(self, steps: list[Step], watch: Watcher, *, lost: bool) -> None:
        """See that runs have followed; start them if their events may have been lost."""
        missing = [step for step in steps if not self._is_done(step)]
        if missing and not lost:
            names = ", ".join(f"{step.dag_id} for {step.partition_key}" for step in missing[:3])
            raise ReplayError(
                f"{names} did not run, although its inputs were published. Was it paused? Look at "
                f"{self.api.base_url}/dags/{missing[0].dag_id}, and run the same command again"
            )
        for step in missing:
            self._trigger(step)
        if missing:
            self._settle(watch)

    def _is_done(self, step: Step) -> bool:
        return any(
            run.state == "success" for run in self.api.runs_of(step.dag_id, step.partition_key)
        )

    def _run_of(self, step: Step) -> DagRun:
        runs = self.api.runs_of(step.dag_id, step.partition_key)
        return next(run for run in reversed(runs) if run.state == "success")

    def _succeeded(self, *dag_ids: str) -> set[Step]:
        runs = self.api.runs(*dag_ids, states=("success",))
        return {Step(run.dag_id, run.partition_key or "") for run in runs}

    def _repeat_failed_runs(self) -> None:
        """Give what failed in an earlier session another chance: its cause may be repaired."""
        for run in failures(self.api, self.dag_ids):
            if self._concerns(run):
                self.view.say(f"again: {run.dag_id} {run.partition_key}, which had failed")
                self.api.clear(run)

    def _take_in(self, steps: list[Step]) -> None:
        dag_ids = sorted({step.dag_id for step in steps})
        done = self._succeeded(*dag_ids) if dag_ids else set()
        missing = [step for step in steps if step not in done]
        self.api.unpause(dag_ids)
        if not missing:
            return
        names = ", ".join(dag_id.removesuffix(".ingest") for dag_id in dag_ids)
        title = f"History up to {self.calendar.cutoff}: {len(missing)} partitions of {names}"
        with self.view.stage(title, len(missing)) as stage:
            for step in missing:
                self._trigger(step)
            self._settle(stage.watch_backfill)

    def _has_champion(self) -> bool:
        runs = self.api.runs(self.train, states=("success",))
        return any(Training.of(self.api, run).promoted for run in reversed(runs))

    def _train_first_champion(self) -> Training:
        step = Step(self.train, self.calendar.cutoff)
        self.api.unpause([self.release, self.train])
        with self.view.stage(f"The first champion, trained as of {step.partition_key}") as stage:
            if not self._is_done(step):
                self._trigger(step)
            self._settle(stage.watch)
        run = self._run_of(step)
        training = Training.of(self.api, run)
        if not training.champion:
            raise NoFirstChampionError(
                f"no first champion came out of {self.train} as of {step.partition_key}: "
                f"{training.reason}\n  {self.api.task_url(run, 'evaluate')}\n"
                "  Give it more to train on by a later --from, or change the features or the gate"
            )
        self.view.say(f"first champion: {training}, as of {step.partition_key}")
        return training
