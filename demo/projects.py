"""The example projects with a generated source: where each begins, and what is known by when.

Their databases hold all rows from the start, later ones too. No future leaks: an ingestion asks for
the rows of its partition alone, its run comes when the calendar below says that the schedule would
have taken it, and first rows count as known then (ADR 16).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from demo.plan import Step
from mlops_tasks.partitions import window_start

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec, ModelSpec

# What looks back, and a snapshot of the partition before, must be there at the window's beginning.
LOOKBACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Project:
    """One example: its world, the connection that leads there, and the partitions to play.

    Attributes
    ----------
    model : str
        The model, also its folder below ``dags/``.
    world : str
        Module of `demo.worlds`.
    conn_id : str
        Connection id of its datasets.
    first : str
        First partition that is played; all that is known before it is history.
    n_partitions : int
        How many are played at most.
    """

    model: str
    world: str
    conn_id: str
    first: str
    n_partitions: int

    def database(self, home: Path) -> Path:
        """Return the file of its source."""
        return home / f"{self.world}.db"

    def write_world(self, home: Path) -> bool:
        """Write its source unless it is there; killed anywhere, the next call writes it anew.

        Returns
        -------
        bool
            Whether it was written now.
        """
        database = self.database(home)
        if database.exists():
            return False
        part = database.with_suffix(".part")
        part.unlink(missing_ok=True)
        importlib.import_module(f"demo.worlds.{self.world}").write(part)
        os.replace(part, database)
        return True

    def connection(self, home: Path) -> dict[str, str]:
        """Return the variable that gives Airflow the connection to its source."""
        where = {"conn_type": "sqlite", "host": str(self.database(home))}
        return {f"AIRFLOW_CONN_{self.conn_id.upper()}": json.dumps(where)}

    def spec(self, dags_folder: Path) -> ModelSpec:
        """Import the spec from the Dag folder."""
        if str(dags_folder) not in sys.path:
            sys.path.insert(0, str(dags_folder))
        found: ModelSpec = importlib.import_module(f"{self.model}.spec").MODEL
        return found


PROJECTS = {
    project.model: project
    for project in (
        Project("demand", "demand", "demand_source", "2024-06-10", 20),
        Project("support_tickets", "tickets", "tickets_source", "2024-06-01", 28),
        Project("machine_failures", "machines", "machines_source", "2024-05-02", 40),
    )
}


class Calendar:
    """What of a model's datasets is known by when, from its spec alone.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first : str
        First partition that is played.
    """

    def __init__(self, spec: ModelSpec, first: str) -> None:
        self.spec, self.first = spec, first
        self.datasets = _with_inputs(spec)
        self.cutoff = self.as_of(spec.calendar.shift(first, -1))

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """Every Dag of the model and its datasets."""
        verbs = ("score", "monitor", "decide", "train")
        takes = (dag_id for dataset in self.datasets for dag_id in ingestions(dataset))
        return (*takes, *(f"{self.spec.name}.{verb}" for verb in verbs))

    def as_of(self, partition: str) -> str:
        """Return the day as of which the decision after a partition is taken."""
        return self.spec.schedule.known_on(partition)

    def history(self) -> tuple[list[Step], list[Step]]:
        """Return what the first training needs: runs of sources, and of what derives from them."""
        steps: tuple[list[Step], list[Step]] = ([], [])
        for dataset in self.datasets:
            steps[bool(dataset.source.reads)].extend(self._known(dataset, self.cutoff))
        return steps

    def news(self, partition: str) -> list[Step]:
        """Return the runs of sources that have come due since the partition before."""
        now = self.as_of(partition)
        before = self.as_of(self.spec.calendar.shift(partition, -1))
        return [
            step
            for dataset in self.datasets
            if not dataset.source.reads
            for step in self._known(dataset, now, after=before)
        ]

    def scored_after(self, partition: str) -> list[str]:
        """Return the partitions of the rows that come due with a partition."""
        now = self.as_of(partition)
        before = self.as_of(self.spec.calendar.shift(partition, -1))
        return [step.partition_key for step in self._known(self.spec.rows, now, after=before)]

    def _known(self, dataset: DatasetSpec, as_of: str, *, after: str = "") -> list[Step]:
        steps = []
        for refreshed, dag_id in enumerate(ingestions(dataset)):
            key = self._begin(dataset)
            while (due := dataset.due(key, refreshed=bool(refreshed))) <= as_of:
                if due > after:
                    steps.append(Step(dag_id, key))
                key = dataset.calendar.shift(key, 1)
        return steps

    def _begin(self, dataset: DatasetSpec) -> str:
        """Return the first partition of a dataset that the first training can look at."""
        label, spec = self.spec.label.dataset, self.spec
        newest = label.first
        while label.due(following := label.calendar.shift(newest, 1)) <= self.cutoff:
            newest = following
        evaluated = window_start(label.calendar, newest, spec.evaluation)
        trained = window_start(label.calendar, label.calendar.shift(evaluated, -1), spec.train)
        begin = label.partition(trained).start - LOOKBACK
        return max(dataset.first, dataset.calendar.key_of(begin, dataset.timezone or "UTC"))


def ingestions(dataset: DatasetSpec) -> tuple[str, ...]:
    """Return the Dags that take a dataset's partitions, that for late rows last."""
    late = () if dataset.refresh_steps is None else (f"{dataset.name}.refresh",)
    return (f"{dataset.name}.ingest", *late)


def _with_inputs(spec: ModelSpec) -> list[DatasetSpec]:
    """Return a model's datasets, before a derived one what it is computed from."""
    found: dict[str, DatasetSpec] = {}
    waiting = list(spec.datasets)
    while waiting:
        dataset = waiting.pop(0)
        missing = [one.dataset for one in dataset.source.reads if one.dataset.name not in found]
        if missing:
            waiting = [*missing, dataset, *waiting]
        else:
            found[dataset.name] = dataset
    return list(found.values())
