"""Play an example project partition by partition, until a retraining was caused and judged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from demo.conditions import CAUSES_BY_ALARM
from demo.nights import decision_text
from demo.replay import ModelReplay
from demo.settling import wait_until_quiet
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.specs.calendar import Calendar, Step

if TYPE_CHECKING:
    from demo.airflow_api import AirflowApi
    from demo.projects import Project
    from demo.settling import Watcher
    from demo.view import View
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec


class ProjectReplay(ModelReplay):
    """An example project, played through Airflow.

    Parameters
    ----------
    api : AirflowApi
        The Airflow that works.
    project : Project
        What is played.
    spec : ModelSpec
        Its model.
    ledger : Ledger
        Where decisions, verdicts and the champion are read from.
    view : View
        Called with what is going on.
    """

    def __init__(
        self, api: AirflowApi, project: Project, spec: ModelSpec, ledger: Ledger, view: View
    ) -> None:
        self.calendar = Calendar(spec, project.first)
        self.spec, self.project = spec, project
        super().__init__(api, ledger, view, spec.name, self.calendar.dag_ids)

    def prepare(self) -> None:
        """Take in what is known before the first partition, and train a first champion."""
        self._wait_for_dags()
        self._repeat_failed_runs()
        self._take_in_history()
        if self.ledger.champion(self.model) is None:
            as_of = self.calendar.cutoff
            self._train_first_champion(as_of, f"as of {as_of}")
        self.api.unpause(self.calendar.dag_ids)

    def next_partition(self) -> str | None:
        """Return the partition to play next, or None after the last one."""
        grain = self.spec.calendar
        decided = set(self.decided())
        for number in range(self.project.n_partitions):
            partition = grain.shift(self.project.first, number)
            if self.calendar.as_of(partition) not in decided:
                return partition
        return None

    def play(self, partition: str, watch: Watcher) -> None:
        """Let one partition happen: the data arrive, the Dags run, the decision is taken.

        Parameters
        ----------
        partition : str
            The partition of the rows; the one before it has been played.
        watch : callable
            Called with what Airflow is busy with.

        Raises
        ------
        RunFailedError
            If a run failed.
        ReplayError
            If a run that had to follow did not.
        """
        as_of = self.calendar.as_of(partition)
        for step in self.calendar.news(partition):
            self._start(step)
        wait_until_quiet(self.api, watch)
        for key in self.calendar.scored_after(partition):
            inputs = " and ".join(dataset.name for dataset in self.spec.triggers)
            self._expect_success(f"{self.model}.score", key, f"the events of {inputs}")
        self._start(Step(f"{self.model}.decide", as_of))
        wait_until_quiet(self.api, watch)
        if self.decision(as_of).get("retrain"):
            cause = f"the retrain request of {self.model}.decide"
            self._expect_success(f"{self.model}.train", as_of, cause)

    def has_closed(self) -> bool:
        """Return whether an alarm has caused a training that the gate has judged."""
        judged = {e.key for e in self.ledger.entries(model=self.model, kind=EvidenceKind.VERDICT)}
        return any(
            entry.evidence["retrain"]
            and entry.evidence.get("cause") in CAUSES_BY_ALARM
            and entry.key in judged
            for entry in self.ledger.entries(model=self.model, kind=EvidenceKind.DECISION)
        )

    def run(self, asked: int | None) -> None:
        """Play until the loop has closed or the partitions end.

        Parameters
        ----------
        asked : int or None
            Play exactly this number, or as many as there are.
        """
        played = 0
        with self.view.stage(f"The {self.spec.calendar.name}s", asked) as stage:
            while played < asked if asked is not None else not self.has_closed():
                partition = self.next_partition()
                if partition is None:
                    self.view.say(f"all {self.project.n_partitions} partitions are played")
                    return
                started = time.monotonic()
                stage.rename(f"{self.spec.calendar.name} {partition}")
                self.play(partition, stage.watch)
                played += 1
                text = decision_text(self.decision(self.calendar.as_of(partition)))
                seconds = time.monotonic() - started
                self.view.say(
                    f"{self.spec.calendar.name} {partition}, decided as of "
                    f"{self.calendar.as_of(partition)}: {text} [{seconds:.1f} s]"
                )

    def _take_in_history(self) -> None:
        """Take in the sources, then, once and in full, what derives from them."""
        for steps in filter(None, self.calendar.history()):
            dag_ids = sorted({step.dag_id for step in steps})
            self.api.unpause(dag_ids)
            done = {
                Step(run.dag_id, run.partition_key or "")
                for dag_id in dag_ids
                for run in self.api.runs(dag_id, states=("success",))
            }
            missing = [step for step in steps if step not in done]
            if not missing:
                continue
            names = ", ".join(dag_id.removesuffix(".ingest") for dag_id in dag_ids)
            title = f"History up to {self.calendar.cutoff}: {len(missing)} partitions of {names}"
            with self.view.stage(title, len(missing)) as stage:
                for step in missing:
                    self._start(step)
                wait_until_quiet(self.api, stage.watch_backfill)
