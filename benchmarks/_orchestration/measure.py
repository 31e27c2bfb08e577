"""Take the measurements: rounds of both stacks in turn, then own work, nights and memory."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks._orchestration.data import TRAIN_NIGHT
from benchmarks._orchestration.login import time_with_and_without
from benchmarks._orchestration.memory import MemorySampler
from benchmarks._orchestration.nights import replay_nights
from benchmarks._orchestration.runs import run_dag
from benchmarks._orchestration.stacks import OURS, STOCK, run_program, running, without_bytecode
from benchmarks._shared.figures import Samples
from benchmarks._shared.machine import load_average
from demo.plan import SCORE, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks._orchestration.runs import RunTimes
    from benchmarks._orchestration.stacks import Variant
    from mlops_airflow.rest.http import AirflowHttp
    from mlops_airflow.stack.stack import Stack

__all__ = ["DAG_IDS", "SEQUENCE", "Bench", "Measured", "Plan"]

SEQUENCE = "benchmark.sequence"
DAG_IDS = (TRAIN, SCORE, SEQUENCE)
#: Seconds between two runs in which both stacks can finish what a run left to do.
SETTLE_S = 3.0
#: Trainings through each MLflow server for every round: the login is a small part of one.
TRAININGS_A_ROUND = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and where.

    Parameters
    ----------
    folder : Path
        For the homes of the stacks.
    airflow_port, mlflow_port : int
        Where they listen, one after the other.
    rounds : int
        Starts of each stack, each with one timed run per Dag.
    nights : int
        Nights replayed at the end; 0 for none.
    no_bytecode : bool
        Whether stock Airflow is also measured once without ``.pyc`` files.
    """

    folder: Path
    airflow_port: int
    mlflow_port: int
    rounds: int = 3
    nights: int = 6
    no_bytecode: bool = False


@dataclass
class Measured:
    """What was measured; the first key is a variant's name."""

    runs: dict[str, dict[str, list[RunTimes]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    peak_gb: dict[str, float] = field(default_factory=dict)
    peak_processes: dict[str, int] = field(default_factory=dict)
    own_work_s: dict[str, dict[str, float]] = field(default_factory=dict)
    login_s: dict[str, list[float]] = field(default_factory=dict)
    night_s: list[float] = field(default_factory=list)
    load: dict[str, float] = field(default_factory=dict)

    def wall_s(self, variant: Variant, dag_id: str) -> Samples:
        """Return the wall times of a Dag's runs."""
        return Samples.of([run.wall_s for run in self.runs[variant.name][dag_id]])


class Bench:
    """One measurement, from prepared data to the last figure.

    Parameters
    ----------
    plan : Plan
        How much to measure.
    say : callable
        Called with what is going on, one short line at a time.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan, self.say = plan, say
        self.measured = Measured()

    def take(self) -> Measured:
        """Measure everything.

        Returns
        -------
        Measured
            The raw times.
        """
        self.measured.load["before"] = load_average()
        self.say("Preparing the slice: 17 days of January")
        run_program("data", str(self.plan.folder / "slice"))
        for number in range(self.plan.rounds):
            # Neither stack is always the one that finds the files in memory.
            order = (STOCK, OURS) if number % 2 == 0 else (OURS, STOCK)
            for variant in order:
                self._round(variant, number)
        if self.plan.no_bytecode:
            self._round(without_bytecode(self.plan.folder / "no-bytecode"), 0)
        self.measured.load["after"] = load_average()
        return self.measured

    def _round(self, variant: Variant, number: int) -> None:
        home = self.plan.folder / variant.name.replace(" ", "-").replace(",", "")
        if not home.exists():
            shutil.copytree(self.plan.folder / "slice", home)
        settings = variant.settings(home, self.plan.airflow_port, self.plan.mlflow_port)
        self.say(f"Round {number + 1} of {self.plan.rounds}: {variant.name}")
        with running(settings, DAG_IDS, lambda _: None) as (stack, http):
            self._warm_up(variant, stack, http)
            for dag_id in DAG_IDS:
                time.sleep(SETTLE_S)
                run = run_dag(http, dag_id, _key(dag_id))
                self.measured.runs[variant.name][dag_id].append(run)
                self.say(f"  {dag_id}: {run.wall_s:.2f} s")
            if variant is OURS and number == self.plan.rounds - 1:
                self._measure_ours(stack)

    def _warm_up(self, variant: Variant, stack: Stack, http: AirflowHttp) -> None:
        """Run each Dag once, and see meanwhile how much memory the stack takes."""
        with MemorySampler(stack.settings) as memory:
            for dag_id in DAG_IDS:
                run = run_dag(http, dag_id, _key(dag_id))
                self.say(f"  {dag_id}: {run.wall_s:.2f} s (warm-up, not counted)")
        self._note_peak(variant, memory)

    def _measure_ours(self, stack: Stack) -> None:
        self.say("  The steps themselves, in one warm process")
        arguments = (str(stack.settings.home), stack.mlflow_url, str(max(3, self.plan.rounds)))
        self.measured.own_work_s = json.loads(
            run_program("own_work", *arguments, env=stack.environment())
        )
        self.say("  Trainings through MLflow with and without a login")
        n_trainings = TRAININGS_A_ROUND * self.plan.rounds
        self.measured.login_s = time_with_and_without(
            stack, self.plan.folder / "open-mlflow", n_trainings
        )
        if self.plan.nights:
            self.say(f"  Replaying {self.plan.nights} nights after one to warm up")
            with MemorySampler(stack.settings) as memory:
                self.measured.night_s = replay_nights(stack, self.plan.nights)
            self._note_peak(OURS, memory)

    def _note_peak(self, variant: Variant, memory: MemorySampler) -> None:
        if memory.peak_gb > self.measured.peak_gb.get(variant.name, 0.0):
            self.measured.peak_gb[variant.name] = memory.peak_gb
            self.measured.peak_processes[variant.name] = memory.peak_processes


def _key(dag_id: str) -> str | None:
    return None if dag_id == SEQUENCE else TRAIN_NIGHT.isoformat()
