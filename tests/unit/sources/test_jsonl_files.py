"""JSON lines: one object a line, exact numbers, and columns that all lines together have."""

from __future__ import annotations

import json
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import fs

from mlops_tasks.exceptions import MlopsError, SchemaMismatchError, SourceQueryError
from mlops_tasks.sources import FileStore
from mlops_tasks.specs.source import FileSource
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.steps.ingest import IngestResult

DAY = day(0)
TEXTS = {"id": "int64", "s": "string?"}
MIB = 2**20


@pytest.fixture
def take(tmp_path: Path, lake: Lake) -> Any:
    """Take one day's files in; return the rows, ordered by id, and the result."""
    tokens = count(1)

    def taken(
        content: bytes | dict[str, bytes], columns: dict[str, str] | None = None, **changes: Any
    ) -> tuple[list[dict[str, Any]], IngestResult]:
        files = content if isinstance(content, dict) else {"a.jsonl": content}
        folder = tmp_path / DAY
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, text in files.items():
            (folder / name).write_bytes(text)
        source = FileSource(conn_id="drop", path="{partition}", format="jsonl")
        fields = {"source": source, "columns": columns or TEXTS, "key": ("id",)}
        spec = orders_dataset(tmp_path, **{**fields, **changes})
        store = FileStore(fs.LocalFileSystem(), str(tmp_path))
        result = ingest(spec, DAY, source=store, lake=lake, token=next(tokens))
        rows = lake.table("orders__raw").read(first=DAY, last=DAY)
        return sorted(rows.to_pylist(), key=lambda row: str(row["id"])), result

    return taken


def text(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


# --- byte for byte


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"id": 1, "s": "a\\u0000\\r\\nb"}\r\n', "a\x00\r\nb"),
        (b'\xef\xbb\xbf{"id": 1, "s": "\xef\xbb\xbfa"}', "\ufeffa"),
        (b'\n \r\n {"id": 1, "s": "a"} \n\n', "a"),
        (b'{"id": 1, "s": "} null {\\"a\\": 1}"}\n', '} null {"a": 1}'),
        (b'{"id": 1, "s": "\\ud83d\\ude00"}\n', "😀"),
        (b'{"id": 1}\n', None),
        (b'{"id": 1, "s": null}', None),
        (b'{"id": 1, "s": ""}\n', ""),
    ],
)
def test_a_value_is_what_the_file_has(take: Any, content: bytes, value: str | None) -> None:
    rows, _ = take(content)
    assert rows == [{"id": 1, "s": value}]


@pytest.mark.parametrize("length", [MIB - 20, MIB, 2_500_000])
def test_a_line_may_be_longer_than_a_block(take: Any, length: int) -> None:
    rows, _ = take(text({"id": 1, "s": "z" * length}, {"id": 2, "s": "x"}))
    assert [len(row["s"]) for row in rows] == [length, 1]


def test_a_line_has_an_upper_bound(take: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_tasks.sources.jsonl_blocks.LONGEST_ROW", MIB)
    with pytest.raises(SourceQueryError, match="line 2 is longer than 1 MiB"):
        take(text({"id": 1, "s": "x" * (MIB - 99)}, {"id": 2, "s": "z" * 2 * MIB}))


# --- or refused


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": 2, "s": "cut o', "line 2 is no JSON"),
        ('{"id": 2', "line 2 is no JSON"),
        ('{"id": 2, "id": 3}', "'id' stands twice"),
        ('{"id": 2, "x": 3, "x": 3}', "'x' stands twice"),
        ('{"id": 2} xyz', "line 2 is no JSON: Extra data"),
        ('{"id": 2}{"id": 3}', "line 2 is no JSON: Extra data"),
        ('{"id": 2} null', "line 2 is no JSON: Extra data"),
        ('{"id": 2} null {"id": 3}', "line 2 is no JSON: Extra data"),
        ("null", "line 2 is no JSON object"),
        ("[1]", "line 2 is no JSON object"),
        ("7", "line 2 is no JSON object"),
        ('{"id":\n2}', "line 2 is no JSON"),
        ('{"id": 2,}', "line 2 is no JSON"),
        ("{'id': 2}", "line 2 is no JSON"),
        ('{"id": 2, "s": "a\tb"}', "line 2 is no JSON"),
        ('{"id": 2, "s": "\udcff"}', "line 2 is no UTF-8"),
        ('{"id": 2, "s": "\\ud800"}', "surrogate"),
    ],
)
@pytest.mark.parametrize("extra_columns", ["keep", "ignore"])
def test_a_damaged_file_is_refused_and_named(
    take: Any, lake: Lake, line: str, message: str, extra_columns: str
) -> None:
    if "'x'" in message and extra_columns == "ignore":
        return  # nobody reads it
    content = f'{{"id": 1}}\n{line}\n'.encode(errors="surrogateescape")
    with pytest.raises(SourceQueryError, match=f"b.jsonl.*{message}"):
        take({"a.jsonl": b"", "b.jsonl": content}, extra_columns=extra_columns)
    assert lake.table("orders__raw").partitions() == []


def test_a_file_in_utf_16_is_named_for_what_it_is(take: Any) -> None:
    with pytest.raises(SourceQueryError, match=r"a\.jsonl' cannot be read: it is UTF-16"):
        take('{"id": 1, "s": "a"}\n'.encode("utf-16"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("int64", "9223372036854775808"),
        ("int64", "1.0"),
        ("int64", "1e3"),
        ("int64", "NaN"),
        ("int64", "true"),
        ("int64", '"1"'),
        ("string", "5"),
        ("string", '{"a": 1}'),
        ("string", "[]"),
        ("float64", '"1.5"'),
        ("float64", "true"),
        ("bool", "1"),
        ("bool", '"true"'),
        ("date", "20240301"),
        ("date", '"20000-01-01"'),
        ("date", '"2024-03-01T00:00:00Z"'),
        ("timestamp", "1709286000"),
        ("timestamp", '"2024-03-01T10:00:00"'),
        ("timestamp", '"2024-03-01T23:59:60Z"'),
    ],
)
def test_a_value_of_another_type_is_named(take: Any, column: str, value: str) -> None:
    content = f'{{"id": 1}}\n{{"id": 2, "x": {value}}}\n'.encode()
    with pytest.raises(SchemaMismatchError, match=rf"column 'x': the contract says '{column}\?'"):
        take(content, {"id": "int64", "x": f"{column}?"})


def test_the_line_of_an_error_counts_all_lines_before(take: Any) -> None:
    before = b'\n{"id": 1}\n' * (MIB // 8)
    with pytest.raises(SourceQueryError, match=rf"surrogate.* in line {MIB // 4 + 1};"):
        take(before + b'{"id": 2, "s": "\\ud800"}\n')


@pytest.mark.parametrize("extra_columns", ["keep", "ignore"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_values_may_be_nested_but_not_without_end(
    take: Any, opening: str, closing: str, extra_columns: str
) -> None:
    def nested(depth: int) -> bytes:
        return f'{{"id": 1, "x": {opening * depth}1{closing * depth}}}\n'.encode()

    many = b'{"id": 2, "s": "' + b"[" * 100_000 + b'"}\n'
    rows, _ = take(nested(400) + many, extra_columns=extra_columns)
    assert [row["id"] for row in rows] == [1, 2]
    with pytest.raises(SourceQueryError, match="line 2 is nested too deeply"):
        take(b'{"id": 2}\n' + nested(200_000), extra_columns=extra_columns)


@pytest.mark.parametrize("extra_columns", ["keep", "ignore"])
def test_a_name_that_is_no_text_is_refused(take: Any, extra_columns: str) -> None:
    with pytest.raises(SourceQueryError, match=r"surrogate|no Unicode text"):
        take(b'{"id": 1, "\\ud800": 1}\n', extra_columns=extra_columns)


def test_a_number_that_no_float_holds_is_refused(take: Any) -> None:
    with pytest.raises(MlopsError, match="too big"):
        take(b'{"id": 1, "x": 1e400}\n', {"id": "int64", "x": "float64?"})


BEYOND = ["9" * 309, "-" + "9" * 400 + ".5", "17976931348623159" + "0" * 292, "9" * 5000]


@pytest.mark.parametrize("number", BEYOND)
def test_digits_that_no_float_holds_are_refused_with_their_line(take: Any, number: str) -> None:
    lines = f'{{"id": 1, "x": Infinity}}\n\n{{"id": 2, "x": {number}}}\n'
    with pytest.raises(MlopsError, match=r"number in line 3 is too big|line 3 has a number of"):
        take(lines.encode(), {"id": "int64", "x": "float64?"})


@pytest.mark.parametrize("number", BEYOND)
def test_in_a_column_beyond_the_contract_they_stop_no_day(take: Any, number: str) -> None:
    lines = f'{{"id": 1, "x": 0.5}}\n{{"id": 2, "x": {number}}}\n'
    rows, result = take(lines.encode(), {"id": "int64"})
    assert rows == [{"id": 1}, {"id": 2}]
    assert any("'x'" in note and "too big for a float" in note for note in result.notes)


def test_numbers_at_the_end_of_all_floats_and_infinity_are_taken(take: Any) -> None:
    largest = "1797693134862315" + "7" + "0" * 292
    words = ["Infinity", "-Infinity", "Inf", "1" + "0" * 400 + "e-400", largest]
    lines = "".join(f'{{"id": {i}, "x": {word}}}\n' for i, word in enumerate(words))
    rows, _ = take(lines.encode(), {"id": "int64", "x": "float64?"})
    inf = float("inf")
    assert [row["x"] for row in rows] == [inf, -inf, inf, 1.0, sys.float_info.max]


def test_integers_are_exact(take: Any) -> None:
    ends = [2**63 - 1, -(2**63), 2**53 + 1, 0, None]
    content = text(*({"id": i, "x": x, "y": x} for i, x in enumerate(ends)))
    rows, result = take(content, {"id": "int64", "x": "int64?"})
    assert [row["x"] for row in rows] == [row["y"] for row in rows] == ends
    assert result.notes[0].endswith("y (int64)")


# --- which columns, of which types


@pytest.mark.parametrize("order", [1, -1])
def test_a_key_that_is_left_out_is_null(take: Any, order: int) -> None:
    """Also where it begins behind the first lines of the file."""
    rows = [*({"id": i} for i in range(1500)), {"id": 1500, "tip": 2.5}]
    taken, _ = take(text(*rows[::order]), {"id": "int64", "tip": "float64?"})
    assert [row["tip"] for row in taken if row["tip"] is not None] == [2.5]
    assert len(taken) == 1501


def test_a_file_without_lines_has_no_rows(take: Any) -> None:
    for nothing in (b"", b"\n", b"\xef\xbb\xbf", b" \r\n\n"):
        rows, _ = take({"00.jsonl": nothing, "01.jsonl": b'{"id": 2}\n', "02.jsonl": nothing})
        assert rows == [{"id": 2, "s": None}]


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        (1, 2.5, "double"),
        (2.5, 1, "double"),
        (None, "x", "string"),
        ("2024-03-01 00:00:00", "x", "string"),
        ("2024-03-01 00:00:00", "2024-03-01 00:00:00", "string"),
        (None, 2**53 + 1, "int64"),
        (True, None, "bool"),
        (1, "x", None),
        (1, True, None),
        (2**53 + 1, 0.5, None),
        (2**63, 1, None),
        (0.5, 2**63, None),
        ({"a": 1}, None, None),
        ([], "x", None),
        (None, None, None),
    ],
)
@pytest.mark.parametrize("apart", ["a line", "a block", "a file"])
@pytest.mark.parametrize("new", [True, False])
def test_a_column_beyond_the_contract_has_the_type_of_all_its_values(
    take: Any, first: Any, last: Any, kind: str | None, apart: str, new: bool
) -> None:
    """Also where the first lines say something else, or do not have it, and the table is old."""
    if not new:
        take(text({"id": 1}))
    rows = [{"id": 1, "extra": first}, {"id": 2, "extra": last}]
    if apart == "a file":
        content: Any = {"a.jsonl": text(rows[0]), "b.jsonl": text(rows[1])}
    else:
        between = MIB if apart == "a block" else 1
        content = text(rows[0], {"id": 3, "s": "x" * between}, rows[1])
    taken, result = take(content)
    if kind is None:
        assert "'extra'" in result.notes[0]
        assert "not kept" in result.notes[0]
        assert "extra" not in taken[0]
    else:
        assert result.notes[0].endswith(f"extra ({kind})")
        assert [row["extra"] for row in taken[:2]] == [first, last]


def test_a_column_that_changes_its_type_is_left_out_of_that_day(take: Any) -> None:
    take(text({"id": 1, "extra": 1}))
    rows, result = take(text({"id": 1, "extra": 2}, {"id": 2, "extra": 2.5}))
    assert [row["extra"] for row in rows] == [None, None]
    assert "column 'extra' (double) is not kept: it is int64, and double in the" in result.notes[0]
    rows, result = take(text({"id": 1, "extra": 3}))
    assert (rows[0]["extra"], result.notes) == (3, ())


def test_whole_numbers_have_a_place_among_floats(take: Any) -> None:
    take(text({"id": 1, "extra": 1.5}))
    rows, _ = take(text({"id": 1, "extra": 2}))
    assert rows[0]["extra"] == 2.0
