"""An extract of the ledger is checked without the ledger."""

from __future__ import annotations

import json

import pytest

from mlops_tasks.registry.pack.ledger_extract import extract_problems
from tests.unit.packs import sample_extract


def test_an_extract_is_what_was_recorded_also_after_json() -> None:
    made = sample_extract()
    assert [entry["seq"] for entry in made["entries"]] == [1, 2, 4]
    assert made["head"]["seq"] == 5
    assert extract_problems(json.loads(json.dumps(made))) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "other"),
        ("kind", "promotion"),
        ("key", "9"),
        ("evidence", {"reason": "no"}),
        ("dag_run", "by hand"),
        ("by", "ann"),
        ("recorded_at", "2024-03-16T03:00:00.000000+00:00"),
        ("previous_hash", "0" * 64),
        ("hash", "0" * 64),
    ],
)
def test_each_field_of_an_entry_counts(field: str, value: object) -> None:
    made = sample_extract()
    made["entries"][1][field] = value
    text = " ".join(extract_problems(made))
    assert "entry 2" in text
    assert "its hash differs" in text


def test_an_entry_in_the_place_of_another_breaks_the_chain() -> None:
    one, other = sample_extract(), sample_extract()
    assert one["entries"][0]["hash"] != other["entries"][0]["hash"], "recorded at other moments"
    one["entries"][0] = other["entries"][0]
    assert extract_problems(one) == ["entry 2 does not follow entry 1: one was replaced"]


def test_entries_in_another_order_are_named() -> None:
    made = sample_extract()
    made["entries"].reverse()
    assert extract_problems(made)[0] == "entry 2 stands behind entry 4"


@pytest.mark.parametrize("head", [{"seq": 3, "hash": "0"}, {"seq": 4, "hash": "0"}])
def test_a_head_that_others_say_is_named(head: dict[str, object]) -> None:
    made = sample_extract()
    made["head"] = head
    assert extract_problems(made) == [
        f"entry 4 is not what the head of the chain, {head['seq']}, says"
    ]


def test_no_entries_are_no_problem() -> None:
    assert extract_problems({"head": {"seq": 0, "hash": ""}, "entries": []}) == []
