"""The loop of a model over a few partitions, by the steps alone, and what it gave."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.connections import defined_connection
from mlops_tasks.exceptions import MlopsError
from mlops_tasks.lake import Lake
from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.partitions import DAY
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.sources import SOURCES
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.monitor import measure_drift, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from mlops_tasks.steps.validate import validate

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.sources import Source
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["Tried", "signatures", "tried"]

_SCORED = 4  # partitions: the least with which monitoring can tell


@dataclass(slots=True)
class Tried:
    """What the loop gave.

    Attributes
    ----------
    failure : str
        The first error, after the step that met it; empty if there was none.
    raw : bool
        Whether it was an error of a library that nobody had explained.
    rows : dict of str to int
        Published rows, by dataset.
    verdict : str
        Of the gate.
    coverage : float
        Share of the last labelled predictions that have a label.
    unknown : list of str
        What monitoring could not tell.
    figures : dict
        Everything else: sizes and values.
    """

    failure: str = ""
    raw: bool = False
    rows: dict[str, int] = field(default_factory=dict)
    verdict: str = ""
    coverage: float = 0.0
    unknown: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def failed(self, step: str, error: Exception) -> None:
        """Remember the first error."""
        if not self.failure:
            self.raw = not isinstance(error, MlopsError)
            self.failure = f"{step}: {type(error).__name__}: {error}"


def tried(
    spec: ModelSpec, home: Path, stock: Path | None, known: dict[str, str], span: tuple[str, str]
) -> Tried:
    """Take all partitions, train a first champion, score the rest and monitor.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    home : Path
        Folder of this run; with an MLflow store in ``mlflow.db``.
    stock : Path or None
        A lake with datasets that were taken before, for those that have not changed.
    known : dict of str to str
        What these datasets were, from `signatures`.
    span : tuple of str
        First and last day.
    """
    found = Tried()
    lake = Lake(home / "lake")
    if stock is not None:
        made = shutil.ignore_patterns(f"{spec.name}__*", "_*reports*")
        shutil.copytree(stock, lake.root, ignore=made)  # its logs are appended to
    now = signatures(spec)
    for dataset in _in_order(spec):
        if known.get(dataset.name) != now[dataset.name]:
            _forget(dataset, lake)
            _take(dataset, lake, span, found)
            if found.failure:
                return found
        table = lake.table(dataset.name)
        commits = table.commits() if table.exists else []
        found.rows[dataset.name] = sum(commit.n_rows for commit in commits)
    try:
        _loop(spec, home, lake, span, found)
    except Exception as error:
        found.failed("loop", error)
    return found


def _forget(dataset: DatasetSpec, lake: Lake) -> None:
    """Delete the tables of a dataset, and what the lake has recorded of them."""
    for folder in (lake.root, lake.root / "_commits"):
        for old in folder.glob(f"{dataset.name}*"):
            if old.name.split("__")[0] == dataset.name:
                shutil.rmtree(old)


def signatures(spec: ModelSpec) -> dict[str, str]:
    """Return what each dataset is: its spec, its suite, and what it is computed from."""
    made: dict[str, str] = {}
    for dataset in _in_order(spec):
        suite = dataset.expectations.read_text() if dataset.expectations else ""
        parts = [dataset.digest, suite]
        parts += [made[item.dataset.name] for item in dataset.source.reads]
        made[dataset.name] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return made


def _in_order(spec: ModelSpec) -> list[DatasetSpec]:
    found: dict[str, DatasetSpec] = {}

    def add(dataset: DatasetSpec) -> None:
        for item in dataset.source.reads:
            add(item.dataset)
        found.setdefault(dataset.name, dataset)

    for dataset in spec.datasets:
        add(dataset)
    return list(found.values())


def _take(dataset: DatasetSpec, lake: Lake, span: tuple[str, str], found: Tried) -> None:
    grain = dataset.calendar
    first, last = (grain.key_at(DAY.begins(day)) for day in span)
    first, last = max(first, dataset.first), min(last, dataset.last or last)
    for token, key in enumerate(grain.range(first, last), start=1):
        try:
            source = _source(dataset, lake)
            raw = ingest(dataset, key, source=source, lake=lake, token=token).raw
            validate(dataset, raw, lake=lake, token=token)
        except Exception as error:
            found.failed(f"take {dataset.name} {key}", error)
            return


def _source(dataset: DatasetSpec, lake: Lake) -> Source:
    if dataset.source.reads:
        return PublishedDatasets(lake)
    connection = defined_connection(dataset.source.conn_id)
    return SOURCES[dataset.source.kind].from_connection(connection)


def _loop(spec: ModelSpec, home: Path, lake: Lake, span: tuple[str, str], found: Tried) -> None:
    stores: dict[str, Any] = {
        "tracking": Tracking(f"sqlite:///{home}/mlflow.db"),
        "ledger": Ledger(f"sqlite:///{home}/ledger.db"),
    }
    tracking = stores["tracking"]
    tracking.client.create_experiment(spec.name, artifact_location=str(home / "artifacts"))
    keys = lake.table(spec.rows.name).partitions()
    n_scored = max(1, min(_SCORED, len(keys) // 3))
    as_of = _as_of(spec, keys, n_scored)
    pin = pin_training_data(spec, as_of, lake=lake)
    trained = train(spec, pin, lake=lake, tracking=tracking)
    verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
    found.verdict = verdict.verdict
    found.figures |= {"n_rows": trained.n_rows, "challenger": verdict.challenger}
    version = register(spec.name, trained, verdict, **stores)
    promote(version, verdict, as_of=as_of, **stores)
    champion = champion_of(spec.name, **stores)
    for token, key in enumerate(keys[-n_scored:], start=1):
        score(spec, key, champion, lake=lake, tracking=tracking, token=token)
    drift = measure_drift(spec, keys[-1], champion, lake=lake, tracking=tracking)
    _note(found, "drift", drift)
    rows = read_labelled_predictions(spec, _labelled(spec, lake, keys, n_scored), lake=lake)
    performance = measure_performance(rows, champion)
    found.coverage = round(performance.coverage or 0.0, 4)
    _note(found, "performance", performance)


def _note(found: Tried, what: str, result: MonitorResult) -> None:
    found.unknown += [f"{what} {one.name}" for one in result.checks if one.value is None]
    found.figures[what] = {one.name: one.value for one in result.checks}


def _as_of(spec: ModelSpec, keys: list[str], n_scored: int) -> str:
    """Return the day as of which the last partition before those to score has its labels."""
    label = spec.label.dataset
    return max(label.due(keys[-n_scored - 1]), spec.rows.due(keys[-n_scored - 1]))


def _labelled(spec: ModelSpec, lake: Lake, keys: list[str], n_scored: int) -> str:
    there = set(lake.table(spec.label.dataset.name).partitions())
    return max((key for key in keys[-n_scored:] if key in there), default=keys[-1])
