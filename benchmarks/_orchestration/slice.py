"""Prepare the small slice of data that all timed runs work on: some days of January.

A program of its own (``python -m benchmarks._orchestration.slice HOME``): it imports pandas and
what comes with it, and pages that the measuring process shares with the stack would make the
stack's memory look smaller than it is.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

from demo.source import SourceDatabase
from mlops_tasks.ledger import Ledger

#: The night that the timed trainings are as of: 15 days of flights have their labels.
TRAIN_NIGHT = date(2013, 1, 17)
FIRST_DAY = date(2013, 1, 1)
LABEL_DELAY_DAYS = 2


def prepare_slice(home: Path) -> None:
    """Fill source database, lake and ledger of a home with the days known on `TRAIN_NIGHT`.

    Parameters
    ----------
    home : Path
        A new folder, later the ``MLOPS_HOME`` of a stack.
    """
    from dags.flight_delays.spec import ARRIVALS, FLIGHTS, WEATHER
    from mlops_tasks.ingestion import ingest
    from mlops_tasks.lake import Lake
    from mlops_tasks.sources import Database
    from mlops_tasks.validation import validate

    home.mkdir(parents=True)
    source = SourceDatabase(home / "source.db")
    source.advance(TRAIN_NIGHT)
    database = Database(source.engine.url)
    lake, ledger = Lake(home / "lake"), Ledger(f"sqlite:///{home / 'ledger.db'}")
    for dataset in (FLIGHTS, WEATHER, ARRIVALS):
        day = FIRST_DAY
        while day <= TRAIN_NIGHT - timedelta(days=dataset.delay_days):
            token = ledger.next_token()
            taken = ingest(dataset, day.isoformat(), source=database, lake=lake, token=token)
            validate(dataset, taken.raw, lake=lake, token=token)
            day += timedelta(days=1)
    source.close()


if __name__ == "__main__":
    prepare_slice(Path(sys.argv[1]))
