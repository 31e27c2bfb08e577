"""Each step but fit and predict, of 50 classes and of a number, beside two classes.

The rows are the same, and so are the features: only the target differs. The estimators answer at
once and are timed inside, so that what is left is the step's own.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._authoring.steady import own_seconds
from benchmarks._authoring.visits import CLASSES, N_DAYS, PROBLEMS, fill, key_of, project
from benchmarks._shared.console import say
from benchmarks._shared.figures import Samples, figure
from benchmarks._shared.parts import Measured
from mlops_tasks.features import labelled_rows
from mlops_tasks.lake import Lake
from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks._shared.figures import Figure
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import ModelSpec

__all__ = ["measure"]

ROWS, QUICK_ROWS = 20_000, 1_000
PASSES, QUICK_PASSES = 5, 3
TRAINED = 12  # days of training and evaluation
MOST = 1.3
NAMES = {"multiclass": f"{CLASSES} classes", "regression": "a number"}


def measure(*, quick: bool) -> Measured:
    """Go through all steps of the three problem types in turn, again and again."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    n_rows, passes = (QUICK_ROWS, QUICK_PASSES) if quick else (ROWS, PASSES)
    try:
        lanes = _prepare(home, n_rows)
        for number in range(passes + 1):
            say(f"problem types: {f'pass {number} of {passes}' if number else 'warming up'}")
            for lane in lanes:
                lane.run(kept=number > 0)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    notes = [
        f"{N_DAYS} days of {n_rows:,} rows, 3 categorical and 10 numeric features; {passes} passes "
        "in one process after one to warm up, the problem types in turn; medians.",
        "Processor time of all threads, without that inside of the estimator's fit and predict: "
        "what else the machine does stretches it least.",
        "A ratio is that of two medians.",
        f"A scored row of {CLASSES} classes has {CLASSES + 2} columns of predictions, each of "
        "which is made, checked, compressed and written; one of two classes has one.",
    ]
    return Measured(_figures(lanes), {"Processor seconds of each step": _table(lanes)}, notes)


@dataclass
class Lane:
    """One problem type on its way through the steps."""

    spec: ModelSpec
    lake: Lake
    tracking: Tracking
    ledger: Ledger
    champion: RegisteredVersion | None = None
    token: int = 100
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def run(self, *, kept: bool) -> None:
        """Take every step once; the first time a champion is made first."""
        found: dict[str, float] = {}

        def timed(step: str, call: Callable[[], Any]) -> Any:
            started, own = time.process_time(), own_seconds()
            answer = call()
            found[step] = time.process_time() - started - (own_seconds() - own)
            return answer

        spec, lake, tracking = self.spec, self.lake, self.tracking
        stores: dict[str, Any] = {"lake": lake, "tracking": tracking}
        as_of, last = key_of(TRAINED), key_of(N_DAYS - 1)
        pin = timed("pin", lambda: pin_training_data(spec, as_of, lake=lake))
        timed("read and join", lambda: labelled_rows(spec, pin, pin.train, lake=lake))
        trained = timed("train", lambda: train(spec, pin, **stores))
        verdict = timed("evaluate", lambda: evaluate(spec, pin, trained, self.champion, **stores))
        champion = self.champion or self._make_champion(trained, verdict, as_of)
        self.token += 1
        timed("score", lambda: score(spec, last, champion, **stores, token=self.token))
        timed("drift", lambda: measure_drift(spec, last, champion, **stores))
        rows = timed("label predictions", lambda: read_labelled_predictions(spec, last, lake=lake))
        performance = timed("performance", lambda: measure_performance(rows, champion))
        timed("labels", lambda: measure_labels(rows, performance, champion, **stores))
        if kept:
            for step, seconds in found.items():
                self.seconds.setdefault(step, []).append(seconds)

    def _make_champion(self, trained: Any, verdict: Any, as_of: str) -> RegisteredVersion:
        """Promote the first version, and score the days before the last one."""
        spec = self.spec
        stores: dict[str, Any] = {"tracking": self.tracking, "ledger": self.ledger}
        version = register(spec.name, trained, verdict, **stores)
        if not promote(version, verdict, as_of=as_of, **stores):
            raise RuntimeError(f"{spec.name} got no champion: {verdict.reason}")
        self.champion = champion_of(spec.name, **stores)
        for number in range(TRAINED, N_DAYS - 1):
            score(
                spec,
                key_of(number),
                self.champion,
                lake=self.lake,
                tracking=self.tracking,
                token=number,
            )
        return self.champion


def _prepare(home: Path, n_rows: int) -> list[Lane]:
    specs = [project(home / "project", problem_type) for problem_type in PROBLEMS]
    lake = Lake(home / "lake")
    fill(lake, specs[0], n_rows)
    tracking, ledger = (
        Tracking(f"sqlite:///{home}/mlflow.db"),
        Ledger(f"sqlite:///{home}/ledger.db"),
    )
    for spec in specs:
        tracking.client.create_experiment(spec.name, artifact_location=str(home / "artifacts"))
    return [Lane(spec, lake, tracking, ledger) for spec in specs]


def _figures(lanes: list[Lane]) -> list[Figure]:
    binary, *others = lanes
    return [_ratio(step, lane, binary) for lane in others for step in lane.seconds]


def _ratio(step: str, lane: Lane, binary: Lane) -> Figure:
    ours, theirs = lane.seconds[step], binary.seconds[step]
    name = f"{step}, {NAMES[lane.spec.problem_type]}"
    ratio = Samples.of(ours).median / Samples.of(theirs).median
    return figure(name, ratio, "times binary", below=MOST)


def _table(lanes: list[Lane]) -> list[Sequence[str]]:
    head = ["step", *(lane.spec.problem_type for lane in lanes)]
    return [head, *([step, *(_seconds(lane, step) for lane in lanes)] for step in lanes[0].seconds)]


def _seconds(lane: Lane, step: str) -> str:
    one = Samples.of(lane.seconds[step])
    return f"{one.median:.4f} ({one.low:.4f} to {one.high:.4f})"
