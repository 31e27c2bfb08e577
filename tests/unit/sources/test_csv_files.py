"""CSV, strictly: a file is read byte for byte, or refused; where blocks end decides nothing."""

from __future__ import annotations

import csv
import gzip
import io
import random
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import fs

from mlops_tasks.exceptions import (
    EmptyPartitionError,
    SchemaMismatchError,
    SourceQueryError,
    SpecError,
)
from mlops_tasks.sources import FileStore
from mlops_tasks.sources.csv_blocks import row_blocks
from mlops_tasks.specs.source import FileSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.steps.ingest import IngestResult

DAY = day(0)
TEXTS = {"id": "int64", "s": "string"}
MIB = 2**20


@pytest.fixture
def take(tmp_path: Path, lake: Lake) -> Any:
    """Take one day's files in; return the rows, ordered by id, and the result."""
    tokens = count(1)

    def taken(
        content: bytes | dict[str, bytes], columns: dict[str, str] | None = None, **changes: Any
    ) -> tuple[list[dict[str, Any]], IngestResult]:
        files = content if isinstance(content, dict) else {"a.csv": content}
        (tmp_path / DAY).mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / DAY / name).write_bytes(text)
        source = FileSource(conn_id="drop", path="{partition}", format="csv")
        fields = {"source": source, "columns": columns or TEXTS, "key": ("id",)}
        spec = orders_dataset(tmp_path, **{**fields, **changes})
        store = FileStore(fs.LocalFileSystem(), str(tmp_path))
        result = ingest(spec, DAY, source=store, lake=lake, token=next(tokens))
        rows = lake.table("orders__raw").read(first=DAY, last=DAY)
        return sorted(rows.to_pylist(), key=lambda row: str(row[spec.key[0]])), result

    return taken


def blocks(content: bytes, size: int) -> list[bytes]:
    return list(row_blocks(io.BytesIO(content), ",", size))


# --- byte for byte


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'1,"A\r\nB"\n', "A\r\nB"),
        (b'1,"A\rB"\n', "A\rB"),
        (b'1,"A\n\n\nB"\n', "A\n\n\nB"),
        (b'1,"\nA\n"\n', "\nA\n"),
        (b"1,a\x00b\n", "a\x00b"),
        (b"1,\xef\xbb\xbfa\n", "\ufeffa"),
        (b'1,"a""b"\n', 'a"b'),
        (b'1,""""\n', '"'),
        (b'1,""\n', ""),
        (b'1,5" pipe\n', '5" pipe'),
        (b'1,say "hi", or not\n', None),
        (b'1, "a"\n', ' "a"'),
        (b"1,C:\\dir\\\n", "C:\\dir\\"),
        (b'1,"C:\\dir\\"\n', "C:\\dir\\"),
        (b"1, a \n", " a "),
        (b"1,a", "a"),
        (b"1,a\r\n", "a"),
        (b"1,a\r", "a"),
        ("1,ä→😀\n".encode(), "ä→😀"),
    ],
)
def test_a_value_is_what_the_file_has(take: Any, content: bytes, value: str | None) -> None:
    if value is None:  # a comma that no quote protects
        with pytest.raises(SourceQueryError, match=r"row 1 below the header: Expected 2 columns"):
            take(b"id,s\n" + content)
        return
    rows, _ = take(b"id,s\n" + content)
    assert rows == [{"id": 1, "s": value}]


@pytest.mark.parametrize("shift", range(-4, 5))
@pytest.mark.parametrize("ending", [b"A\r\nB", b'A""B', b"A\r", b"\xc3\xa4"])
def test_no_byte_is_lost_where_a_block_ends(take: Any, shift: int, ending: bytes) -> None:
    head = b'id,s\n1,"'
    value = b"z" * (MIB - len(head) + shift) + ending
    rows, _ = take(head + value + b'"\r\n2,"\n"\r\n')
    assert rows[0]["s"].encode() == value.replace(b'""', b'"')
    assert rows[1] == {"id": 2, "s": "\n"}


def test_a_block_that_begins_with_a_byte_order_mark_keeps_it(take: Any) -> None:
    first = b"\xef\xbb\xbfs,id\n" + b"x" * (MIB - 10) + b",1\n"
    rows, _ = take(first + b"\xef\xbb\xbfa,2\n")
    assert rows[1] == {"id": 2, "s": "\ufeffa"}


@pytest.mark.parametrize("quoted", [True, False])
def test_a_value_may_be_longer_than_a_block(take: Any, quoted: bool) -> None:
    text = b"z" * 2_500_000
    rows, _ = take(b'id,s\n1,"' + text + b'"\n2,x\n' if quoted else b"id,s\n1," + text + b"\n2,x\n")
    assert [len(row["s"]) for row in rows] == [len(text), 1]


def test_a_row_has_an_upper_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_tasks.sources.csv_blocks.LONGEST_ROW", MIB)
    assert len(blocks(b"a," + b"z" * (MIB - 4) + b"\n", 1000)) == 1
    with pytest.raises(ValueError, match=r"begins in line 2 is longer than 1 MiB; is a quote not"):
        blocks(b'a,b\n1,"' + b"z\n" * MIB, 1000)


# --- or refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'1,a\n2,"12 inch\n' + b"3,b\n" * 997, "ends inside a quoted value that begins in line 3"),
        (b'1,a\n2,"12 inch\n3,b\n4,"c"\n', r"line 5: text follows a closing quote"),
        (b'1,"cut of', "ends inside a quoted value that begins in line 2"),
        (b'1,"cut off""', "ends inside a quoted value"),
        (b'1,"a \\"b\\" c"\n', "line 2: text follows a closing quote.*never behind a backslash"),
        (b'1,"a" \n', "line 2: text follows a closing quote"),
        (b'1,"a"b"c"\n', "line 2: text follows a closing quote"),
        (b'"1"x,a\n', "line 2: text follows a closing quote"),
        (b"1,a\n2,b,c\n", "row 2 below the header: Expected 2 columns, got 3"),
        (b"1,a\n2\n", "row 2 below the header: Expected 2 columns, got 1"),
        (b"1,a\n2,\xff\n", "UTF8"),
        (b"1,a\nid,s\n2,b\n", "row 2 below the header names the columns again; were files joined"),
        (b'1,a\n"id","s"\n', "row 2 below the header names the columns again"),
    ],
)
def test_a_damaged_file_is_refused_and_named(
    take: Any, lake: Lake, content: bytes, message: str
) -> None:
    whole = {"a.csv": b"id,s\n0,fine\n", "b.csv": b"id,s\n" + content}
    with pytest.raises(SourceQueryError, match=f"(?s)b.csv.*({message})"):
        take(whole)
    assert lake.table("orders__raw").partitions() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,s\n1,ä\n".encode("utf-16"), "it is UTF-16; have it written as UTF-8"),
        (b"\xfe\xff" + "id,s\n1,ä\n".encode("utf-16-be"), "it is UTF-16"),
        (gzip.compress(b"id,s\n1,a\n", mtime=0), r"it is packed; have its name end in \.gz"),
        (pa.compress(b"id,s\n1,a\n", "zstd", asbytes=True), r"it is packed; .* in \.zst"),
        (b"PK\x03\x04\x14\x00\x06\x00", "it is a ZIP archive, as workbooks of Excel are"),
    ],
)
def test_what_is_no_text_in_utf_8_is_named_for_what_it_is(
    take: Any, content: bytes, message: str
) -> None:
    with pytest.raises(SourceQueryError, match=rf"b\.csv' cannot be read: {message}"):
        take({"a.csv": b"id,s\n0,fine\n", "b.csv": content})


def test_a_second_header_is_found_behind_any_block(take: Any) -> None:
    part = b"id,s\n" + b"".join(b"%d,%s\n" % (i, b"x" * 1000) for i in range(3000))
    texts = {"columns": {"id": "string", "s": "string"}}
    with pytest.raises(SourceQueryError, match="row 3001 below the header names the columns"):
        take(part + part, **texts)


def test_a_value_may_be_the_name_of_its_column(take: Any) -> None:
    rows, _ = take(b"id,s\nid,a\nb,s\n", {"id": "string", "s": "string"})
    assert rows == [{"id": "b", "s": "s"}, {"id": "id", "s": "a"}]
    assert take(b"id\nid\n", {"id": "string"})[0] == [{"id": "id", "s": None}]


def test_the_row_of_an_error_counts_all_blocks_before(take: Any) -> None:
    rows = b"".join(b"%d,%s\n" % (i, b"x" * 1000) for i in range(3000))
    with pytest.raises(SourceQueryError, match="row 3001 below the header: Expected 2 columns"):
        take(b"id,s\n" + rows + b"1,2,3\n")


def test_a_packed_file_that_is_cut_off_is_refused(take: Any) -> None:
    packed = gzip.compress(b"id,s\n" + b"1,a\n" * 1000)
    with pytest.raises(SourceQueryError, match=r"a\.csv\.gz.*Truncated"):
        take({"a.csv.gz": packed[:-4]})


def test_packed_parts_that_were_joined_are_all_read(take: Any) -> None:
    rows, _ = take({"a.csv.gz": gzip.compress(b"id,s\n1,a\n") + gzip.compress(b"2,b\n")})
    assert [row["id"] for row in rows] == [1, 2]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_what_is_taken_and_refused_is_what_the_format_says(size: int) -> None:
    """Against the standard library's strict reader, over made-up texts of the bytes that matter."""
    random_ = random.Random(size)
    for _ in range(2000):
        length = random_.randint(1, 14)
        content = "".join(random_.choice('ab",\n\r"') for _ in range(length)).encode()
        try:
            list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
        except csv.Error:
            with pytest.raises(ValueError, match="quote"):
                blocks(content, size)
        else:
            assert b"".join(blocks(content, size)) == content


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "§"])
def test_a_delimiter_is_one_byte_of_its_own(delimiter: str) -> None:
    with pytest.raises(SpecError, match="delimiter"):
        FileSource(conn_id="drop", path="{partition}", format="csv", delimiter=delimiter)


# --- types


@pytest.mark.parametrize("n", [1, 200_000])
def test_an_empty_timestamp_lacks_no_zone(take: Any, n: int) -> None:
    """There is no time whose zone could be missing; one zoned time in another block is taken."""
    content = b"id,cancelled_at\n0,2024-03-01T05:00:00Z\n" + b"".join(
        b"%d,\n" % i for i in range(1, n)
    )
    for text in (content, b"id,cancelled_at\n1,\n"):
        rows, _ = take(text, {"id": "int64", "cancelled_at": "timestamp?"})
    assert rows == [{"id": 1, "cancelled_at": None}]


def test_every_time_is_read_by_itself(take: Any) -> None:
    """Local times and instants, in one block or in two, mean what they mean alone."""
    near = [b"1,2024-03-01T12:00:00Z", b"2,2024-03-01 12:00:00", b"3,"]
    far = b"\n".join([near[0], *[b"%d," % i for i in range(10, 300_000)], near[1], near[2]])
    columns = {"id": "int64", "at": "timestamp?"}
    hours = []
    for text in (b"\n".join(near), far):
        rows, _ = take(b"id,at\n" + text, columns, timezone="America/New_York")
        at = {row["id"]: row["at"] for row in rows}
        hours.append((at[1].hour, at[2].hour, at[3]))
    assert hours == [(12, 17, None)] * 2


def test_a_column_that_only_the_table_knows_is_no_reason_to_refuse_a_day(
    take: Any, lake: Lake
) -> None:
    take(b"id,s,n\n1,a,7\n", {**TEXTS, "n": "int64"})
    rows, result = take(b"id,s,n\n1,a,8\n2,b,many\n")
    assert rows == [{"id": 1, "s": "a", "n": None}, {"id": 2, "s": "b", "n": None}]
    assert result.notes[0].startswith("column 'n' (string) is not kept: it is int64, a value is")
    rows, result = take(b"id,s,n\n1,a,8\n")
    assert (rows[0]["n"], result.notes) == (8, ())
    with pytest.raises(SchemaMismatchError, match="'n': the contract says 'int64'"):
        take(b"id,s,n\n1,a,many\n", {**TEXTS, "n": "int64"})


# --- the first line


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_file_with_nothing_but_names_has_no_rows(take: Any, end: bytes) -> None:
    with pytest.raises(EmptyPartitionError):
        take(b"id,s" + end)
    rows, _ = take({"a.csv": b"id,s" + end, "b.csv": b"id,s\n1,a" + end})
    assert [row["id"] for row in rows] == [1]


@pytest.mark.parametrize("names", [b"id,s,,", b"id,s,extra,extra"])
def test_a_name_beyond_the_contract_may_come_twice(take: Any, names: bytes) -> None:
    rows, result = take(names + b"\n1,a,b,c\n")
    assert [row["s"] for row in rows] == ["a"]
    assert set(rows[0]) == {"id", "s"}
    assert "is not kept: the source gives it more than once" in result.notes[0]


@pytest.mark.parametrize("names", [b"id," + b"x" * 10**6, b"id," + b",".join([b"column"] * 10**5)])
def test_what_is_said_of_names_is_short(take: Any, names: bytes) -> None:
    with pytest.raises(
        SchemaMismatchError, match=r"gives no column \['s'\].*x\.\.\.x|, \.\.\.\]"
    ) as error:
        take(names + b"\n")
    assert len(str(error.value)) < 1500
    _, result = take(b"id,s," + b"x" * 10**6 + b"\n1,a,b\n")
    assert sum(map(len, result.notes)) < 500


def test_a_name_of_the_contract_comes_once(take: Any) -> None:
    with pytest.raises(SchemaMismatchError, match=r"gives \['s'\] more than once"):
        take(b"id,s,s\n1,a,b\n")


def test_a_number_that_no_float_holds_is_refused(take: Any) -> None:
    with pytest.raises(SchemaMismatchError, match=r"'x'.*'1e400' is too big for a float \(file"):
        take(b"id,x\n1,inf\n2,1e400\n", {"id": "int64", "x": "float64?"})
