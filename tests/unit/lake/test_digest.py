from __future__ import annotations

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlops_tasks.lake.digest import ContentDigest, digest_table, row_hashes

TYPES = {
    "text": pa.string(),
    "whole": pa.int64(),
    "real": pa.float64(),
    "flag": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.none() | st.text(max_size=8),
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "real": st.none() | st.floats(),
    "flag": st.none() | st.booleans(),
    "moment": st.none()
    | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12)
SCHEMA = pa.schema(TYPES)

fast = settings(max_examples=20, deadline=None)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def same(a: Any, b: Any) -> bool:
    """Tell whether two cells mean the same: all NaN are one value, and so are both zeros."""
    return a == b or (a is not None and b is not None and a != a and b != b)


@fast
@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest_table(table(shuffled)) == digest_table(table(rows))


@fast
@given(ROWS, st.integers(1, 5))
def test_batches_do_not_matter(rows: list[dict[str, Any]], size: int) -> None:
    whole = table(rows)
    assert digest_table(whole.to_batches(max_chunksize=size)) == digest_table(whole)
    chunks = pa.concat_tables(whole.slice(i, size) for i in range(0, whole.num_rows, size))
    assert digest_table(chunks) == digest_table(whole)


@fast
@given(ROWS, ROWS)
def test_a_slice_has_the_digest_of_its_own_rows(
    before: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    both = table(before + rows).combine_chunks()
    assert digest_table(both.slice(len(before))) == digest_table(table(rows))


@fast
@given(ROWS, st.permutations(list(TYPES)))
def test_column_order_and_storage_do_not_matter(
    rows: list[dict[str, Any]], names: list[str]
) -> None:
    whole = table(rows)
    assert digest_table(whole.select(names)) == digest_table(whole)
    large = whole.set_column(0, "text", whole.column("text").cast(pa.large_string()))
    assert digest_table(large) == digest_table(whole)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_every_cell_matters(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(list(TYPES)))
    value = data.draw(VALUES[column])
    assume(not same(value, rows[position][column]))
    changed = [dict(row) for row in rows]
    changed[position][column] = value
    assert digest_table(table(changed)) != digest_table(table(rows))


@fast
@given(ROWS, st.data())
def test_every_row_counts(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    whole, row = digest_table(table(rows)), data.draw(st.integers(0, len(rows) - 1))
    assert digest_table(table([*rows, rows[row]])) != whole
    assert digest_table(table(rows[:row] + rows[row + 1 :])) != whole


@fast
@given(st.integers(1, 1200), st.data())
def test_every_letter_of_a_long_text_and_its_place_matter(n: int, data: st.DataObject) -> None:
    text = "".join(chr(97 + i % 23) for i in range(n))
    a, b = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))
    swapped = list(text)
    swapped[a], swapped[b] = text[b], text[a]
    digests = {
        digest_table(pa.table({"x": ["first", value, "last"]}))
        for value in (text, "".join(swapped), text[:a] + "?" + text[a + 1 :], text + "a")
    }
    assert len(digests) == 3 + (text[a] != text[b])


def test_two_rows_that_swap_one_cell_are_other_rows() -> None:
    before = pa.table({"a": [1, 2], "b": ["x", "y"]})
    after = pa.table({"a": [1, 2], "b": ["y", "x"]})
    assert digest_table(before) != digest_table(after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([None], pa.float64()), pa.array([float("nan")])),
        (pa.array([None], pa.float64()), pa.array([0.0])),
        (pa.array([None], pa.int64()), pa.array([0])),
        (pa.array([None], pa.string()), pa.array([""])),
        (pa.array([None], pa.bool_()), pa.array([False])),
        (pa.array([1]), pa.array([1.0])),
        (pa.array([1]), pa.array([True])),
        (pa.array(["1"]), pa.array([1])),
    ],
)
def test_nulls_and_types_are_values_of_their_own(one: pa.Array, other: pa.Array) -> None:
    assert digest_table(pa.table({"x": one})) != digest_table(pa.table({"x": other}))


def test_no_number_is_mistaken_for_a_null() -> None:
    from mlops_tasks.lake import digest

    sentinels = [value for value in vars(digest).values() if type(value) is int and value < 2**63]
    null = digest_table(pa.table({"x": pa.array([None], pa.int64())}))
    assert null not in [digest_table(pa.table({"x": [number]})) for number in sentinels]


def test_equal_values_of_other_width_are_equal() -> None:
    small = pa.table({"n": pa.array([1, 2], pa.int32()), "f": pa.array([0.5, -0.0], pa.float32())})
    wide = pa.table({"n": pa.array([1, 2], pa.int64()), "f": pa.array([0.5, 0.0], pa.float64())})
    assert digest_table(small) == digest_table(wide)


def test_dates_and_time_zones_are_instants() -> None:
    noon = datetime(2024, 3, 1, 12, tzinfo=UTC)
    utc = pa.table({"t": pa.array([noon], pa.timestamp("us", tz="UTC"))})
    paris = pa.table({"t": pa.array([noon], pa.timestamp("ms", tz="Europe/Paris"))})
    later = pa.table({"t": pa.array([noon + timedelta(microseconds=1)], pa.timestamp("us", "UTC"))})
    assert digest_table(utc) == digest_table(paris) != digest_table(later)
    midnight = pa.table({"t": pa.array([datetime(2024, 3, 1)], pa.timestamp("us"))})
    assert digest_table(midnight) == digest_table(pa.table({"t": [date(2024, 3, 1)]}))


def test_a_renamed_column_is_another_content() -> None:
    assert digest_table(pa.table({"a": [1]})) != digest_table(pa.table({"b": [1]}))


def test_no_rows_have_a_digest_that_knows_the_columns() -> None:
    none = SCHEMA.empty_table()
    assert digest_table(none) == digest_table(none.slice(0, 0))
    assert digest_table(none) != digest_table(none.select(["text"]))


def test_types_without_order_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="list<"):
        digest_table(pa.table({"x": [[1, 2]]}))


def test_a_batch_with_other_columns_is_refused() -> None:
    running = ContentDigest()
    running.update(pa.table({"a": [1]}))
    with pytest.raises(TypeError, match="began with"):
        running.update(pa.table({"b": [1]}))
    assert running.n_rows == 1


# --- the definition, once more in plain Python: no library's number or hash enters it

M = 2**64
SPREAD = 0x9E3779B97F4A7C15


def mixed(x: int) -> int:
    x = (x + SPREAD) % M
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % M
    x = (x ^ x >> 27) * 0x94D049BB133111EB % M
    return x ^ x >> 31


def constants(name: str, kind: str, lane: int) -> tuple[int, int]:
    raw = hashlib.blake2b(f"{name}\0{kind}\0{lane}".encode(), digest_size=16).digest()
    return int.from_bytes(raw[:8], "little") | 1, int.from_bytes(raw[8:], "little")


def pattern(value: Any, kind: str, lane: int) -> int:
    if kind == "string":
        raw, total = value.encode(), 0
        for place in range((len(raw) + 7) // 8):
            word = int.from_bytes(raw[8 * place : 8 * place + 8], "little")
            total += mixed(word ^ place * SPREAD % M) ** (lane + 1)
        return total + len(raw) * constants("", "length", lane)[0]
    if kind == "float":
        (bits,) = struct.unpack("<Q", struct.pack("<d", value + 0.0))
        bits = 0x7FF8000000000000 if value != value else bits
    elif kind == "time":
        bits = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    else:
        bits = int(value)
    spread = bits * SPREAD % M
    return spread ^ spread >> 32


def defined(rows: list[dict[str, Any]], kinds: dict[str, str]) -> str:
    lanes = [0, 0]
    for row in rows:
        for lane in (0, 1):
            total = 0
            for name, kind in kinds.items():
                factor, null = constants(name, kind, lane)
                value = row[name]
                total += null if value is None else pattern(value, kind, lane) * factor
            lanes[lane] = (lanes[lane] + mixed(total % M)) % M
    text = repr(("content digest 2", tuple(sorted(kinds.items())), len(rows), lanes))
    return hashlib.sha256(text.encode()).hexdigest()


KINDS = {"text": "string", "whole": "int", "real": "float", "flag": "bool", "moment": "time"}


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_the_digest_is_what_its_definition_says(rows: list[dict[str, Any]]) -> None:
    assert digest_table(table(rows)) == defined(rows, KINDS)


@fast
@given(st.lists(st.none() | st.text(max_size=40), min_size=1, max_size=40))
def test_texts_of_any_length_are_digested_by_definition(texts: list[str | None]) -> None:
    rows = [{"text": text} for text in texts]
    wanted = defined(rows, {"text": "string"})
    plain = pa.table({"text": pa.array(texts, pa.string())})
    assert digest_table(plain) == wanted
    assert digest_table(pa.table({"text": plain.column(0).dictionary_encode()})) == wanted
    assert digest_table(pa.table({"text": plain.column(0).cast(pa.string_view())})) == wanted


def test_texts_of_one_length_and_long_ones_are_digested_by_definition() -> None:
    for texts in (
        [f"order-{i:06d}" for i in range(50)],
        ["x" * 5000, "", "y", "z" * 69],
        ["a" * 16],
    ):
        rows = [{"text": text} for text in texts]
        assert digest_table(pa.Table.from_pylist(rows)) == defined(rows, {"text": "string"})


def test_the_definition_never_changes_by_itself() -> None:
    rows = [{"id": 1, "name": "first"}, {"id": None, "name": "a text of three words"}]
    found = digest_table(pa.Table.from_pylist(rows))
    assert found == defined(rows, {"id": "int", "name": "string"})
    assert found == "f15454db29cbe4ae5ee18657322619cf7250638b3eaace07675827e514a9781b"


def test_large_tables_are_cut_and_long_texts_cut_smaller() -> None:
    many = pa.table({"n": list(range(70_000)), "text": ["some text"] * 70_000})
    assert digest_table(many) == digest_table(many.to_batches(max_chunksize=999))
    long = pa.table({"text": ["x" * 100_000] * 100})
    assert digest_table(long) == digest_table(long.to_batches(max_chunksize=7))


def test_a_repetitive_column_of_nulls_needs_no_text() -> None:
    nothing = pa.array([None, None], pa.string())
    encoded = pa.DictionaryArray.from_arrays(
        pa.array([None, None], pa.int32()), pa.array([], pa.string())
    )
    assert digest_table(pa.table({"x": encoded})) == digest_table(pa.table({"x": nothing}))


def test_digests_of_several_threads_are_merged() -> None:
    whole = pa.table({"n": list(range(200_000)), "t": [f"row {i}" for i in range(200_000)]})
    parts = [whole.slice(start, 25_000) for start in range(0, 200_000, 25_000)]

    def digested(part: pa.Table) -> ContentDigest:
        digest = ContentDigest()
        digest.update(part)
        return digest

    merged = ContentDigest()
    merged.merge(ContentDigest())
    with ThreadPoolExecutor(4) as pool:
        for digest in pool.map(digested, parts):
            merged.merge(digest)
    assert merged.hexdigest() == digest_table(whole)
    with pytest.raises(TypeError, match="began with"):
        merged.merge(digested(pa.table({"n": [1]})))


def test_row_hashes_are_equal_where_rows_are() -> None:
    rows = pa.table({"n": [1, 2, 1, None], "t": ["a", "b", "a", None]})
    one, two, three, four = row_hashes(rows)
    assert one == three
    assert len({int(one), int(two), int(four)}) == 3
    assert list(row_hashes(rows.slice(1))) == [two, three, four]
    assert list(row_hashes(rows.to_batches()[0])) == [one, two, three, four]
    assert len(row_hashes(rows.slice(0, 0))) == 0
