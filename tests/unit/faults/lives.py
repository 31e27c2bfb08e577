"""A model that lives night by night on a source that faults are injected into."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from mlops_tasks.policy import read_evidence
from mlops_tasks.policy.incidents.alarms import WatchedEvidence, incidents_of
from mlops_tasks.sources import Connection, Database
from mlops_tasks.specs import (
    DriftSpec,
    InputSpec,
    LabelSpec,
    PerformanceSpec,
    RetrainSpec,
)
from mlops_tasks.steps.decide import decide
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.validate import validate
from mlops_tasks.trial.dags import TrialDags
from mlops_tasks.trial.ingestion import TrialIngestion
from mlops_tasks.trial.journal import Journal
from tests.unit.machines import failures, project, readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_tasks.policy.incidents import Alarm, Cause
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.specs.calendar import Calendar
    from mlops_tasks.steps.decide import RetrainDecision
    from mlops_tasks.trial.stores import TrialStores

FIRST = date(2024, 1, 1)
#: Trained on 28 days and judged on 14 of 240 readings each.
N_ROWS, N_HISTORY = 240, 44
#: The first night.
BEGIN = N_HISTORY
#: Days that wait for a training in the policy that users get who ask for none.
COOLDOWN = RetrainSpec().cooldown.days
_HEAT = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "heat", "min_value": -50, "max_value": 250},
}


def day(number: int) -> str:
    """Return a day by its number."""
    return str(FIRST + timedelta(days=number))


def failing_machines(folder: Path, **changes: Any) -> ModelSpec:
    """Return the model, with the policy that users get who ask for none."""
    rows = readings(folder, timezone="UTC", grain="day")
    defaults: dict[str, Any] = {
        "inputs": (InputSpec(dataset=rows),),
        "label": LabelSpec(dataset=failures(folder, timezone="UTC", grain="day"), target="failed"),
        "train": "28d",
        "evaluation": "14d",
        "drift": DriftSpec(),
        "performance": PerformanceSpec(),
        "retrain": RetrainSpec(),
    }
    spec = project(folder, "day", **defaults | changes)
    suite = {"name": "readings", "expectations": [_HEAT]}
    (folder / "readings.json").write_text(json.dumps(suite))
    return spec


@dataclass(frozen=True)
class Day:
    """What a day of the plant is like.

    ``odds`` of a failure are those of the past times this; ``noise`` says that failures have
    nothing to do with the readings; ``warmer`` is added to each heat, ``older`` to each age;
    ``presses`` is the share of machines that are presses; ``broken`` has the sensor give 9,999.
    """

    odds: float = 1.0
    noise: bool = False
    warmer: float = 0.0
    older: float = 0.0
    presses: float = 1 / 3
    broken: bool = False


QUIET = Day()


class Plant:
    """The source: one file of readings and of what became of them."""

    def __init__(self, path: Path, *, made: bool = False) -> None:
        self.path = path
        if made:
            return
        with self._open() as connection:
            connection.execute("CREATE TABLE readings (reading_id, read_at, machine, heat, age)")
            connection.execute("CREATE TABLE failures (reading_id, read_at, failed)")

    def write(self, number: int, like: Day = QUIET) -> None:
        """Write a day, in place of what it was."""
        random = np.random.default_rng([7, number])
        heat, age = random.normal(60, 10, N_ROWS), random.gamma(2.0, 3.0, N_ROWS)
        heat, age = heat + like.warmer, age + like.older
        logits = 0.1 * (heat - 60) + 0.2 * (age - 6) + np.log(like.odds)
        if like.noise:
            logits = random.permutation(logits)
        failed = random.random(N_ROWS) < 1 / (1 + np.exp(-logits))
        rest = (1 - like.presses) / 2
        machine = random.choice(["drill", "lathe", "press"], N_ROWS, p=[rest, rest, like.presses])
        if like.broken:
            heat = np.full(N_ROWS, 9999.0)
        keys = [number * N_ROWS + n for n in range(N_ROWS)]
        minutes = 1440 // N_ROWS
        moments = [
            f"{day(number)}T{n * minutes // 60:02}:{n * minutes % 60:02}:00Z" for n in range(N_ROWS)
        ]
        rows = zip(
            *(keys, moments, machine.tolist(), heat.round(3).tolist(), age.round(3).tolist()),
            strict=True,
        )
        labels = zip(keys, moments, failed.astype(int).tolist(), strict=True)
        with self._open() as connection:
            self._clear(connection, "readings", number)
            self._clear(connection, "failures", number)
            connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO failures VALUES (?, ?, ?)", labels)

    def drop(self, table: str, number: int) -> None:
        """Take the rows of a day away."""
        with self._open() as connection:
            self._clear(connection, table, number)

    def turn_labels(self, number: int) -> None:
        """Correct a day: each failure was none, and the other way round."""
        with self._open() as connection:
            begin, end = number * N_ROWS, (number + 1) * N_ROWS
            connection.execute(
                "UPDATE failures SET failed = 1 - failed WHERE reading_id >= ? AND reading_id < ?",
                (begin, end),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection

    def _clear(self, connection: sqlite3.Connection, table: str, number: int) -> None:
        query = f"DELETE FROM {table} WHERE reading_id BETWEEN ? AND ?"
        connection.execute(query, (number * N_ROWS, (number + 1) * N_ROWS - 1))


@dataclass
class Life:
    """The nights of a model.

    ``decided`` has the decision of each night, ``alarms`` what its clock has found wrong.
    """

    spec: ModelSpec
    plant: Plant
    stores: TrialStores
    calendar: Calendar
    published: dict[str, set[str]] = field(default_factory=dict)
    decided: dict[str, RetrainDecision] = field(default_factory=dict)
    alarms: dict[str, tuple[Alarm, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        journal = Journal(lambda step: None)
        source = Connection("plant", "sqlite", host=str(self.plant.path))
        self.ingestion = TrialIngestion(
            lambda _: source, self.stores.lake, self.stores.ledger, journal
        )
        self.ingestion.published.update(self.published)
        self.dags = TrialDags(self.spec, self.ingestion.published, self.stores, journal)
        self.steps = journal.steps

    def take_history(self) -> None:
        """Take in what the first training needs."""
        for steps in self.calendar.history():
            self.ingestion.take_all(self.spec.datasets, steps)

    def train_first(self) -> None:
        """Train the first champion."""
        self.dags.train(self.calendar.cutoff, "first training")
        assert self.dags.trainings[0].verdict == "promote", self.dags.trainings[0].reason

    def night(
        self,
        key: str,
        *,
        score: Callable[[str], None] | None = None,
        monitor: Callable[[str], None] | None = None,
    ) -> RetrainDecision:
        """Let the data of a day come, with what may go wrong in place of a step."""
        dags, calendar = self.dags, self.calendar
        self.ingestion.take_all(self.spec.datasets, calendar.news(key))
        for partition in calendar.scored_after(key):
            if partition in self.ingestion.published[self.spec.rows.name]:
                (score or dags.score)(partition)
        for partition in calendar.labelled_after(key):
            (monitor or dags.monitor)(partition)
        return self.decide(key)

    def decide(self, key: str) -> RetrainDecision:
        """Decide, look for what is wrong, and train if that is what was decided."""
        as_of = self.calendar.as_of(key)
        evidence = read_evidence(self.spec, as_of, ledger=self.stores.ledger, lake=self.stores.lake)
        found = decide(self.spec, as_of, evidence)
        self.dags.decide(as_of)
        seen = found.evidence
        self.alarms[key] = incidents_of(
            self.spec,
            WatchedEvidence(
                as_of=as_of,
                decided=found.text,
                absences=seen.absences,
                performance=seen.performance,
                drift=seen.drift,
                untold_since=seen.untold_since,
                untold_lasts=seen.untold_lasts,
            ),
        )
        self.decided[key] = found
        if found.retrain:
            self.dags.train(as_of, found.cause)
        return found

    def correct(self, number: int, *, on: int) -> None:
        """Take the labels of a day in again: what is new about them is known on another day."""
        dataset, lake, ledger = self.spec.label.dataset, self.stores.lake, self.stores.ledger
        source = Database(sa.make_url(f"sqlite:///{self.plant.path}"))
        about: dict[str, Any] = {"lake": lake, "known_at": self.calendar.as_of(day(on))}
        taken = ingest(dataset, day(number), source=source, token=ledger.next_token(), **about)
        validate(dataset, taken.raw, token=ledger.next_token(), **about)

    def nights(self, numbers: range, like: Day = QUIET, **instead: Any) -> list[RetrainDecision]:
        """Let days of one kind pass."""
        for number in numbers:
            self.plant.write(number, like)
        return [self.night(day(number), **instead) for number in numbers]

    def wrong(self, number: int) -> list[Cause]:
        """Return what the clock of a night has found wrong."""
        return [alarm.cause for alarm in self.alarms[day(number)]]

    @property
    def causes(self) -> list[str]:
        """Of all trainings but the first."""
        return [one.cause for one in self.dags.trainings[1:]]
