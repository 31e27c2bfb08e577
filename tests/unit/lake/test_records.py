"""The commit records beside the tables, large partitions, and what may be thrown away."""

from __future__ import annotations

import errno
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.faults import FAULT_VARIABLE, fault_point
from mlops_tasks.lake import Lake, optimize, overwrite_partition, vacuum

if TYPE_CHECKING:
    from pathlib import Path

D1, D2 = "2024-03-01", "2024-03-02"


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers), "text": [f"row {n}" for n in numbers]})


def numbers(lake: Lake, partition: str = D1) -> list[int]:
    found = lake.table("t").read(first=partition, last=partition)
    return sorted(found.column("n").to_pylist())


@pytest.fixture
def written(lake: Lake) -> Lake:
    for token, n in enumerate((1, 2, 3), 1):
        overwrite_partition(lake.table("t"), D1, rows(n), token=token)
    return lake


def records(lake: Lake) -> list[Path]:
    return sorted(lake.table("t").log.folder.glob("*.json"))


def test_a_damaged_record_is_named_with_the_way_out(written: Lake) -> None:
    newest = records(written)[-1]
    newest.write_text('{"not": "a record"')
    with pytest.raises(DamagedTableError, match=r"commit record .* cannot be read") as error:
        written.table("t").read(first=D1, last=D1)
    assert str(newest) in str(error.value)
    newest.unlink()
    assert numbers(written) == [3], "made again from the table's own log"


def test_records_that_are_rolled_up_while_they_are_read_are_read_again(
    written: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_tasks.lake import commits

    parse, calls = commits._parse, []

    def vanish(path: str, *stamp: int) -> Any:
        calls.append(path)
        if len(calls) == 2:
            monkeypatch.setattr(commits, "_parse", parse)
            assert written.table("t").log.roll_up(written.table("t").records) == 3
            raise FileNotFoundError(path)
        return parse(path, *stamp)

    before = written.table("t").all_commits()
    monkeypatch.setattr(commits, "_parse", vanish)
    assert written.table("t").all_commits() == before
    assert [path.name for path in records(written)] == ["until.json"]


def test_what_a_newer_version_records_survives_gathering(written: Lake) -> None:
    newest = records(written)[-1]
    raw = json.loads(newest.read_text())
    raw["commits"][0] |= {"format": "2.9", "machine": "worker-7"}
    newest.write_text(json.dumps(raw))
    optimize(written.table("t"))
    (gathered,) = records(written)
    first, *_, last = json.loads(gathered.read_text())["commits"]
    assert (last["format"], last["machine"]) == ("2.9", "worker-7")
    assert first.keys() == last.keys() - {"machine"}
    assert numbers(written) == [3]


def test_a_record_that_cannot_be_written_leaves_no_half_of_it(
    written: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = records(written)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    log = written.table("t").log
    known = log.read()
    monkeypatch.setattr("mlops_tasks.storage.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        log.write(list(known.commits.values())[:1])
    monkeypatch.undo()
    assert sorted(log.folder.iterdir()) == before
    assert log.read() == known


def test_a_commit_that_neither_record_nor_log_tells_of_is_damage(written: Lake) -> None:
    written.table("t").delta.create_checkpoint()  # so that Delta itself does not look before it
    records(written)[1].unlink()
    log = written.table("t").folder / "_delta_log" / f"{2:020d}.json"
    whole = log.read_text()
    log.write_text(whole[:200])
    with pytest.raises(DamagedTableError, match=r"has no record and cannot be read .*backup"):
        written.table("t").all_commits()
    log.write_text(whole)
    assert [commit.token for commit in written.table("t").all_commits()] == [1, 2, 3]


def test_a_commit_of_somebody_else_is_no_record_of_ours(written: Lake) -> None:
    """Such as a property that an operator sets on the table."""
    from deltalake import DeltaTable

    before = written.table("t").all_commits()
    DeltaTable(str(written.table("t").folder)).alter.set_table_properties(
        {"delta.appendOnly": "false"}
    )
    assert written.table("t").all_commits() == before
    assert numbers(written) == [3]
    overwrite_partition(written.table("t"), D1, rows(4), token=4)
    assert numbers(written) == [4]


def test_the_tables_of_a_lake(lake: Lake) -> None:
    assert lake.tables() == []
    for name in ("b", "a", "a__raw"):
        overwrite_partition(lake.table(name), D1, rows(1), token=1)
    assert lake.tables() == ["a", "a__raw", "b"]


def test_a_pin_of_another_lake_is_told_so(written: Lake, tmp_path: Path) -> None:
    pin = written.table("t").pin(first=D1, last=D2)
    other = Lake(tmp_path / "other")
    overwrite_partition(other.table("t"), D1, rows(3), token=1)
    with pytest.raises(DamagedTableError, match="is this the lake the pin was made on"):
        other.table(pin.table).read_pin(pin)


def test_many_rows_go_into_several_row_groups_and_files(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = list(range(100))
    whole = overwrite_partition(lake.table("t"), D1, rows(*wanted), token=1)
    monkeypatch.setattr("mlops_tasks.lake.data_files._ROW_GROUP_ROWS", 7)
    monkeypatch.setattr("mlops_tasks.lake.data_files._FILE_BYTES", 400)
    schema = rows().cast(rows(1).schema).schema
    batches = pa.RecordBatchReader.from_batches(schema, rows(*wanted).to_batches(5))
    cut = overwrite_partition(lake.table("t"), D2, batches, token=1)
    assert numbers(lake, D2) == wanted
    assert (cut.n_rows, cut.digest) == (whole.n_rows, whole.digest)
    assert len(list((lake.table("t").folder / f"partition_key={D2}").glob("*.parquet"))) > 1


def test_checkpoints_are_no_data_to_throw_away(written: Lake) -> None:
    pin = written.table("t").pin(first=D1, last=D1)
    overwrite_partition(written.table("t"), D1, rows(9), token=9)
    optimize(written.table("t"))
    log = written.table("t").folder / "_delta_log"
    checkpoints = list(log.glob("*.checkpoint.parquet"))
    assert checkpoints
    thrown = vacuum(written.table("t"), pins={"a model": [pin]}, keep_days=-1, grace_s=0)
    assert not [name for name in thrown.removed if name.startswith("_delta_log")]
    assert list(log.glob("*.checkpoint.parquet")) == checkpoints
    assert numbers(written) == [9]
    assert written.table(pin.table).read_pin(pin).column("n").to_pylist() == [3]


def test_a_kill_is_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the other tests the process is gone before it could tell."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *signal: sent.append(signal))
    monkeypatch.setenv(FAULT_VARIABLE, "publish:before_write:kill")
    fault_point("publish:before_commit")
    assert sent == []
    fault_point("publish:before_write")
    assert sent == [(os.getpid(), signal.SIGKILL)]
