"""What is measured of free texts: lengths and unseen tokens, in a vocabulary of a fixed size."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.features.text import (
    measure_fields,
    measure_texts,
    pack_vocabularies,
    trained_texts,
    unpack_vocabularies,
    with_measures,
)

DAYS = {
    "d1": ["the red fox", "the dog", None],
    "d2": ["The RED dog", "a fox"],
    "d3": ["red, red: fox!"],
    "d4": ["the dog"],
    "d5": ["a blue_whale 77", ""],
}


def days(n: int = 5) -> dict[str, pa.Table]:
    return {
        day: pa.table({"x": range(len(texts)), "body": pa.array(texts, pa.string())})
        for day, texts in list(DAYS.items())[:n]
    }


def test_each_day_is_measured_against_all_others() -> None:
    """Worked out by hand: only `blue_whale` and `77` are on one day alone."""
    measured, vocabularies = trained_texts(days(), ["body"])
    assert measured["d1"].column_names == ["x", "body.length", "body.unseen_tokens"]
    assert measured["d1"]["body.length"].to_pylist() == [11, 7, None]
    assert measured["d1"]["body.unseen_tokens"].to_pylist() == [0.0, 0.0, None]
    assert measured["d3"]["body.unseen_tokens"].to_pylist() == [0.0]
    assert measured["d5"]["body.length"].to_pylist() == [15, 0]
    assert measured["d5"]["body.unseen_tokens"].to_pylist() == [pytest.approx(2 / 3), None]
    assert int(vocabularies["body"].sum()) == 7  # the red fox dog a blue_whale 77


def test_rows_are_measured_against_the_whole_training() -> None:
    _, vocabularies = trained_texts(days(), ["body"])
    rows = pa.record_batch({"body": ["blue_whale!", "green the cat", "ROT 77", "…", None]})
    found = measure_texts(rows, ["body"], vocabularies)
    assert found["body.length"].to_pylist() == [11, 13, 6, 1, None]
    shares = found["body.unseen_tokens"].to_pylist()
    assert shares == [0.0, pytest.approx(2 / 3), 0.5, None, None]


def test_letters_of_every_script_make_tokens() -> None:
    same = {f"d{i}": pa.table({"body": ["naïve straße नमस्ते"]}) for i in range(5)}
    measured, vocabularies = trained_texts(same, ["body"])
    assert int(vocabularies["body"].sum()) == 3
    assert measured["d0"]["body.length"].to_pylist() == [19]
    rows = pa.table({"body": pa.chunked_array([["NAÏVE"], ["naive"]])})
    assert measure_texts(rows, ["body"], vocabularies)["body.unseen_tokens"].to_pylist() == [0, 1]


def test_too_few_days_have_no_vocabulary() -> None:
    measured, vocabularies = trained_texts(days(4), ["body"])
    assert vocabularies == {}
    assert measured["d1"].column_names == ["x", "body.length"]
    assert [field.name for field in measure_fields(["body"], vocabularies)] == ["body.length"]


def test_without_text_features_nothing_changes() -> None:
    rows = days()
    assert trained_texts(rows, []) == (rows, {})
    assert with_measures(rows["d1"], [], {}) is rows["d1"]


def test_no_rows_have_no_measures() -> None:
    _, vocabularies = trained_texts(days(), ["body"])
    empty = days()["d1"].slice(0, 0).combine_chunks()
    found = with_measures(empty, ["body"], vocabularies)
    assert found.num_rows == 0
    assert found.schema.field("body.unseen_tokens").type == pa.float64()


def test_a_vocabulary_is_stored_without_its_tokens() -> None:
    """The file has the size of its table, however many tokens there are, and holds none."""
    _, few = trained_texts(days(), ["body"])
    many = {
        f"d{d}": pa.table({"body": [" ".join(f"word{i}" for i in range(d, 300_000, 5))]})
        for d in range(5)
    }
    _, large = trained_texts(many, ["body"])
    assert large["body"].sum() > 250_000
    for vocabularies in (few, large):
        packed = pack_vocabularies(vocabularies)
        assert b"whale" not in packed
        assert b"word" not in packed
        assert len(packed) < 270_000
        assert packed == pack_vocabularies(vocabularies)
        (back,) = unpack_vocabularies(packed).values()
        assert (back == vocabularies["body"]).all()


def test_a_damaged_vocabulary_is_refused() -> None:
    _, vocabularies = trained_texts(days(), ["body"])
    packed = pack_vocabularies(vocabularies)
    with pytest.raises(DamagedTableError, match="vocabularies of texts cannot be read"):
        unpack_vocabularies(packed[:-30])
    with pytest.raises(DamagedTableError, match=r"vocabularies of \['body'\] do not have"):
        unpack_vocabularies(pack_vocabularies({"body": vocabularies["body"][:800]}))
