"""The flights model on real days: its training rows are its scoring rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from flight_delays.spec import MODEL
from mlops_tasks.exceptions import LeakageError
from mlops_tasks.features import assert_parity
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.sources import Database
from mlops_tasks.steps.ingest import ingest, raw_table

if TYPE_CHECKING:
    from pathlib import Path

    from demo.source import SourceDatabase

DAYS = [f"2013-01-{number:02d}" for number in range(1, 5)]


@pytest.fixture
def lake(tmp_path: Path, source: SourceDatabase) -> Lake:
    """Hold four real days of every dataset, as ingested."""
    lake, database = Lake(tmp_path / "lake"), Database(sa.make_url(f"sqlite:///{source.path}"))
    for dataset in (*(item.dataset for item in MODEL.inputs), MODEL.label.dataset):
        for day in DAYS[:2] if dataset is MODEL.label.dataset else DAYS:
            ingest(dataset, day, source=database, lake=lake, token=1, known_at=day)
            rows = lake.table(raw_table(dataset)).read(first=day, last=day)
            overwrite_partition(lake.table(dataset.name), day, rows, token=1, known_at=day)
    return lake


def test_real_flights_are_scored_as_they_are_trained_on(lake: Lake, tmp_path: Path) -> None:
    compared = {day: assert_parity(MODEL, day, lake=lake) for day in DAYS}
    assert compared == {d: lake.table("flights").read(first=d, last=d).num_rows for d in DAYS}
    assert min(compared.values()) > 500
    sql = MODEL.features_sql.read_text()
    for old, new, said in (
        ("f.distance,", "f.distance - avg(f.distance) OVER () AS distance,", "differ: .'distance'"),
        ("FROM flights AS f", "FROM flights AS f JOIN arrivals USING (flight_id)", "'arrivals'"),
        ("INTERVAL 2 HOUR > w.observed_at", "INTERVAL 2 HOUR <= w.observed_at", "the future"),
    ):
        changed = tmp_path / "changed.sql"
        assert old in sql
        changed.write_text(sql.replace(old, new))
        with pytest.raises((AssertionError, LeakageError), match=said):
            assert_parity(MODEL.model_copy(update={"features_sql": changed}), DAYS[2], lake=lake)
