"""Lives that have begun alike: what lies before the first training is taken in once."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.trial.stores import TrialStores, trial_stores
from tests.unit.faults.lives import N_HISTORY, Life, Plant, day, failing_machines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Where these are also played, which takes minutes.
LONG = "MLOPS_FAULTS"
collect_ignore = [] if LONG in os.environ else ["test_faults_of_weeks.py"]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """Return a folder with source, lake and ledger before the first training."""
    folder = tmp_path_factory.mktemp("history")
    plant = Plant(folder / "plant.db")
    for number in range(N_HISTORY):
        plant.write(number)
    spec = failing_machines(folder / "project")
    with trial_stores(spec.name) as stores:
        kept = TrialStores(
            Lake(folder / "lake"),
            Ledger(f"sqlite:///{folder}/ledger.db"),
            stores.tracking,
            stores.studies,
        )
        life = Life(spec, plant, kept, Calendar(spec, day(N_HISTORY), day(0)))
        life.take_history()
    return folder, dict(life.ingestion.published)


@pytest.fixture
def live(
    history: tuple[Path, dict[str, set[str]]], tmp_path: Path
) -> Iterator[Callable[..., Life]]:
    """Return what begins a life: a first champion, the night before the first one."""
    home, published = history
    folder = tmp_path / "life"
    shutil.copytree(home, folder)
    with trial_stores("failing_machines") as stores:

        def begin(**changes: Any) -> Life:
            spec = failing_machines(folder / "project", **changes)
            own = TrialStores(
                Lake(folder / "lake"),
                Ledger(f"sqlite:///{folder}/ledger.db"),
                stores.tracking,
                stores.studies,
            )
            calendar = Calendar(spec, day(N_HISTORY), day(0))
            plant = Plant(folder / "plant.db", made=True)
            copied = {name: set(keys) for name, keys in published.items()}
            life = Life(spec, plant, own, calendar, copied)
            life.train_first()
            return life

        yield begin
