"""Play the airline: move its clock night by night and drive Airflow through the REST API.

Nothing is kept in a file of its own. What has been done is read from the source database's clock,
from Airflow's runs (their ids are ours, so a run is never started twice) and from the ledger; so
the replay may be ended at any moment and goes on where it was.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING

from demo.plan import (
    ALL_DAGS,
    CONSUMERS,
    DECIDE,
    FIRST_NIGHT,
    HISTORY_END,
    MODEL,
    PRODUCERS,
    SCORE,
    TRAIN,
    Backfill,
    history,
    ingestion,
)
from demo.settling import ACTIVE_STATES, failures, wait_until_quiet
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.specs.calendar import Step

if TYPE_CHECKING:
    from collections.abc import Collection

    from demo.airflow_api import AirflowApi
    from demo.settling import Watcher
    from demo.source import SourceDatabase
    from demo.view import View
    from mlops_tasks.registry.ledger import Ledger

BACKFILL_RUNS = 4
PARSE_TIMEOUT_S = 120.0
BACKFILL_ROUNDS = 3
BACKFILL_CLOSE_TIMEOUT_S = 120.0


class ReplayError(RuntimeError):
    """The replay cannot go on."""


class ModelReplay:
    """What playing any model through Airflow takes.

    Parameters
    ----------
    api : AirflowApi
        The Airflow that works.
    ledger : Ledger
        Where decisions and the champion are read from.
    view : View
        Called with what is going on.
    model : str
        The model.
    dag_ids : collection of str
        Its Dags and those of its datasets.
    """

    def __init__(
        self, api: AirflowApi, ledger: Ledger, view: View, model: str, dag_ids: Collection[str]
    ) -> None:
        self.api, self.ledger, self.view = api, ledger, view
        self.model, self.dag_ids = model, frozenset(dag_ids)

    def decided(self) -> list[str]:
        """List the keys that were replayed to a successful decision.

        Returns
        -------
        list of str
            In order.
        """
        runs = self.api.runs(f"{self.model}.decide", states=("success",))
        return sorted({run.partition_key or "" for run in runs})

    def decision(self, as_of: str) -> dict[str, object]:
        """Read what was decided.

        Parameters
        ----------
        as_of : str
            A replayed day.

        Returns
        -------
        dict
            The decision's evidence.

        Raises
        ------
        ReplayError
            If nothing was written down.
        """
        entry = self.ledger.newest(self.model, EvidenceKind.DECISION, key=as_of)
        if entry is not None:
            return entry.evidence
        raise ReplayError(
            f"the ledger has no decision of {as_of}, although {self.model}.decide succeeded; look "
            "at its run"
        )

    def _start(self, step: Step, *, known_at: date | None = None) -> None:
        self.api.trigger(
            step.dag_id,
            step.partition_key,
            run_id=f"replay__{step.partition_key}",
            note="Started by the demo, as its clock says.",
            # The run is of today, what it takes in was known on a night of 2013.
            conf={"known_at": known_at.isoformat()} if known_at else None,
        )

    def _wait_for_dags(self) -> None:
        end = time.monotonic() + PARSE_TIMEOUT_S
        while missing := sorted(self.dag_ids - self.api.dag_ids()):
            if errors := self.api.import_errors():
                raise ReplayError("Airflow cannot read a Dag file:\n" + "\n".join(errors))
            if time.monotonic() > end:
                raise ReplayError(
                    f"Airflow does not know {missing} after {PARSE_TIMEOUT_S:.0f} s; look at the "
                    "log of its dag-processor"
                )
            time.sleep(0.5)

    def _repeat_failed_runs(self) -> None:
        """Give what failed in an earlier session another chance: its cause may be repaired."""
        for run in failures(self.api):
            if run.dag_id in self.dag_ids:
                self.view.say(f"again: {run.dag_id} {run.partition_key}, which had failed")
                self.api.clear(run)

    def _train_first_champion(self, as_of: str, when: str) -> None:
        train = f"{self.model}.train"
        self.api.unpause([train])
        with self.view.stage(f"The first champion, trained {when}") as stage:
            self._start(Step(train, as_of))
            wait_until_quiet(self.api, stage.watch)
        if (champion := self.ledger.champion(self.model)) is not None:
            self.view.say(f"first champion: version {champion.version}, trained {when}")
            return
        verdict = self.ledger.newest(self.model, EvidenceKind.VERDICT)
        reason = verdict.evidence.get("reason") if verdict else "no verdict was written"
        raise ReplayError(f"no first champion came out of {train}: {reason}")

    def _expect_success(self, dag_id: str, key: str, cause: str) -> None:
        runs = self.api.runs(dag_id, states=("success",))
        if not any(run.partition_key == key for run in runs):
            raise ReplayError(
                f"{dag_id} did not run for {key}, although {cause} should have started it. Is it "
                f"paused? Look at {self.api.base_url}/dags/{dag_id}"
            )


class Replay(ModelReplay):
    """The airline's nights, played through Airflow.

    Parameters
    ----------
    api : AirflowApi
        The Airflow that works.
    source : SourceDatabase
        The airline's database, which Airflow's tasks read.
    ledger : Ledger
        Where decisions and the champion are read from.
    view : View
        Called with what is going on.
    """

    def __init__(self, api: AirflowApi, source: SourceDatabase, ledger: Ledger, view: View) -> None:
        super().__init__(api, ledger, view, MODEL, ALL_DAGS)
        self.source = source

    def nights(self) -> list[date]:
        """List the nights that were replayed to their end.

        Returns
        -------
        list of date
            Nights with a successful decision, in order.
        """
        return [date.fromisoformat(key) for key in self.decided()]

    def prepare(self) -> None:
        """Bring Airflow to the evening before the first night: January known, a first champion.

        Raises
        ------
        ReplayError
            If a Dag is missing, or no first champion came out.
        """
        self._wait_for_dags()
        self._repeat_failed_runs()
        self.source.advance(HISTORY_END)
        self.api.unpause(PRODUCERS)
        self._take_in_history()
        if self.ledger.champion(MODEL) is None:
            self._train_first_champion(HISTORY_END.isoformat(), "as of January")
        self.api.unpause([TRAIN, *CONSUMERS])

    def play(self, night: date, watch: Watcher) -> None:
        """Let one night happen: the data arrive, the Dags run, the decision is taken.

        Parameters
        ----------
        night : date
            The night; the one before it has been played.
        watch : callable
            Called with what Airflow is busy with.

        Raises
        ------
        RunFailedError
            If a run failed.
        ReplayError
            If a run that had to follow did not.
        """
        key = night.isoformat()
        self.source.advance(night)
        for step in ingestion(night):
            self._start(step, known_at=night)
        wait_until_quiet(self.api, watch)
        self._expect_success(SCORE, key, "the events of flights.ingest and weather.ingest")
        self._start(Step(DECIDE, key))
        wait_until_quiet(self.api, watch)
        if self.decision(key).get("retrain"):
            self._expect_success(TRAIN, key, "the retrain request of flight_delays.decide")

    def next_night(self) -> date:
        """Give the night to play next.

        Returns
        -------
        date
            The night after the last one that was played to its end.
        """
        played = self.nights()
        return played[-1] + timedelta(days=1) if played else FIRST_NIGHT

    def _take_in_history(self) -> None:
        if not any(self._missing(part) for part in history()):
            return
        total = sum(len(part.keys()) for part in history())
        with self.view.stage("January, its flights, weather and labels", total) as stage:
            for _ in range(BACKFILL_ROUNDS):
                missing = self._start_backfills()
                if not missing:
                    return
                wait_until_quiet(self.api, stage.watch_backfill)
        raise ReplayError(
            f"January is not complete although its backfills ended. Missing: {sorted(missing)[:5]} "
            f"and {max(len(missing) - 5, 0)} more; look at the backfills at {self.api.base_url}"
        )

    def _missing(self, part: Backfill) -> set[str]:
        runs = self.api.runs(part.dag_id, states=("success",))
        return part.keys() - {run.partition_key or "" for run in runs}

    def _start_backfills(self) -> set[str]:
        """Start what is missing, and say what that is."""
        missing = {part: self._missing(part) for part in history()}
        for part, keys in missing.items():
            if keys and not self._is_going_on(part.dag_id):
                first, last = part.first.isoformat(), part.last.isoformat()
                self.api.backfill(
                    part.dag_id,
                    first,
                    last,
                    max_active_runs=BACKFILL_RUNS,
                    conf={"known_at": HISTORY_END.isoformat()},
                )
        return {f"{part.dag_id} {key}" for part, keys in missing.items() for key in keys}

    def _is_going_on(self, dag_id: str) -> bool:
        """Return whether a backfill that an ended session left open still has runs to do.

        Airflow takes no other one until it has marked that one as completed, some seconds after
        its last run.
        """
        end = time.monotonic() + BACKFILL_CLOSE_TIMEOUT_S
        while self.api.backfill_is_open(dag_id) and time.monotonic() < end:
            if self.api.runs(dag_id, states=ACTIVE_STATES):
                return True
            time.sleep(1.0)
        return False
