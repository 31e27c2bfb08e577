"""Tasks a second, hourly and daily, on partitions of the same number of rows each.

Each partition is ingested from an SQLite file, validated, scored and judged as its schedule would
do it, by the steps alone, in one process. One grain after the other, a block of partitions of each
in turn, so that what else the machine does meets both.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from benchmarks._shared.console import say
from benchmarks._shared.figures import figure
from benchmarks._shared.parts import Measured
from mlops_tasks.lake import Lake
from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.sources import Database
from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks._shared.figures import Figure
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["measure"]

N, QUICK_N = 1_000, 60
BLOCK = 20  # partitions of one grain before the other has its turn
ENDS = 100  # the first and the last of this number are compared
ROWS = 200
TASKS = 7  # ingest and validate of two datasets, score, drift, monitor
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
FIRST = {"hour": datetime(2024, 1, 1, tzinfo=UTC), "day": datetime(2022, 1, 1, tzinfo=UTC)}
TRAINED = 36  # partitions of training and evaluation; they are not in the clock
WINDOWS = {"hour": ("1d", "12h"), "day": ("24d", "12d")}
SLOWER = 1.3
QUERIES = {
    "readings": "SELECT * FROM readings WHERE read_at >= :start AND read_at < :end",
    "failures": "SELECT * FROM failures WHERE read_at >= :start AND read_at < :end",
}


def measure(*, quick: bool) -> Measured:
    """Take the partitions of both grains through all steps."""
    home = Path(tempfile.mkdtemp(prefix="mlops-benchmark-"))
    n = QUICK_N if quick else N
    try:
        lanes = [Lane.prepared(home / grain, grain, n) for grain in PERIODS]
        for begin in range(0, n, BLOCK):
            for lane in lanes:
                lane.run(begin, min(begin + BLOCK, n))
            say(f"grains: {min(begin + BLOCK, n)} of {n} partitions")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    notes = [
        f"{n} partitions of {ROWS} rows of each grain, blocks of {BLOCK} in turn: {TASKS} tasks "
        "each, two datasets ingested and validated, then scored and judged by drift, performance "
        "and labels, with windows of seven days, as specs have them: 168 hours, or 7 days.",
        "By the steps in one process, without Airflow: what a task takes there is in the section "
        "orchestration, and is of no grain.",
        "Processor time of all threads decides: what else the machine does stretches it least.",
    ]
    return Measured(_figures(lanes, n), {"Milliseconds of each step": _table(lanes, n)}, notes)


@dataclass
class Lane:
    """One grain on its way through the partitions."""

    spec: ModelSpec
    keys: Sequence[str]
    lake: Lake
    tracking: Tracking
    ledger: Ledger
    source: Database
    champion: RegisteredVersion
    token: int = 1
    #: By step, of each partition.
    seconds: dict[str, list[float]] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)

    @classmethod
    def prepared(cls, home: Path, grain: str, n: int) -> Lane:
        """Write the source, and make a champion of its first partitions."""
        home.mkdir()
        spec, lake = _project(home, grain), Lake(home / "lake")
        keys = _write_source(home / "plant.db", grain, TRAINED + n)
        tracking = Tracking(f"sqlite:///{home}/mlflow.db")
        ledger = Ledger(f"sqlite:///{home}/ledger.db")
        tracking.client.create_experiment(spec.name, artifact_location=str(home / "artifacts"))
        source = Database(sa.make_url(f"sqlite:///{home}/plant.db"))
        for key in keys[:TRAINED]:
            for dataset in spec.datasets:
                _take(dataset, key, source, lake, 1)
        as_of = spec.rows.schedule.known_on(keys[TRAINED - 1])
        pin = pin_training_data(spec, as_of, lake=lake)
        trained = train(spec, pin, lake=lake, tracking=tracking)
        verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
        version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
        if not promote(version, verdict, as_of=as_of, tracking=tracking, ledger=ledger):
            raise RuntimeError(f"{grain}: no champion: {verdict.reason}")
        champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
        return cls(spec, keys[TRAINED:], lake, tracking, ledger, source, champion)

    def run(self, begin: int, end: int) -> None:
        """Take some partitions through all steps."""
        for key in self.keys[begin:end]:
            started = time.perf_counter()
            self._partition(key)
            self.wall.append(time.perf_counter() - started)

    def _partition(self, key: str) -> None:
        spec, champion = self.spec, self.champion
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        for dataset in spec.datasets:
            self._timed(
                f"ingest and validate {dataset.name}",
                partial(_take, dataset, key, self.source, self.lake, self.token),
            )
        self._timed("score", lambda: score(spec, key, champion, **stores, token=self.token))
        self._timed("drift", lambda: measure_drift(spec, key, champion, **stores))
        rows = self._timed(
            "label predictions", lambda: read_labelled_predictions(spec, key, lake=self.lake)
        )
        found = self._timed("performance", lambda: measure_performance(rows, champion))
        self._timed("labels", lambda: measure_labels(rows, found, champion, **stores))

    def _timed(self, step: str, call: Callable[[], Any]) -> Any:
        started = time.process_time()
        answer = call()
        self.seconds.setdefault(step, []).append(time.process_time() - started)
        return answer

    def of_each(self) -> list[float]:
        """Return the seconds of each partition."""
        return [sum(steps) for steps in zip(*self.seconds.values(), strict=True)]


def _take(dataset: DatasetSpec, key: str, source: Database, lake: Lake, token: int) -> None:
    known_at = dataset.schedule.known_on(key, dataset.delay_steps)
    raw = ingest(dataset, key, source=source, lake=lake, token=token, known_at=known_at)
    validate(dataset, raw.raw, lake=lake, token=token, known_at=known_at)


def _figures(lanes: Sequence[Lane], n: int) -> list[Figure]:
    hour, day = (lane.of_each() for lane in lanes)
    ends = min(ENDS, n // 3)
    wall = [TASKS * n / sum(lane.wall) for lane in lanes]
    busy = [TASKS * n / sum(each) for each in (hour, day)]
    found = [
        figure("hourly tasks by the clock", wall[0], "a second",
               peer="daily", peer_measured=wall[1]),
        figure("hourly tasks, processor", busy[0], "a second",
               peer="daily", peer_measured=busy[1]),
        figure("an hourly task", busy[1] / busy[0], "times a daily one", below=SLOWER),
    ]  # fmt: skip
    for name, each in (("hourly", hour), ("daily", day)):
        ratio = statistics.median(each[-ends:]) / statistics.median(each[:ends])
        what = f"{name}: the last {ends} of {n} partitions, median"
        found.append(figure(what, ratio, f"times the first {ends}", below=SLOWER))
    return found


def _table(lanes: Sequence[Lane], n: int) -> list[Sequence[str]]:
    ends = min(ENDS, n // 3)
    head = ["step"]
    for lane in lanes:
        head += [f"{lane.spec.rows.grain}, first {ends}", f"{lane.spec.rows.grain}, last {ends}"]
    rows: list[Sequence[str]] = [head]
    for step in lanes[0].seconds:
        cells = [step]
        for lane in lanes:
            each = lane.seconds[step]
            cells += [
                f"{1000 * statistics.median(part):.1f}" for part in (each[:ends], each[-ends:])
            ]
        rows.append(cells)
    return rows


def _project(home: Path, grain: str) -> ModelSpec:
    features = home / "features.sql"
    features.write_text("SELECT reading_id, read_at, machine, n0, heat FROM readings")
    types = {"machine": "string", "n0": "float64", "heat": "float64"}
    train_window, evaluation = WINDOWS[grain]
    return ModelSpec(
        name=f"machines_by_{grain}",
        description="Will a machine fail?",
        inputs=(InputSpec(dataset=_dataset(home, grain, "readings", types)),),
        label=LabelSpec(
            dataset=_dataset(home, grain, "failures", {"failed": "bool"}), target="failed"
        ),
        features_sql=features,
        as_of="read_at",
        categorical=("machine",),
        numeric=("n0", "heat"),
        estimator="benchmarks._authoring.steady:classifier",
        train=train_window,  # type: ignore[arg-type]
        evaluation=evaluation,  # type: ignore[arg-type]
    )


def _dataset(home: Path, grain: str, name: str, columns: dict[str, str]) -> DatasetSpec:
    columns = {"reading_id": "int64", "read_at": "timestamp", **columns}
    suite = home / f"{name}.json"
    suite.write_text(json.dumps({"name": name, "expectations": []}))
    return DatasetSpec(
        name=name,
        description=f"The {name} of a plant.",
        source=SqlSource(conn_id="plant", query=QUERIES[name]),
        columns=columns,
        key=("reading_id",),
        expectations=suite,
        grain=grain,
        start=FIRST[grain].date(),
    )


def _write_source(path: Path, grain: str, n: int) -> list[str]:
    """Write rows evenly spread over n partitions; return the keys of these."""
    random, every = np.random.default_rng(5), PERIODS[grain] / ROWS
    moments = [FIRST[grain] + number * every for number in range(n * ROWS)]
    texts = [moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in moments]
    numbers, heats = random.normal(size=(2, len(texts))).round(4).tolist()
    machines = random.choice(["drill", "lathe", "press"], len(texts)).tolist()
    failed = (np.array(numbers) + random.normal(0, 1, len(texts)) > 0).astype(int).tolist()
    ids = range(len(texts))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE readings (reading_id, read_at, machine, n0, heat)")
        connection.execute("CREATE TABLE failures (reading_id, read_at, failed)")
        rows = zip(ids, texts, machines, numbers, heats, strict=True)
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", rows)
        connection.executemany(
            "INSERT INTO failures VALUES (?, ?, ?)", zip(ids, texts, failed, strict=True)
        )
        for table in ("readings", "failures"):
            connection.execute(f"CREATE INDEX {table}_read_at ON {table} (read_at)")
    keys = "%Y-%m-%dT%H" if grain == "hour" else "%Y-%m-%d"
    return [moment.strftime(keys) for moment in moments[::ROWS]]
