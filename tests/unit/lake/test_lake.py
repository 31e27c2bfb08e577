from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.exceptions import (
    CommitConflictError,
    DamagedTableError,
    PartitionNotFoundError,
    SchemaMismatchError,
    SpecError,
    StaleAttemptError,
)
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.lake.digest import digest_table
from mlops_tasks.names import check_name
from mlops_tasks.partitions import check_partition
from tests.unit.workers import at_once, overwrite

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Pin

D1, D2, D3 = "2024-03-01", "2024-03-02", "2024-03-03"

BAD_NAMES = [
    "../evil",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a.b",
    "/etc",
    "t' OR '1'='1",
    't"; DROP TABLE t; --',
    "t\n",
    "T",
    "1t",
    "",
    "é",
    "t" * 64,
]
BAD_PARTITIONS = [
    "../../2024-03-01",
    "2024-03-01' OR 1=1 --",
    "2024-03-01' OR partition_key > '",
    "2024-02-30",
    "2024-3-1",
    "20240301",
    "2024-03-01\n",
    " 2024-03-01",
    "\uff12\uff10\uff12\uff14-03-01",
    "2024-03-01T00:00:00",
    "",
    "*",
]


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers), "text": [f"row {n}" for n in numbers]})


def numbers(lake: Lake, partition: str, version: int | None = None) -> list[int]:
    found = lake.table("t").read(first=partition, last=partition, version=version)
    return sorted(found.column("n").to_pylist())


def test_a_partition_is_written_and_read_back(lake: Lake) -> None:
    written = overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    assert (written.table, written.partition, written.n_rows) == ("t", D1, 2)
    found = lake.table("t").read(first=D1, last=D1)
    assert found.schema.names == ["n", "text"]
    assert digest_table(found) == written.digest == digest_table(rows(2, 1))
    assert written.version == lake.table("t").version


def test_overwriting_replaces_the_partition_and_no_other(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    overwrite_partition(lake.table("t"), D2, rows(3), token=2)
    overwrite_partition(lake.table("t"), D1, rows(4), token=3)
    assert numbers(lake, D1) == [4]
    assert numbers(lake, D2) == [3]
    assert lake.table("t").partitions() == [D1, D2]


def test_an_older_version_stays_readable(lake: Lake) -> None:
    old = overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    overwrite_partition(lake.table("t"), D1, rows(9), token=2)
    assert numbers(lake, D1, old.version) == [1, 2]
    assert numbers(lake, D1) == [9]


def test_reading_takes_a_range_and_columns(lake: Lake) -> None:
    for token, partition in enumerate((D3, D1, D2), 1):
        overwrite_partition(lake.table("t"), partition, rows(token), token=token)
    found = lake.table("t").read(first=D1, last=D2, columns=["n"])
    assert found.schema.names == ["n"]
    assert sorted(found.column("n").to_pylist()) == [2, 3]
    assert lake.table("t").read(first="2020-01-01", last="2020-01-31").num_rows == 0


def test_a_partition_may_become_empty(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    written = overwrite_partition(lake.table("t"), D1, rows().cast(rows(1).schema), token=2)
    assert written.n_rows == 0
    assert numbers(lake, D1) == []


def test_nothing_was_ever_written(lake: Lake) -> None:
    assert not lake.exists("t")
    assert lake.table("t").partitions() == []
    with pytest.raises(PartitionNotFoundError, match="'t' is not in the lake; run its ingest"):
        lake.table("t").read(first=D1, last=D1)
    with pytest.raises(PartitionNotFoundError):
        lake.table("t").schema  # noqa: B018


def test_a_version_that_does_not_exist_is_named(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    with pytest.raises(PartitionNotFoundError, match="version 99"):
        lake.table("t").read(first=D1, last=D1, version=99)


# --- fencing


@pytest.mark.parametrize("late", [1, 5])
def test_a_late_attempt_is_refused_and_changes_nothing(lake: Lake, late: int) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=2)
    winner = overwrite_partition(lake.table("t"), D1, rows(5), token=5)
    with pytest.raises(StaleAttemptError, match=f"attempt 5 .* this is attempt {late}"):
        overwrite_partition(lake.table("t"), D1, rows(666), token=late)
    assert numbers(lake, D1) == [5]
    assert lake.table("t").version == winner.version


def test_every_partition_has_its_own_fence(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=100)
    overwrite_partition(lake.table("t"), D2, rows(2), token=3)
    overwrite_partition(lake.table("u"), D1, rows(3), token=1)
    assert numbers(lake, D2) == [2]


def test_writers_of_one_partition_never_mix(lake: Lake) -> None:
    jobs = [[(D1, writer + 3 * n) for n in range(4)] for writer in range(1, 4)]
    found = at_once(overwrite, [(str(lake.root), job) for job in jobs])
    done = [pair for pairs in found for pair in pairs]
    assert done, "nobody could write"
    last = lake.table("t").read(first=D1, last=D1)
    assert Counter(last.column("writer").to_pylist()) == {max(token for token, _ in done): 20}
    for token, version in done:
        then = lake.table("t").read(first=D1, last=D1, version=version)
        assert Counter(then.column("writer").to_pylist()) == {token: 20}
    assert len({version for _, version in done}) == len(done)
    by_version = [token for _, token in sorted((version, token) for token, version in done)]
    assert by_version == sorted(by_version), "a late attempt came after a newer one"


def test_writers_of_different_partitions_lose_nothing(lake: Lake) -> None:
    """The table does not exist yet: they also race to make it."""
    jobs = [
        [(f"2024-{month:02}-{day:02}", 10 * month + day) for day in range(1, 5)]
        for month in range(1, 4)
    ]
    done = at_once(overwrite, [(str(lake.root), job) for job in jobs])
    assert [len(found) for found in done] == [4, 4, 4]
    whole = lake.table("t").read(first="2024-01-01", last="2024-12-31")
    wanted = {token: 20 for job in jobs for _, token in job}
    assert Counter(whole.column("writer").to_pylist()) == wanted


def test_a_table_that_somebody_else_makes_meanwhile_is_used(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    create = DeltaTable.create

    def overtaken(*arguments: object, **options: object) -> None:
        create(*arguments, **options)
        raise CommitFailedError("protocol changed since last commit")

    monkeypatch.setattr(DeltaTable, "create", overtaken)
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    assert numbers(lake, D1) == [1]


def test_losing_every_race_is_a_transient_error(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake.exceptions import CommitFailedError

    def lose(*_: object, **__: object) -> None:
        raise CommitFailedError("concurrent transactions added new data")

    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    monkeypatch.setattr("deltalake.DeltaTable.create_write_transaction", lose)
    monkeypatch.setattr("mlops_tasks.lake.publish.time.sleep", lambda _: None)
    with pytest.raises(CommitConflictError, match="nothing was changed, run the task again"):
        overwrite_partition(lake.table("t"), D1, rows(2), token=2)
    assert numbers(lake, D1) == [1]


# --- schema


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (pa.table({"n": [1.5], "text": ["x"]}), "n: table has int64, rows have double"),
        (pa.table({"n": ["77"], "text": ["x"]}), "n: table has int64, rows have string"),
        (pa.table({"n": [1]}), "text: table has string, rows have no such column"),
        (
            pa.table({"n": pa.array([1], pa.int32()), "text": ["x"]}),
            "n: table has int64, rows have int32",
        ),
        (
            pa.table({"N": [1], "text": ["x"]}),
            "n: table has int64, rows have no such column",
        ),
    ],
)
def test_rows_of_another_shape_are_refused(lake: Lake, wrong: pa.Table, message: str) -> None:
    before = overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    for partition in (D1, D2):
        with pytest.raises(SchemaMismatchError, match=message):
            overwrite_partition(lake.table("t"), partition, wrong, token=2)
    assert lake.table("t").version == before.version
    assert numbers(lake, D1) == [1]


@pytest.mark.parametrize(
    "values",
    [
        pa.nulls(1),
        pa.array([1], pa.uint64()),
        pa.array([1], pa.timestamp("ns", tz="UTC")),
        pa.array([1], pa.timestamp("us", tz="America/New_York")),
        pa.array(["a"]).dictionary_encode(),
        pa.array([[1]]),
        pa.array([b"a"]),
    ],
    ids=lambda values: str(values.type),
)
def test_what_a_table_cannot_hold_is_refused_and_makes_no_table(
    lake: Lake, values: pa.Array
) -> None:
    with pytest.raises(SchemaMismatchError, match=r"x: .* is not kept"):
        overwrite_partition(lake.table("t"), D1, pa.table({"x": values}), token=1)
    assert not lake.exists("t")


def test_a_column_is_named_once_in_any_case(lake: Lake) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "X"])
    with pytest.raises(SchemaMismatchError, match="X: comes twice"):
        overwrite_partition(lake.table("t"), D1, twice, token=1)


def test_naive_times_are_not_taken_for_utc(lake: Lake) -> None:
    from datetime import UTC, datetime

    moment = datetime(2024, 3, 1)
    aware = pa.table({"at": pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("us", "UTC"))})
    naive = pa.table({"at": pa.array([moment], pa.timestamp("us"))})
    overwrite_partition(lake.table("t"), D1, aware, token=1)
    with pytest.raises(SchemaMismatchError, match="at: table has timestamp"):
        overwrite_partition(lake.table("t"), D1, naive, token=2)


def test_storage_variants_and_column_order_are_no_difference(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    large = pa.table({"text": pa.array(["row 2"], pa.large_string()), "n": [2]})
    overwrite_partition(lake.table("t"), D2, large, token=2)
    both = lake.table("t").read(first=D1, last=D2).sort_by("n")
    assert both.to_pylist() == [{"n": 1, "text": "row 1"}, {"n": 2, "text": "row 2"}]


# --- pins


def test_a_pin_reads_the_same_rows_after_later_writes(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    pin = lake.table("t").pin(first=D1, last=D2)
    overwrite_partition(lake.table("t"), D1, rows(3), token=2)
    overwrite_partition(lake.table("t"), D2, rows(4), token=3)
    assert sorted(lake.table(pin.table).read_pin(pin).column("n").to_pylist()) == [1, 2]
    assert (pin.n_rows, pin.columns) == (2, ("n", "text"))


def test_a_pin_of_an_older_version_and_some_columns(lake: Lake) -> None:
    old = overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    overwrite_partition(lake.table("t"), D1, rows(2), token=2)
    pin = lake.table("t").pin(first=D1, last=D1, version=old.version)
    assert lake.table(pin.table).read_pin(pin).column("n").to_pylist() == [1]
    assert pin.versions == (old.version,)


def test_a_new_column_is_added_and_older_days_have_nulls(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    wider = rows(2).append_column("more", pa.array([7], pa.int64()))
    overwrite_partition(lake.table("t"), D2, wider, token=2)
    assert lake.table("t").read(first=D1, last=D2, columns=["n", "more"]).sort_by(
        "n"
    ).to_pydict() == {
        "n": [1, 2],
        "more": [None, 7],
    }


def test_verifying_a_pin_names_the_partition_and_the_file_that_differ(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    overwrite_partition(lake.table("t"), D2, rows(3), token=1)
    pin = lake.table("t").pin(first=D1, last=D2)
    lake.table(pin.table).verify_pin(pin)
    (file,) = (lake.root / "t" / f"partition_key={D1}").glob("*.parquet")
    size = file.stat().st_size
    pq.write_table(rows(1, 3), file, compression="none", write_statistics=False)
    other = f"partition {D1}: {file.name} is not as it was written .* bytes, {size} were"
    with pytest.raises(DamagedTableError, match=other):
        lake.table(pin.table).verify_pin(pin)
    pq.write_table(rows(1), file, compression="none", write_statistics=False, store_schema=False)
    padded(file, size)
    with pytest.raises(DamagedTableError, match=rf"{file.name} .* 1 rows, 2 were committed"):
        lake.table(pin.table).verify_pin(pin)
    pq.write_table(rows(1, 3), file, compression="zstd", store_schema=False)
    padded(file, size)
    with pytest.raises(DamagedTableError, match=f"{D1}: content has digest .* of {file.name};"):
        lake.table(pin.table).verify_pin(pin)


@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
def test_a_damaged_file_is_named_with_its_table(lake: Lake, damage: str) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    pin = lake.table("t").pin(first=D1, last=D1)
    (file,) = (lake.root / "t" / f"partition_key={D1}").glob("*.parquet")
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(whole[:-9] if damage == "cut" else b"x" * len(whole))
    with pytest.raises(DamagedTableError, match=r"table 't': (a )?data file"):
        lake.table(pin.table).read_pin(pin)
    with pytest.raises(DamagedTableError, match=f"table 't' version 1, partition {D1}"):
        lake.table(pin.table).verify_pin(pin)


READS = {
    "read": lambda lake, pin: lake.table("t").read(first=D1, last=D2),
    "load": lambda lake, pin: lake.table("t").load(lake.table(pin.table).pinned_commits(pin)),
    "scan": lambda lake, pin: lake.table("t").scan(lake.table(pin.table).pinned_commits(pin)),
    "read_pin": lambda lake, pin: lake.table(pin.table).read_pin(pin),
    "scan_pin": lambda lake, pin: lake.table(pin.table).scan_pin(pin),
    "stream_pin": lambda lake, pin: list(lake.table(pin.table).stream_pin(pin)),
    "stream": lambda lake, pin: list(lake.table("t").stream(lake.table("t").commits(), ["n"])),
}


@pytest.fixture
def pinned(lake: Lake) -> Pin:
    overwrite_partition(lake.table("t"), D1, rows(*range(100)), token=1)
    overwrite_partition(lake.table("t"), D2, rows(*range(40)), token=1)
    return lake.table("t").pin(first=D1, last=D2)


def replaced(lake: Lake, with_rows: pa.Table) -> str:
    """Replace the first day's file by another valid one."""
    (file,) = (lake.root / "t" / f"partition_key={D1}").glob("*.parquet")
    pq.write_table(with_rows, file)
    return file.name


@pytest.mark.parametrize("how", READS)
def test_a_file_replaced_by_a_smaller_valid_one_is_never_read(
    lake: Lake, pinned: Pin, how: str
) -> None:
    (committed,) = lake.table("t").commits(first=D1, last=D1)[0].files
    name = replaced(lake, rows(*range(5)))
    found = (lake.table("t").folder / committed.path).stat().st_size
    told = f"table 't': data file .*{name} has {found} bytes, {committed.size} were committed"
    with pytest.raises(DamagedTableError, match=told):
        READS[how](lake, pinned)
    assert numbers(lake, D2) == list(range(40)), "the other day is as good as ever"


@pytest.mark.parametrize("how", READS)
def test_a_file_of_the_same_size_with_other_rows_is_never_read(
    lake: Lake, pinned: Pin, how: str
) -> None:
    (committed,) = lake.table("t").commits(first=D1, last=D1)[0].files
    name = replaced(lake, rows(*range(5)))
    path = lake.table("t").folder / committed.path
    padded(path, committed.size)
    assert (path.stat().st_size, pq.read_metadata(path).num_rows) == (committed.size, 5)
    told = f"table 't': data file .*{name} has 5 rows, 100 were committed"
    with pytest.raises(DamagedTableError, match=told):
        READS[how](lake, pinned)


def padded(path: Path, size: int) -> None:
    """Let a Parquet file be longer, and valid still: what lies before its footer is its own."""
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    path.write_bytes(whole[:-footer] + bytes(size - len(whole)) + whole[-footer:])


def test_streaming_a_pin_gives_its_rows_in_the_order_of_the_days(lake: Lake, pinned: Pin) -> None:
    streamed = pa.Table.from_batches(lake.table(pinned.table).stream_pin(pinned))
    assert streamed.equals(lake.table(pinned.table).read_pin(pinned).combine_chunks())
    assert streamed.column("n").to_pylist() == [*range(100), *range(40)]
    assert (
        sum(batch.num_rows for batch in lake.table(pinned.table).stream_pin(pinned, first=D2)) == 40
    )


def test_a_damaged_page_is_told_while_a_pin_is_streamed(lake: Lake, pinned: Pin) -> None:
    (file,) = (lake.root / "t" / f"partition_key={D1}").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:60] + bytes([whole[60] ^ 4]) + whole[61:])
    with pytest.raises(DamagedTableError, match="'t': a data file cannot be read as it was"):
        list(lake.table(pinned.table).stream_pin(pinned))


def test_streaming_a_pin_holds_little_of_it(lake: Lake) -> None:
    numbers = pa.table({"x": pa.array(range(1_000_000), pa.int64())})
    for day in range(1, 7):
        overwrite_partition(lake.table("t"), f"2024-03-0{day}", numbers, token=1)
    pin = lake.table("t").pin(first=D1, last="2024-03-06")
    before = pa.total_allocated_bytes()
    batches = lake.table(pin.table).stream_pin(pin)
    first = next(batches)
    time.sleep(0.3)  # so that whoever reads ahead can
    held = pa.total_allocated_bytes() - before
    assert held < 1.2 * numbers.nbytes, "of six days, less than the rest of the first"
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 6_000_000


def test_a_stream_that_nobody_reads_to_its_end_ends(lake: Lake, pinned: Pin) -> None:
    threads = threading.active_count()
    batches = lake.table(pinned.table).stream_pin(pinned)
    next(batches)
    batches.close()
    assert threading.active_count() <= threads


def test_looking_at_footers_reads_each_of_them_once(lake: Lake, pinned: Pin) -> None:
    """What the comparison learns is what the scan needs anyway."""
    scanned = lake.table(pinned.table).scan_pin(pinned)
    for file in lake.root.rglob("*.parquet"):
        whole = file.read_bytes()
        file.write_bytes(whole[:-8] + bytes(8))  # no reader could find its footer now
    assert scanned.to_table().num_rows == 140


# --- names


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_cannot_leave_its_folder_or_its_quotes(lake: Lake, name: str) -> None:
    with pytest.raises(SpecError, match="is not allowed"):
        overwrite_partition(lake.table(name), D1, rows(1), token=1)
    with pytest.raises(SpecError, match="is not allowed"):
        lake.table(name).read(first=D1, last=D1)
    assert not lake.root.exists()


@pytest.mark.parametrize("partition", BAD_PARTITIONS)
def test_a_partition_is_a_day_or_nothing(lake: Lake, partition: str) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    for call in (
        lambda: overwrite_partition(lake.table("t"), partition, rows(2), token=2),
        lambda: lake.table("t").read(first=partition, last=D2),
        lambda: lake.table("t").read(first=D1, last=partition),
        lambda: lake.table("t").pin(first=partition, last=partition),
    ):
        with pytest.raises(SpecError, match="is not a day: write it as YYYY-MM-DD"):
            call()
    assert numbers(lake, D1) == [1]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_no_text_gets_through_but_plain_names_and_days(text: str) -> None:
    for check, alphabet in ((check_name, "a-z0-9_"), (check_partition, "0-9-")):
        try:
            accepted = check(text)
        except SpecError:
            continue
        assert set(accepted) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-"), alphabet


def test_the_root_may_lie_anywhere(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "with space" / "100% öffentlich")
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    assert numbers(lake, D1) == [1]
    assert lake.table("t").partitions() == [D1]
