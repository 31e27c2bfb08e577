"""Time the steps themselves: the pure functions, in one warm process, without Airflow.

A program of its own (``python -m benchmarks._orchestration.own_work HOME MLFLOW_URL PASSES``), run
in the environment of the stack beside its idle servers. It prints seconds by Dag and step as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._orchestration.data import TRAIN_NIGHT
from mlops_tasks.lake import Lake
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.monitor import measure_drift
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stores", "one_pass", "own_work"]


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the steps read and write.

    Parameters
    ----------
    home : Path
        Home of a stack whose model has a champion.
    tracking : Tracking
        Its MLflow.
    """

    home: Path
    tracking: Tracking

    @property
    def lake(self) -> Lake:
        """Its lake."""
        return Lake(self.home / "lake")

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return Ledger(f"sqlite:///{self.home / 'ledger.db'}")


def own_work(home: Path, mlflow_url: str, n_passes: int) -> dict[str, dict[str, float]]:
    """Run every step of the two timed Dags several times.

    Parameters
    ----------
    home : Path
        Home of a running stack whose model has a champion; its tables and registry are written to.
    mlflow_url : str
        Address of its MLflow server.
    n_passes : int
        Measured passes; one more, not counted, goes before them.

    Returns
    -------
    dict of str to dict
        Median seconds by Dag id and task id.
    """
    stores = Stores(home, Tracking(mlflow_url))
    one_pass(stores)
    passes = [one_pass(stores) for _ in range(n_passes)]
    return {
        dag_id: {step: statistics.median(one[dag_id][step] for one in passes) for step in steps}
        for dag_id, steps in passes[0].items()
    }


def one_pass(stores: Stores) -> dict[str, dict[str, float]]:
    """Run every step of the two timed Dags once.

    Parameters
    ----------
    stores : Stores
        Tables and registry are written to.

    Returns
    -------
    dict of str to dict
        Seconds by Dag id and task id.
    """
    from flight_delays.spec import MODEL

    night, tracking = TRAIN_NIGHT.isoformat(), stores.tracking
    lake, ledger = stores.lake, stores.ledger
    training: dict[str, float] = {}
    scoring: dict[str, float] = {}
    champion = champion_of(MODEL.name, tracking=tracking, ledger=ledger)
    with _timed(training, "pin"):
        pin = pin_training_data(MODEL, night, lake=lake)
    with _timed(training, "train"):
        trained = train(MODEL, pin, lake=lake, tracking=tracking)
    with _timed(training, "evaluate"):
        verdict = evaluate(MODEL, pin, trained, champion, lake=lake, tracking=tracking)
    with _timed(training, "register"):
        version = register(MODEL.name, trained, verdict, tracking=tracking, ledger=ledger)
    with _timed(training, "promote"):
        promote(version, verdict, as_of=night, tracking=tracking, ledger=ledger)
    token = ledger.next_token()
    with _timed(scoring, "score"):
        score(MODEL, night, champion, lake=lake, tracking=tracking, token=token)
    with _timed(scoring, "drift"):
        measure_drift(MODEL, night, champion, lake=lake, tracking=tracking)
    return {f"{MODEL.name}.train": training, f"{MODEL.name}.score": scoring}


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(own_work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
