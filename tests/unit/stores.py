"""Stores that are filled once and copied for each test, which may then change everything in them.

Unlike the copies of the shared world these have their artifacts to themselves.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow.tracking._tracking_service import utils

from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from pathlib import Path

#: Where MLflow's database says in which folder something is.
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True)
class Stores:
    """A lake, a ledger and an MLflow store in one folder."""

    home: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.home / "lake")

    @property
    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.home}/ledger.db")

    @property
    def tracking(self) -> Tracking:
        return Tracking(f"sqlite:///{self.home}/mlflow.db", login=None)


def new_stores(home: Path, mlflow_template: Path, *experiments: str) -> Stores:
    """Make empty stores, with the experiments of these models."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(mlflow_template, home / "mlflow.db")
    stores = Stores(home)
    for name in experiments:
        location = str(home / "artifacts" / name)
        stores.tracking.client.create_experiment(name, artifact_location=location)
    return stores


def copy_stores(stores: Stores, home: Path) -> Stores:
    """Copy all of some stores; nothing in the copy leads back."""
    shutil.copytree(stores.home, home, dirs_exist_ok=True)
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        for table, column in _PLACES:
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(change, (str(stores.home), str(home)))
    # MLflow remembers of each run where its artifacts are, whatever store is asked.
    utils._artifact_repos_cache.clear()
    return Stores(home)
