"""What the lake holds after a writer was killed, the disk was full, or a file was damaged."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError, fault_point
from mlops_tasks.lake import Lake, optimize, vacuum
from mlops_tasks.ledger import Ledger
from tests.unit.lake_writers import (
    DAY,
    N_ROWS,
    TABLE,
    content,
    optimize_with,
    overwrite,
    overwrite_for_ever,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each kill takes a process; the long form is for a quiet hour: MLOPS_KILLS=200.
KILLS = int(os.environ.get("MLOPS_KILLS", "12"))
PLACES = [
    f"publish:{where}" for where in ("before_write", "mid_write", "before_commit", "after_commit")
]


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.lake_writers", "deltalake", "pyarrow.parquet"])
    return context


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    token = Ledger(f"sqlite:///{tmp_path}/ledger.db").next_token()
    lake.overwrite_partition(TABLE, DAY, content(0), token=token)
    return lake


def generations(lake: Lake, day: str = DAY) -> set[int]:
    rows = lake.read(TABLE, first=day, last=day)
    assert rows.num_rows in (0, N_ROWS)
    return set(rows.column("generation").to_pylist())


def data_files(lake: Lake) -> set[str]:
    folder = lake.folder(TABLE)
    return {str(path.relative_to(folder)) for path in folder.rglob("partition_key=*/*")}


def current_files(lake: Lake) -> set[str]:
    commits = lake.commits(TABLE, first="2013-01-01", last="2013-12-31")
    return {file.path for commit in commits for file in commit.files}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("action", ["kill", "raise", "enospc"])
def test_a_faulted_write_leaves_the_old_or_the_new_partition(
    lake: Lake, processes: Any, place: str, action: str
) -> None:
    process = processes.Process(target=overwrite, args=(lake.root, 1, f"{place}:{action}"))
    process.start()
    process.join(60)
    assert process.exitcode == (-9 if action == "kill" else 1)

    committed = place == "publish:after_commit"
    assert generations(lake) == ({1} if committed else {0})

    again = processes.Process(target=overwrite, args=(lake.root, 1))
    again.start()
    again.join(60)
    assert again.exitcode == 0
    assert generations(lake) == {1}
    vacuum(lake, TABLE, keep_days=-1, grace_s=0)
    assert data_files(lake) == current_files(lake)
    assert generations(lake) == {1}


def test_a_fault_other_than_a_kill_removes_its_own_files(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = data_files(lake)
    monkeypatch.setenv(FAULT_VARIABLE, "publish:before_commit:raise")
    token = Ledger(f"sqlite:///{lake.root}/ledger.db").next_token()
    with pytest.raises(InjectedFaultError):
        lake.overwrite_partition(TABLE, DAY, content(1), token=token)
    assert data_files(lake) == before


def test_a_source_that_breaks_off_publishes_nothing(lake: Lake) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from content(1).to_batches(500)
        raise ConnectionError("the source is gone")

    reader = pa.RecordBatchReader.from_batches(content(1).schema, broken())
    before = data_files(lake)
    with pytest.raises(ConnectionError):
        lake.overwrite_partition(TABLE, DAY, reader, token=99)
    assert generations(lake) == {0}
    assert data_files(lake) == before


@pytest.mark.slow
def test_kills_at_random_moments_never_mix_or_lose_a_partition(lake: Lake, processes: Any) -> None:
    seed = random.randrange(10**6)
    sys.stdout.write(f"seed {seed}, {KILLS} kills\n")  # shown when the test fails
    moments = random.Random(seed)
    for number in range(KILLS):
        process = processes.Process(target=overwrite_for_ever, args=(lake.root, 1 + number * 1000))
        process.start()
        process.join(moments.uniform(0.05, 0.6))
        process.kill()
        process.join(30)
        present = lake.partitions(TABLE)
        assert DAY in present
        for day in present:
            assert len(generations(lake, day)) == 1
    for day in lake.partitions(TABLE):
        overwrite(lake.root, -1, day=day)
        assert generations(lake, day) == {-1}
    vacuum(lake, TABLE, keep_days=-1, grace_s=0)
    assert data_files(lake) == current_files(lake)
    for commit in lake.commits(TABLE, first="2013-01-01", last="2013-12-31"):
        assert commit.n_rows == N_ROWS


@pytest.mark.parametrize("place", ["optimize:before_roll_up", "optimize:after_roll_up"])
def test_a_killed_optimize_changes_no_row(lake: Lake, processes: Any, place: str) -> None:
    overwrite(lake.root, 1)
    overwrite(lake.root, 2)
    process = processes.Process(target=optimize_with, args=(lake.root, f"{place}:kill"))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    assert generations(lake) == {2}
    assert len(lake.all_commits(TABLE)) == 3
    done = optimize(lake, TABLE)
    assert done.checkpoint_version == 3
    assert generations(lake) == {2}
    overwrite(lake.root, 3)
    assert generations(lake) == {3}


def test_a_commit_that_was_made_but_not_recorded_is_adopted(lake: Lake) -> None:
    overwrite(lake.root, 1)
    newest = lake.all_commits(TABLE)[-1]
    (lake.commit_log(TABLE).folder / f"{newest.version:020d}.json").unlink()
    assert generations(lake) == {1}
    assert lake.all_commits(TABLE)[-1] == newest


def test_an_emptied_commit_file_is_noticed_and_mended_by_ingesting_again(lake: Lake) -> None:
    overwrite(lake.root, 1)
    log = lake.folder(TABLE) / "_delta_log"
    sorted(log.glob("*.json"))[-1].write_text("")
    with pytest.raises(DamagedTableError, match="files lost"):
        lake.read(TABLE, first=DAY, last=DAY)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_log_is_noticed(lake: Lake, damage: str) -> None:
    overwrite(lake.root, 1)
    overwrite(lake.root, 2)
    middle = sorted((lake.folder(TABLE) / "_delta_log").glob("*.json"))[1]
    if damage == "truncated":
        middle.write_text(middle.read_text()[:40])
    else:
        middle.unlink()
    with pytest.raises(DamagedTableError):
        lake.read(TABLE, first=DAY, last=DAY)


def test_flipped_bits_in_a_data_file_are_noticed(lake: Lake) -> None:
    (file,) = lake.commits(TABLE, first=DAY, last=DAY)[0].files
    path = lake.folder(TABLE) / file.path
    whole = path.read_bytes()
    pin = lake.pin(TABLE, first=DAY, last=DAY)
    noticed = 0
    places = random.Random(7).sample(range(4, len(whole) - 4), 60)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            lake.verify_pin(pin)
        except DamagedTableError:
            noticed += 1
        else:  # a bit that carries no value, such as one of a statistic
            assert lake.read_pin(pin).equals(content(0))
    assert noticed > len(places) / 2
    path.write_bytes(whole)
    lake.verify_pin(pin)


def test_a_removed_data_file_is_named(lake: Lake) -> None:
    (file,) = lake.commits(TABLE, first=DAY, last=DAY)[0].files
    (lake.folder(TABLE) / file.path).unlink()
    with pytest.raises(DamagedTableError, match="orders"):
        lake.read(TABLE, first=DAY, last=DAY)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_keeps_the_old_partition(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return  # a sandbox may forbid it; the fault point `enospc` is tested everywhere
    try:
        lake = Lake(disk)
        lake.overwrite_partition(TABLE, DAY, content(0), token=1)
        noise = random.Random(3)
        numbers = pa.array([noise.getrandbits(62) for _ in range(900_000)], pa.int64())
        big = pa.table({"id": numbers, "generation": numbers})
        with pytest.raises(OSError, match="No space left"):
            lake.overwrite_partition(TABLE, DAY, big, token=2)
        assert generations(lake) == {0}
        lake.overwrite_partition(TABLE, DAY, content(3), token=3)
        assert generations(lake) == {3}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_clock_skew_changes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    for number, hours in enumerate((3, -2), start=1):
        monkeypatch.setattr(time, "time_ns", lambda h=hours: real() + h * 3_600_000_000_000)
        overwrite(lake.root, number)
    assert generations(lake) == {2}
    assert [commit.version for commit in lake.all_commits(TABLE)] == [1, 2, 3]


def test_the_store_may_be_moved_to_another_machine(lake: Lake, tmp_path: Path) -> None:
    pin = lake.pin(TABLE, first=DAY, last=DAY)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.copytree(lake.root, elsewhere)
    moved = Lake(elsewhere)
    moved.verify_pin(pin)
    assert moved.read_pin(pin).equals(lake.read_pin(pin))


def test_an_unknown_action_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAULT_VARIABLE, "here:explode")
    with pytest.raises(ValueError, match="explode"):
        fault_point("here")
    monkeypatch.setenv(FAULT_VARIABLE, "here:sleep=0")
    fault_point("here")
