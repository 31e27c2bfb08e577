"""Time the steps themselves: the pure functions, in one warm process, without Airflow.

A program of its own (``python -m benchmarks._orchestration.own_work HOME MLFLOW_URL PASSES``), run
in the environment of the stack beside its idle servers. It prints seconds by Dag and step as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
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

__all__ = ["own_work"]

Seconds = dict[str, dict[str, list[float]]]


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
    lake, tracking = Lake(home / "lake"), Tracking(mlflow_url)
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    _one_pass(lake, ledger, tracking, _new())
    seconds = _new()
    for _ in range(n_passes):
        _one_pass(lake, ledger, tracking, seconds)
    return {
        dag_id: {step: statistics.median(values) for step, values in steps.items()}
        for dag_id, steps in seconds.items()
    }


def _one_pass(lake: Lake, ledger: Ledger, tracking: Tracking, seconds: Seconds) -> None:
    from flight_delays.spec import MODEL

    night = TRAIN_NIGHT.isoformat()
    training, scoring = seconds[f"{MODEL.name}.train"], seconds[f"{MODEL.name}.score"]
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


def _new() -> Seconds:
    return defaultdict(lambda: defaultdict(list))


@contextmanager
def _timed(seconds: dict[str, list[float]], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step].append(time.perf_counter() - started)


if __name__ == "__main__":
    print(json.dumps(own_work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
