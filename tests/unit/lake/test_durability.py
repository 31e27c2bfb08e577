"""What must be on the disk, and before what, for a commit to survive a power cut."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_tasks.lake import Lake, optimize, overwrite_partition, publish, share_partition
from tests.unit.lake_writers import DAY, TABLE, content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "the commit"
OTHER_DAY = "2013-02-02"
DATA, MARKER = "a data file", "the marker of the format"
LOG = f"lake/{TABLE}/_delta_log"
RECORDS = f"lake/_commits/{TABLE}"


class Disk:
    """What was synced, in order, by path below the test's folder; and when commits were made."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.events: list[str] = []

    def took(self, work: Callable[[], object]) -> tuple[list[str], list[str]]:
        """Return what was synced before and after the one commit of this work."""
        self.events.clear()
        work()
        at = self.events.index(COMMIT)
        return self.events[:at], self.events[at + 1 :]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path)
    fsync, commit = os.fsync, publish._commit_files

    def spy(handle: int) -> None:
        fsync(handle)
        path = os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), tmp_path)
        kinds = {".parquet": DATA, ".tmp": MARKER if "_lake.json" in path else "a record"}
        disk.events.append(kinds.get(os.path.splitext(path)[1], path) if LOG not in path else path)

    def committed(*arguments: object) -> None:
        commit(*arguments)
        disk.events.append(COMMIT)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(publish, "_commit_files", committed)
    return disk


def write(lake: Lake, token: int, day: str = DAY, rows: pa.Table | None = None) -> None:
    overwrite_partition(lake.table(TABLE), day, rows or content(token, 10), token=token)


def log_file(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


def day_folder(day: str) -> str:
    return f"lake/{TABLE}/partition_key={day}"


def test_all_that_leads_to_a_first_commit_is_on_disk_before_it(lake: Lake, disk: Disk) -> None:
    before, after = disk.took(lambda: write(lake, 1))
    assert before == [
        ".",  # has the root
        "lake",  # has the table
        MARKER,
        "lake",
        DATA,
        day_folder(DAY),
        log_file(0),
        LOG,
        "lake",
        f"lake/{TABLE}",  # has the log and the day
    ]
    assert after == [
        log_file(1),
        LOG,
        "lake",  # has the records of all tables
        "lake/_commits",  # has those of this one
        "a record",
        RECORDS,
    ]


def test_a_later_commit_syncs_what_is_new_and_no_more(lake: Lake, disk: Disk) -> None:
    write(lake, 1)
    before, after = disk.took(lambda: write(lake, 2))
    assert before == [DATA, day_folder(DAY)]
    assert after == [log_file(2), LOG, "a record", RECORDS]
    before, after = disk.took(lambda: write(lake, 3, OTHER_DAY))
    assert before == [DATA, day_folder(OTHER_DAY), f"lake/{TABLE}"]
    assert after == [log_file(3), LOG, "a record", RECORDS]


def test_folders_that_a_killed_attempt_made_are_synced_by_the_next(
    lake: Lake, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("MLOPS_FAULT", "publish:before_commit:raise")
        with pytest.raises(RuntimeError):
            write(lake, 1)
    before, _ = disk.took(lambda: write(lake, 2))
    assert {log_file(0), LOG, "lake", f"lake/{TABLE}", day_folder(DAY)} < set(before)


def test_shared_files_are_entered_before_they_are_committed(lake: Lake, disk: Disk) -> None:
    write(lake, 1)
    (commit,) = lake.table(TABLE).commits(first=DAY, last=DAY)
    before, _ = disk.took(
        lambda: share_partition(lake.table(TABLE), commit, lake.table("copy"), token=2)
    )
    assert {f"lake/copy/partition_key={DAY}", "lake/copy", "lake"} <= set(before)


def test_the_commit_that_adds_a_column_is_on_disk_before_the_rows_that_need_it(
    lake: Lake, disk: Disk
) -> None:
    write(lake, 1)
    wider = content(2, 10).append_column("more", pa.array(range(10)))
    before, after = disk.took(lambda: write(lake, 2, rows=wider))
    assert before == [DATA, day_folder(DAY), log_file(2), LOG]
    assert after[:2] == [log_file(3), LOG]


def test_a_checkpoint_is_on_disk_before_the_log_that_it_replaces_goes(
    lake: Lake, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in (1, 2, 3):
        write(lake, token)
    disk.events.clear()
    with monkeypatch.context() as patch:
        patch.setenv("MLOPS_FAULT", "optimize:mid_remove:raise")
        with pytest.raises(RuntimeError):
            optimize(lake.table(TABLE), grace_s=0)
    checkpoint = f"{LOG}/{3:020d}.checkpoint.parquet"
    assert disk.events[-3:] == [checkpoint, f"{LOG}/_last_checkpoint", LOG]
