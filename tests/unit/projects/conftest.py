"""A project of ``dags/``, its generated source, and the loop over some of its partitions."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.sources import Database
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.specs import DerivedSource
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.ingest import ingest
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from mlops_tasks.steps.validate import validate
from tests.quality.discovery import DAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import DatasetSpec, ModelSpec


@dataclass
class Project:
    """A model project over real stores and its generated source."""

    spec: ModelSpec
    database: Path
    lake: Lake
    tracking: Tracking
    ledger: Ledger

    def take_in(self, keys: Iterable[str]) -> None:
        """Ingest and validate partitions of every dataset, as their schedules would."""
        database = Database(make_url(f"sqlite:///{self.database}"))
        for key in keys:
            for dataset in self.sources:
                derived = isinstance(dataset.source, DerivedSource)
                source = PublishedDatasets(self.lake) if derived else database
                token = self.ledger.next_token()
                known = dataset.last_as_of(key)
                raw = ingest(
                    dataset, key, source=source, lake=self.lake, token=token, known_at=known
                ).raw
                done = validate(dataset, raw, lake=self.lake, token=token, known_at=known)
                assert done.n_quarantined == 0

    @property
    def sources(self) -> list[DatasetSpec]:
        """Every dataset, and before a derived one those that it is computed from."""
        found: list[DatasetSpec] = []
        for dataset in self.spec.datasets:
            if isinstance(dataset.source, DerivedSource):
                found += [item.dataset for item in dataset.source.inputs]
            found.append(dataset)
        return found

    def train(self, as_of: str) -> Any:
        """Train as of a day, judge, register and promote; return training and verdict."""
        pin = pin_training_data(self.spec, as_of, lake=self.lake)
        trained = train(self.spec, pin, lake=self.lake, tracking=self.tracking)
        assert not trained.suspects  # they are honest
        now = self.ledger.champion(self.spec.name)
        champion = now and champion_of(self.spec.name, tracking=self.tracking, ledger=self.ledger)
        verdict = evaluate(
            self.spec, pin, trained, champion, lake=self.lake, tracking=self.tracking
        )
        version = register(
            self.spec.name, trained, verdict, tracking=self.tracking, ledger=self.ledger
        )
        promote(version, verdict, as_of=as_of, tracking=self.tracking, ledger=self.ledger)
        return trained, verdict

    def watch(
        self, keys: Iterable[str], *, grows: bool = False
    ) -> tuple[MonitorResult, MonitorResult, MonitorResult]:
        """Score partitions with the champion; return drift, performance and labels of the last.

        The window of the labels is the shortest one, or grows as it does every night.
        """
        champion = champion_of(self.spec.name, tracking=self.tracking, ledger=self.ledger)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        for key in keys:
            token = self.ledger.next_token()
            score(self.spec, key, champion, token=token, **stores)
        drift = measure_drift(self.spec, key, champion, **stores)
        version = (lambda _: champion) if grows else None
        known = read_labelled_predictions(self.spec, key, lake=self.lake, version=version)
        performance = measure_performance(known, champion)
        return drift, performance, measure_labels(known, performance, champion, **stores)


@pytest.fixture
def project(
    tmp_path: Path,
    lake: Lake,
    tracking: Tracking,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str], Project]:
    """Return what makes a project by its folder and its world."""
    monkeypatch.syspath_prepend(DAGS)

    def made(folder: str, world: str) -> Project:
        database = tmp_path / "source.db"
        importlib.import_module(f"demo.worlds.{world}").write(database)
        mine = {path.name for path in DAGS.iterdir()}
        for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
            monkeypatch.delitem(sys.modules, name)
        spec = importlib.import_module(f"{folder}.spec").MODEL
        return Project(spec, database, lake, tracking, ledger)

    return made
