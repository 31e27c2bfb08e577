"""Prepare the small slice of data that all timed runs work on: some days of January.

A program of its own (``python -m benchmarks._orchestration.data HOME``): it imports pandas and what
comes with it, and pages that the measuring process shares with a stack would make that stack's
memory look smaller than it is.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from demo.source import FIRST_DAY, SourceDatabase
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger

if TYPE_CHECKING:
    from mlops_tasks.specs import DatasetSpec

__all__ = ["TRAIN_NIGHT", "prepare_home"]

#: The night all timed runs are as of: 17 days of flights, 15 of them with their labels.
TRAIN_NIGHT = date(2013, 1, 17)


def prepare_home(home: Path) -> None:
    """Fill source database, lake and ledger of a home with the days known on `TRAIN_NIGHT`.

    Parameters
    ----------
    home : Path
        A new folder, later the ``MLOPS_HOME`` of a stack.
    """
    from flight_delays.spec import MODEL

    home.mkdir(parents=True)
    source = SourceDatabase(home / "source.db")
    source.advance(TRAIN_NIGHT)
    lake, ledger = Lake(home / "lake"), Ledger(f"sqlite:///{home / 'ledger.db'}")
    for dataset in MODEL.datasets:
        _take_in(dataset, source, lake, ledger)
    source.engine.dispose()


def _take_in(dataset: DatasetSpec, source: SourceDatabase, lake: Lake, ledger: Ledger) -> None:
    from mlops_tasks.sources import Database
    from mlops_tasks.steps.ingest import ingest
    from mlops_tasks.steps.validate import validate

    for number in range((TRAIN_NIGHT - FIRST_DAY).days + 1 - dataset.delay.days):
        day = FIRST_DAY + timedelta(days=number)
        token = ledger.next_token()
        taken = ingest(
            dataset,
            day.isoformat(),
            source=Database(source.engine.url),
            lake=lake,
            token=token,
            known_at=(day + timedelta(days=dataset.delay.days)).isoformat(),
        )
        validate(dataset, taken.raw, lake=lake, token=token)


if __name__ == "__main__":
    prepare_home(Path(sys.argv[1]))
