"""A table that is written every night for ever stays small, and loses nothing that is pinned."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_tasks.lake import Lake, optimize, overwrite_partition, vacuum

if TYPE_CHECKING:
    from pathlib import Path

EVERY = 6
NIGHTS, REFRESHED, KEPT_DAYS = 26, 3, 7


def day(number: int) -> str:
    return (date(2024, 1, 1) + timedelta(days=number)).isoformat()


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers)})


def age_by_a_day(lake: Lake) -> None:
    """Turn the files' times back: the night is over."""
    for path in lake.root.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - 86_400
            os.utime(path, (then, then))


def log_files(lake: Lake) -> list[Path]:
    return [
        path for path in (lake.table("t").folder / "_delta_log").iterdir() if path.name[0] != "_"
    ]


def records(lake: Lake) -> list[Path]:
    return list(lake.table("t").log.folder.iterdir())


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, list[tuple[int, int]]]:
    """Return a lake after some weeks of nights, and how many small files it had each night."""
    lake, counts = Lake(tmp_path_factory.mktemp("nights") / "lake"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlops_tasks.lake.publish._OPTIMIZE_EVERY", EVERY)
        for night in range(NIGHTS):
            for token, number in ((1, night), (2, night - REFRESHED)):
                if number >= 0:
                    overwrite_partition(
                        lake.table("t"),
                        day(number),
                        rows(number, token),
                        token=token,
                        known_at=day(night),
                    )
            age_by_a_day(lake)
            counts.append((len(log_files(lake)), len(records(lake))))
    return lake, counts


@pytest.fixture
def written(nights: tuple[Lake, list[tuple[int, int]]], tmp_path: Path) -> Lake:
    """Return a copy of that lake which a test may change."""
    shutil.copytree(nights[0].root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def test_the_log_and_the_records_stay_short(
    nights: tuple[Lake, list[tuple[int, int]]],
) -> None:
    lake, counts = nights
    # Two commits a night stay a week, then until the next checkpoint; two checkpoints in a week.
    assert max(log for log, _ in counts) <= 2 * KEPT_DAYS + EVERY + 2 * KEPT_DAYS // EVERY + 3
    assert max(recorded for _, recorded in counts) <= EVERY + 1
    assert [log for log, _ in counts[-2 * EVERY : -EVERY]] == [log for log, _ in counts[-EVERY:]]
    assert len(lake.table("t").all_commits()) == 2 * NIGHTS - REFRESHED


def test_every_version_of_every_day_is_still_there(written: Lake) -> None:
    lake = written
    for commit in lake.table("t").all_commits():
        found = lake.table("t").load([commit]).column("n").to_pylist()
        assert found == [int(commit.partition[-2:]) - 1, commit.token]
    early = lake.table("t").pin(first=day(0), last=day(9), known_at=day(9))
    lake.table(early.table).verify_pin(early)
    assert lake.table(early.table).read_pin(early).num_rows == 20


def test_vacuum_keeps_the_versions_of_the_last_nights_and_of_pins(written: Lake) -> None:
    lake = written
    pin = lake.table("t").pin(first=day(0), last=day(0), known_at=day(1))
    last_week = day(NIGHTS - 1 - 5)
    before = lake.table("t").read(first=day(0), last=day(NIGHTS), known_at=last_week).sort_by("n")
    current = lake.table("t").pin(first=day(1), last=day(1))
    elsewhere = replace(pin, table="u", versions=tuple(range(99)))
    pins = {"version 1 of m": [pin, current], "a night": [pin], "version 2 of m": [elsewhere]}
    swept = vacuum(lake.table("t"), pins=pins, keep_days=5, grace_s=0)
    # Refreshed on the nights since then: its old version was known 5 nights ago.
    first_superseded = NIGHTS - 1 - 5 - REFRESHED + 1
    assert swept.kept == {
        "current": NIGHTS,
        "pinned": 1,
        "known in the last 5 days": NIGHTS - REFRESHED - first_superseded,
    }
    assert swept.held_by == {"version 1 of m": 1, "a night": 1}
    assert len(swept.removed) == first_superseded - 1
    after = lake.table("t").read(first=day(0), last=day(NIGHTS), known_at=last_week).sort_by("n")
    assert after == before
    assert lake.table(pin.table).read_pin(pin).column("n").to_pylist() == [0, 1]


def test_a_version_that_was_vacuumed_is_told_so(written: Lake) -> None:
    from mlops_tasks.exceptions import DamagedTableError

    lake = written
    vacuum(lake.table("t"), keep_days=5, grace_s=0)
    with pytest.raises(DamagedTableError, match="removes old versions that nothing pins"):
        lake.table("t").read(first=day(0), last=day(0), known_at=day(1))


def test_optimize_leaves_young_logs_to_the_writers_that_began_before(lake: Lake) -> None:
    for token in range(1, 4):
        overwrite_partition(lake.table("t"), day(0), rows(token), token=token)
    assert optimize(lake.table("t")).removed == 0
    assert optimize(lake.table("t"), grace_s=0).removed == 3
    assert lake.table("t").read(first=day(0), last=day(0)).column("n").to_pylist() == [3]
    started = time.monotonic()
    overwrite_partition(lake.table("t"), day(0), rows(4), token=4)
    assert lake.table("t").version == 4
    assert time.monotonic() - started < 10


def test_an_empty_table_may_be_vacuumed(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), day(0), rows(1).slice(1), token=1)
    assert vacuum(lake.table("t"), keep_days=0, grace_s=0).removed == ()
    assert optimize(lake.table("t")).rolled_up == 0
