"""What the lake holds after a writer was killed, the disk was full, or a file was damaged."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError, StaleAttemptError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError, fault_point
from mlops_tasks.lake import Lake, Table, optimize, overwrite_partition, vacuum
from mlops_tasks.lake.commits import COMMIT_METADATA
from tests.unit.lake_writers import (
    DAY,
    DAYS,
    N_ROWS,
    TABLE,
    content,
    optimize_with,
    overwrite,
    overwrite_for_ever,
    overwrite_on_a_small_disk,
    pin_with,
    vacuum_with,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from mlops_tasks.registry.ledger import Ledger

ROOT = Path(__file__).parents[3]
# Each kill takes a process; the long form is for a quiet hour: MLOPS_KILLS=200.
KILLS = int(os.environ.get("MLOPS_KILLS", "8"))
BEFORE = ["before_write", "mid_write", "before_commit"]
AFTER = ["after_commit", "after_record"]


@pytest.fixture(scope="module")
def processes() -> Iterator[multiprocessing.context.ForkServerContext]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.unit.lake_writers", "deltalake", "pyarrow.parquet", "pyarrow.dataset", "numpy"]
    )
    with pytest.MonkeyPatch.context() as patch:
        # The fork server knows no path but this one, and silently preloads nothing without.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        yield context


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv(FAULT_VARIABLE, "")  # put back, whatever a writer of this process sets
    lake = Lake(tmp_path)
    overwrite(tmp_path, 0)
    return lake


def killed(processes: Any, work: Callable[..., None], *arguments: Any) -> None:
    process = processes.Process(target=work, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -9


def generations(lake: Lake, day: str = DAY) -> set[int]:
    rows = lake.table(TABLE).read(first=day, last=day)
    assert rows.num_rows in (0, N_ROWS)
    return set(rows.column("generation").to_pylist())


def whole_generations(lake: Lake) -> dict[str, int]:
    """Return which generation each day holds, all of its rows and cells and nothing else."""
    found: dict[str, int] = {}
    for day in lake.table(TABLE).partitions():
        rows = lake.table(TABLE).read(first=day, last=day).sort_by("id")
        found[day] = rows.column("generation")[0].as_py()
        assert rows.equals(content(found[day])), day
    everything = lake.table(TABLE).pin(first="0001-01-01", last="9999-12-31")
    assert everything.n_rows == N_ROWS * len(found)
    lake.table(everything.table).verify_pin(everything)
    return found


def begun(diary: Path) -> list[tuple[str, int]]:
    """Return day and generation of every write that was begun, the killed one last."""
    lines = diary.read_text().splitlines()
    return [(day, int(generation)) for day, generation in map(str.split, lines)]


def data_files(lake: Lake) -> set[str]:
    folder = lake.table(TABLE).folder
    return {str(path.relative_to(folder)) for path in folder.rglob("partition_key=*/*")}


def current_files(lake: Lake) -> set[str]:
    commits = lake.table(TABLE).commits(first="2013-01-01", last="2013-12-31")
    return {file.path for commit in commits for file in commit.files}


def all_files(lake: Lake) -> set[str]:
    return {file.path for commit in lake.table(TABLE).all_commits() for file in commit.files}


def leftovers(lake: Lake) -> set[str]:
    """Return what a killed writer left: orphans, temporary files, commits without a record."""
    folder, records = lake.table(TABLE).folder, lake.table(TABLE).log
    known = records.read()
    files = {file.path for commit in known.commits.values() for file in commit.files}
    temporary = [p for p in (folder / "_delta_log").iterdir() if not p.name.startswith(("0", "_l"))]
    unrecorded = [
        path.name
        for path in (folder / "_delta_log").glob("[0-9]*[0-9].json")
        if (version := int(path.stem)) > known.until
        and version not in known.commits
        # Its key, not the word: the first commit names the folder, which may have it too.
        and f'"{COMMIT_METADATA}":' in path.read_text()
    ]
    left = [*temporary, *records.folder.glob("*.tmp")]
    return (data_files(lake) - files) | {path.name for path in left} | set(unrecorded)


def write_again(lake: Lake, generation: int) -> None:
    """Write as the next run does, and prove that it has swept all that was left."""
    overwrite(lake.root, generation)
    assert generations(lake) == {generation}
    assert data_files(lake) == all_files(lake)
    vacuum(lake.table(TABLE), keep_days=-1, grace_s=0)
    assert data_files(lake) == current_files(lake)
    assert generations(lake) == {generation}
    assert not leftovers(lake)


@pytest.mark.parametrize("place", BEFORE + AFTER)
def test_a_killed_write_leaves_the_old_or_the_new_partition(
    lake: Lake, processes: Any, place: str
) -> None:
    killed(processes, overwrite, lake.root, 1, f"publish:{place}:kill")
    if place in BEFORE[1:]:
        assert leftovers(lake)
    assert generations(lake) == ({1} if place in AFTER else {0})
    write_again(lake, 2)


@pytest.mark.parametrize("place", BEFORE + AFTER)
@pytest.mark.parametrize("action", ["raise", "enospc"])
def test_a_failed_write_leaves_the_old_or_the_new_partition(
    lake: Lake, place: str, action: str
) -> None:
    before = data_files(lake)
    with pytest.raises((InjectedFaultError, OSError), match="fault at publish"):
        overwrite(lake.root, 1, f"publish:{place}:{action}")
    if place in BEFORE:
        assert data_files(lake) == before, "nothing is left behind"
    assert generations(lake) == ({1} if place in AFTER else {0})
    write_again(lake, 2)


def test_a_slow_writer_is_overtaken_and_sees_it(lake: Lake, processes: Any) -> None:
    late = processes.Process(target=overwrite, args=(lake.root, 1, "publish:mid_write:sleep=0.6"))
    late.start()
    while len(data_files(lake)) < 2:
        time.sleep(0.01)
    overwrite(lake.root, 2)
    late.join(60)
    assert late.exitcode == 1
    assert generations(lake) == {2}
    assert data_files(lake) == all_files(lake)


def test_files_swept_under_a_late_writer_are_no_riddle(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer attempt commits and sweeps while the older one still writes."""
    real = fault_point

    def overtaken(place: str) -> None:
        if place == "publish:mid_write":
            monkeypatch.setattr("mlops_tasks.lake.data_files.fault_point", real)
            overwrite(lake.root, 2)
            raise FileNotFoundError(errno.ENOENT, "the file is gone")

    monkeypatch.setattr("mlops_tasks.lake.data_files.fault_point", overtaken)
    with pytest.raises(StaleAttemptError, match="has committed already"):
        overwrite(lake.root, 1)
    assert generations(lake) == {2}


def test_a_lost_folder_is_no_stale_attempt(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(place: str) -> None:
        raise FileNotFoundError(errno.ENOENT, "the disk is gone")

    monkeypatch.setattr("mlops_tasks.lake.data_files.fault_point", gone)
    with pytest.raises(FileNotFoundError, match="the disk is gone"):
        overwrite(lake.root, 1)
    assert generations(lake) == {0}


@pytest.mark.parametrize("log_readable", [True, False])
def test_a_signal_right_after_the_commit_loses_no_file(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, log_readable: bool
) -> None:
    """The commit is made, but its writer never learns: its files must not be cleaned up."""
    from mlops_tasks.lake import publish

    commit = publish._commit_files

    def interrupted(*arguments: Any) -> None:
        commit(*arguments)
        if not log_readable:
            monkeypatch.setattr(Table, "newest_token", unreadable)
        raise KeyboardInterrupt

    def unreadable(*_: Any) -> None:
        raise DamagedTableError("its log cannot be read")

    monkeypatch.setattr(publish, "_commit_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        overwrite(lake.root, 1)
    monkeypatch.undo()
    assert generations(lake) == {1}


def test_a_commit_without_record_is_found_behind_newer_ones(lake: Lake, processes: Any) -> None:
    """Nobody reads between a kill and the next partition's commit."""
    killed(processes, overwrite, lake.root, 1, "publish:after_commit:kill")
    overwrite(lake.root, 7, day="2013-02-02")
    assert generations(lake) == {1}
    assert generations(lake, "2013-02-02") == {7}
    assert [commit.version for commit in lake.table(TABLE).all_commits()] == [1, 2, 3]


def test_tidying_up_never_fails_a_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("mlops_tasks.lake.publish._sweep", full)
    overwrite(lake.root, 1)
    assert generations(lake) == {1}
    assert "partition 2013-02-01 is committed, but looking after the table failed" in caplog.text


def test_a_full_disk_does_not_keep_a_reader_from_adopting(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InjectedFaultError):
        overwrite(lake.root, 1, "publish:after_commit:raise")

    def full(*_: Any) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("mlops_tasks.lake.commits.replace_file", full)
        assert generations(lake) == {1}
    assert leftovers(lake)
    assert generations(lake) == {1}
    assert not leftovers(lake)


def test_a_source_that_breaks_off_publishes_nothing(lake: Lake) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from content(1).to_batches(500)
        raise ConnectionError("the source is gone")

    reader = pa.RecordBatchReader.from_batches(content(1).schema, broken())
    before = data_files(lake)
    with pytest.raises(ConnectionError):
        overwrite_partition(lake.table(TABLE), DAY, reader, token=time.monotonic_ns())
    assert generations(lake) == {0}
    assert data_files(lake) == before


def seconds_of_a_write(root: Path, processes: Any, diary: Path) -> float:
    """Return how long a write takes here and now, so that kills meet all of it."""
    diary.write_text("")
    process = processes.Process(target=overwrite_for_ever, args=(root, 0, diary))
    process.start()
    while not diary.read_text():
        time.sleep(0.002)
    started, n_begun = time.monotonic(), len(begun(diary))
    while (n_written := len(begun(diary)) - n_begun) < 4:
        time.sleep(0.002)
    seconds = (time.monotonic() - started) / n_written
    process.kill()
    process.join(30)
    return seconds


def test_kills_at_random_moments_never_mix_or_lose_a_partition(
    lake: Lake, processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seed = random.randrange(10**6)
    moments, counts, left = random.Random(seed), Counter[str](), set[str]()
    diary = tmp_path_factory.mktemp("diary") / "begun"
    there = {DAY: 0}  # the generation that each day is known to hold
    longest = 2 * seconds_of_a_write(tmp_path_factory.mktemp("measured"), processes, diary)
    for number in range(1, KILLS + 1):
        diary.write_text("")
        process = processes.Process(
            target=overwrite_for_ever, args=(lake.root, number * 1000, diary)
        )
        process.start()
        while not diary.read_text():
            time.sleep(0.002)
        process.join(moments.uniform(0.0, longest))
        process.kill()
        process.join(30)
        counts["left something to repair"] += not leftovers(lake) <= left
        left |= leftovers(lake)
        *done, (day, new) = begun(diary)
        there |= dict(done)  # the next one was begun, so these had been published
        counts["published before"] += len(done)
        old = there.get(day)
        found = whole_generations(lake)
        assert found in (there, there | {day: new}), (seed, number, day, new, there)
        kept = "old kept" if old is not None else "none yet"
        counts["new there" if found.get(day) == new else kept] += 1
        there = found
    # Also of a day whose every write was killed: it is no partition yet, and has orphans.
    for day in DAYS:
        overwrite(lake.root, -1, day=day)
        assert generations(lake, day) == {-1}
    assert data_files(lake) == all_files(lake), "the next run of each day has swept its orphans"
    write_again(lake, -2)
    for commit in lake.table(TABLE).commits(first="2013-01-01", last="2013-12-31"):
        assert commit.n_rows == N_ROWS
    sys.stdout.write(
        f"seed {seed}, {KILLS} kills: {dict(counts)}; {len(left)} orphans, temporary files and "
        "commits without a record were left, and repaired by later runs\n"
    )
    outcomes = [counts[what] for what in ("new there", "old kept", "none yet")]
    assert sum(outcomes) == KILLS
    assert KILLS < 100 or all(outcomes[:2]), "the moments have met both sides of the commit"


@pytest.mark.parametrize(
    "place", ["before_roll_up", "mid_roll_up", "after_roll_up", "after_checkpoint", "mid_remove"]
)
def test_a_killed_optimize_changes_no_row(lake: Lake, processes: Any, place: str) -> None:
    overwrite(lake.root, 1)
    overwrite(lake.root, 2)
    pin = lake.table(TABLE).pin(first=DAY, last=DAY, version=2)
    killed(processes, optimize_with, lake.root, f"optimize:{place}:kill")
    assert generations(lake) == {2}
    assert len(lake.table(TABLE).all_commits()) == 3
    done = optimize(lake.table(TABLE), grace_s=0)
    assert done.checkpoint_version == 3
    assert generations(lake) == {2}
    overwrite(lake.root, 3)
    assert generations(lake) == {3}
    assert set(lake.table(pin.table).read_pin(pin).column("generation").to_pylist()) == {1}


@pytest.mark.parametrize("place", ["vacuum:before_remove", "vacuum:mid_remove"])
def test_a_killed_vacuum_takes_nothing_that_is_needed(
    lake: Lake, processes: Any, place: str
) -> None:
    for generation in (1, 2, 3):
        overwrite(lake.root, generation)
    killed(processes, vacuum_with, lake.root, f"{place}:kill")
    assert generations(lake) == {3}
    table = lake.table(TABLE)
    table.verify_pin(table.pin(first=DAY, last=DAY))
    vacuum(lake.table(TABLE), keep_days=-1, grace_s=0)
    assert data_files(lake) == current_files(lake)


@pytest.mark.parametrize("place", ["pin:before_records", "adopt:before_write", "pin:after_records"])
def test_a_killed_pin_is_made_again(lake: Lake, processes: Any, place: str) -> None:
    with pytest.raises(InjectedFaultError):
        overwrite(lake.root, 1, "publish:after_commit:raise")
    killed(processes, pin_with, lake.root, f"{place}:kill")
    pin = lake.table(TABLE).pin(first=DAY, last=DAY)
    lake.table(pin.table).verify_pin(pin)
    assert set(lake.table(pin.table).read_pin(pin).column("generation").to_pylist()) == {1}


def test_temporary_files_of_killed_writers_are_swept_when_they_are_old(lake: Lake) -> None:
    """Names as the object store below Delta and our own records leave them behind."""
    folder, records = lake.table(TABLE).folder, lake.table(TABLE).log.folder
    left = [
        folder / f"partition_key={DAY}" / "part-00000-c000.zstd.parquet#1",
        folder / "part-00001.parquet",
        folder / "_delta_log" / "00000000000000000002.json#1",
        folder / "_delta_log" / "_commit_5f.json.tmp",
        records / "tmpabc.tmp",
    ]
    for path in left:
        path.write_text("half")
    young = vacuum(lake.table(TABLE), keep_days=-1)
    assert (young.removed, young.kept) == ((), {"current": 1, "too young to judge": len(left)})
    swept = vacuum(lake.table(TABLE), keep_days=-1, grace_s=0)
    assert len(swept.removed) == len(left)
    assert not any(path.exists() for path in left)
    assert generations(lake) == {0}


def test_a_commit_that_was_made_but_not_recorded_is_adopted(lake: Lake) -> None:
    overwrite(lake.root, 1)
    newest = lake.table(TABLE).all_commits()[-1]
    (lake.table(TABLE).log.folder / f"{newest.version:020d}.json").unlink()
    assert generations(lake) == {1}
    assert lake.table(TABLE).all_commits()[-1] == newest


def test_an_emptied_commit_file_is_noticed_and_mended_by_ingesting_again(lake: Lake) -> None:
    overwrite(lake.root, 1)
    log = lake.table(TABLE).folder / "_delta_log"
    sorted(log.glob("*.json"))[-1].write_text("")
    with pytest.raises(DamagedTableError, match="files lost"):
        lake.table(TABLE).read(first=DAY, last=DAY)
    overwrite(lake.root, 2)
    assert generations(lake) == {2}


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_log_is_noticed(lake: Lake, damage: str) -> None:
    overwrite(lake.root, 1)
    overwrite(lake.root, 2)
    middle = sorted((lake.table(TABLE).folder / "_delta_log").glob("*.json"))[1]
    if damage == "truncated":
        middle.write_text(middle.read_text()[:40])
    else:
        middle.unlink()
    with pytest.raises(DamagedTableError):
        lake.table(TABLE).read(first=DAY, last=DAY)


def test_flipped_bits_in_a_data_file_are_noticed(lake: Lake) -> None:
    (file,) = lake.table(TABLE).commits(first=DAY, last=DAY)[0].files
    path = lake.table(TABLE).folder / file.path
    whole = path.read_bytes()
    pin = lake.table(TABLE).pin(first=DAY, last=DAY)
    noticed = at_read = 0
    places = random.Random(7).sample(range(4, len(whole) - 4), 60)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert lake.table(TABLE).read(first=DAY, last=DAY).equals(content(0))
        except DamagedTableError:
            at_read += 1
        try:
            lake.table(pin.table).verify_pin(pin)
        except DamagedTableError:
            noticed += 1
        else:  # a bit that carries no value, such as one of a statistic
            assert lake.table(pin.table).read_pin(pin).equals(content(0))
    assert noticed >= at_read > len(places) / 2
    path.write_bytes(whole)
    lake.table(pin.table).verify_pin(pin)


def test_a_removed_data_file_is_named(lake: Lake) -> None:
    (file,) = lake.table(TABLE).commits(first=DAY, last=DAY)[0].files
    (lake.table(TABLE).folder / file.path).unlink()
    with pytest.raises(DamagedTableError, match="orders"):
        lake.table(TABLE).read(first=DAY, last=DAY)


@pytest.mark.parametrize("limit", [0, 300, 3_000])
def test_a_write_that_the_disk_refuses_keeps_the_old_partition(
    lake: Lake, processes: Any, limit: int
) -> None:
    """The kernel refuses the bytes, at the data file or at the commit, as a full disk does."""
    process = processes.Process(target=overwrite_on_a_small_disk, args=(lake.root, 1, limit))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    assert generations(lake) == {0}
    write_again(lake, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_keeps_the_old_partition(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        lake, there, refused = Lake(disk), 0, []
        overwrite(disk, 0)
        for generation, free in enumerate((0, 4, 8, 12, 16, 20, 24, 28, 64), 1):
            filler = disk / "filler"
            size = shutil.disk_usage(disk).free - free * 1024
            filler.write_bytes(bytes(max(size, 0)))
            try:
                overwrite(disk, generation)
            except Exception as error:  # whatever Delta or the kernel calls it
                refused.append(str(error))
            found = generations(lake)  # also while it is full
            assert found in ({there}, {generation})
            (there,) = found
            filler.unlink()
        assert there == generation, "the last one had room enough"
        assert refused
        assert all("No space left" in said for said in refused), refused
        write_again(lake, 99)
    finally:
        deadline = time.monotonic() + 30
        while subprocess.run(["umount", str(disk)], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "a thread that closes its file late lets it be soon"
            time.sleep(0.2)


class Clock:
    """The clock of the machine, wrong by some days wherever lake and ledger look at it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.real, self.real_ns = datetime.now(UTC), time.time_ns()

    def wrong_by(self, days: int) -> None:
        skewed, real_ns = self.real + timedelta(days=days), self.real_ns

        class Skewed(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:
                return skewed.astimezone(tz)

        for module in ("mlops_tasks.partitions.days", "mlops_tasks.registry.ledger.statements"):
            self.patch.setattr(f"{module}.datetime", Skewed)
        self.patch.setattr(time, "time_ns", lambda: real_ns + days * 86_400_000_000_000)

    def day(self, number: int) -> str:
        return (self.real + timedelta(days=number)).date().isoformat()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(monkeypatch)
    clock.wrong_by(0)  # and it stands still, also at midnight
    return clock


def test_clock_skew_orders_nothing(tmp_path: Path, ledger: Ledger, clock: Clock) -> None:
    """Versions and tokens are counted; a wrong clock dates its own commit wrongly, that is all."""
    lake, tokens = Lake(tmp_path / "lake"), []

    def write(generation: int, days: int) -> None:
        clock.wrong_by(days)
        tokens.append(ledger.next_token())
        overwrite_partition(lake.table(TABLE), DAY, content(generation), token=tokens[-1])

    def known_on(day: int) -> set[int]:
        pin = lake.table(TABLE).pin(first=DAY, last=DAY, known_at=clock.day(day))
        lake.table(pin.table).verify_pin(pin)
        return set(lake.table(pin.table).read_pin(pin).column("generation").to_pylist())

    write(0, days=0)
    first = lake.table(TABLE).pin(first=DAY, last=DAY)
    write(1, days=1)  # a day ahead: a training as of today does not see it
    assert [known_on(day) for day in (-1, 0, 1)] == [set(), {0}, {1}]
    assert generations(lake) == {1}
    write(2, days=-1)  # a day back: it came last, and so it stands, for the nights since then
    assert [known_on(day) for day in (-2, -1, 0, 1)] == [set(), {2}, {2}, {2}]
    write(3, days=0)
    assert [known_on(day) for day in (-1, 0, 1)] == [{2}, {3}, {3}]
    assert generations(lake) == {3}
    assert [commit.version for commit in lake.table(TABLE).all_commits()] == [1, 2, 3, 4]
    assert tokens == sorted(set(tokens)), "a clock that goes back gives no older token"
    clock.wrong_by(9)
    with pytest.raises(StaleAttemptError):
        overwrite_partition(lake.table(TABLE), DAY, content(9), token=tokens[1])
    assert set(lake.table(first.table).read_pin(first).column("generation").to_pylist()) == {0}


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_vacuum_by_a_wrong_clock_takes_nothing_that_is_pinned_or_current(
    lake: Lake, clock: Clock, days: int
) -> None:
    pin = lake.table(TABLE).pin(first=DAY, last=DAY)
    for generation, skew in enumerate((2, -2, 0), start=1):
        clock.wrong_by(skew)
        overwrite(lake.root, generation)
    clock.wrong_by(days)
    vacuum(lake.table(TABLE), pins={"version 1 of m": [pin]}, keep_days=0, grace_s=0)
    lake.table(pin.table).verify_pin(pin)
    assert generations(lake) == {3}


def test_the_store_may_be_moved_to_another_machine(lake: Lake, tmp_path: Path) -> None:
    pin = lake.table(TABLE).pin(first=DAY, last=DAY)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.copytree(lake.root, elsewhere)
    moved = Lake(elsewhere)
    moved.table(pin.table).verify_pin(pin)
    assert moved.table(pin.table).read_pin(pin).equals(lake.table(pin.table).read_pin(pin))


def test_an_unknown_action_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAULT_VARIABLE, "here:explode")
    with pytest.raises(ValueError, match="explode"):
        fault_point("here")
    monkeypatch.setenv(FAULT_VARIABLE, "here:sleep=0")
    fault_point("here")
