"""Two tables that share the files of one content."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SchemaMismatchError, StaleAttemptError
from mlops_tasks.faults import InjectedFaultError
from mlops_tasks.lake import overwrite_partition, share_partition, vacuum

if TYPE_CHECKING:
    from mlops_tasks.lake import Commit, Lake

DAY = "2024-03-01"


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers), "text": [f"row {n}" for n in numbers]})


@pytest.fixture
def source(lake: Lake) -> Commit:
    overwrite_partition(lake.table("raw"), DAY, rows(1, 2, 3), token=1, known_at=DAY)
    (commit,) = lake.table("raw").commits(first=DAY, last=DAY)
    return commit


def files(lake: Lake, table: str) -> list[Path]:
    return sorted(lake.table(table).folder.glob("*/*.parquet"))


def read(lake: Lake, table: str) -> list[int]:
    found = lake.table(table).read(first=DAY, last=DAY)
    return sorted(found.column("n").to_pylist())


def test_content_is_shared_and_not_written_again(lake: Lake, source: Commit) -> None:
    shared = share_partition(lake.table("raw"), source, lake.table("clean"), token=2, known_at=DAY)
    assert (shared.table, shared.partition, shared.n_rows) == ("clean", DAY, 3)
    assert shared.digest == source.digest
    assert read(lake, "clean") == [1, 2, 3]
    (one,), (other,) = files(lake, "raw"), files(lake, "clean")
    assert one.samefile(other)
    assert one.name != other.name
    pin = lake.table("clean").pin(first=DAY, last=DAY)
    lake.table(pin.table).verify_pin(pin)


def test_either_table_goes_its_own_way(lake: Lake, source: Commit) -> None:
    share_partition(lake.table("raw"), source, lake.table("clean"), token=2)
    overwrite_partition(lake.table("raw"), DAY, rows(9), token=3)
    vacuum(lake.table("raw"), keep_days=0, grace_s=0)
    assert [path.stat().st_nlink for path in files(lake, "clean")] == [1]
    assert (read(lake, "raw"), read(lake, "clean")) == ([9], [1, 2, 3])


def test_a_file_system_without_links_gets_copies(
    lake: Lake, source: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    share_partition(lake.table("raw"), source, lake.table("clean"), token=2)
    (one,), (other,) = files(lake, "raw"), files(lake, "clean")
    assert not one.samefile(other)
    assert one.read_bytes() == other.read_bytes()
    assert read(lake, "clean") == [1, 2, 3]


def test_a_full_disk_leaves_nothing_behind(
    lake: Lake, source: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite_partition(lake.table("clean"), DAY, rows(7), token=2)
    before = files(lake, "clean")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    with pytest.raises(OSError, match="no space left"):
        share_partition(lake.table("raw"), source, lake.table("clean"), token=3)
    assert files(lake, "clean") == before
    assert read(lake, "clean") == [7]


@pytest.mark.parametrize("place", ["before_write", "mid_write", "before_commit"])
def test_a_fault_before_the_commit_changes_nothing(
    lake: Lake, source: Commit, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    overwrite_partition(lake.table("clean"), DAY, rows(7), token=2)
    before = files(lake, "clean")
    monkeypatch.setenv("MLOPS_FAULT", f"publish:{place}:raise")
    with pytest.raises(InjectedFaultError):
        share_partition(lake.table("raw"), source, lake.table("clean"), token=3)
    assert files(lake, "clean") == before
    assert read(lake, "clean") == [7]


def test_late_attempts_and_other_schemas_are_refused(lake: Lake, source: Commit) -> None:
    overwrite_partition(lake.table("clean"), DAY, rows(7), token=5)
    with pytest.raises(StaleAttemptError):
        share_partition(lake.table("raw"), source, lake.table("clean"), token=4)
    overwrite_partition(lake.table("other"), DAY, pa.table({"n": ["a"], "more": [1]}), token=1)
    with pytest.raises(SchemaMismatchError):
        share_partition(lake.table("raw"), source, lake.table("other"), token=2)
    assert read(lake, "clean") == [7]
