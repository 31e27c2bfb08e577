"""Records as plain JSON, and back."""

import json
import math
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import pytest

from mlops_tasks.serialization import from_json, to_json


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    versions: tuple[int, ...]
    value: float | None
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    parts: tuple[Part, ...]
    by_name: dict[str, Part]
    colour: Colour
    day: date | None = None


WHOLE = Whole(
    (Part("a", (1, 2), 0.1 + 0.2, {"x": 1.0}),),
    {"b": Part("b", (), None)},
    Colour.RED,
    date(2013, 2, 1),
)


def test_a_record_comes_back_from_json_as_it_was() -> None:
    text = json.dumps(to_json(WHOLE), allow_nan=False)
    assert from_json(Whole, json.loads(text)) == WHOLE


def test_what_is_no_number_becomes_none() -> None:
    found = to_json({"part": Part("a", (), math.nan, {"x": math.inf, "y": -math.inf, "z": 2.5})})
    part = {"name": "a", "versions": [], "value": None, "shares": {"x": None, "y": None, "z": 2.5}}
    assert found == {"part": part}


def test_only_plain_types_are_left() -> None:
    found = to_json(WHOLE)
    assert type(found["colour"]) is str
    assert found["day"] == "2013-02-01"
    assert type(found["parts"]) is list


def test_keys_of_a_newer_version_are_ignored_at_every_depth() -> None:
    raw = to_json(WHOLE)
    raw["new"] = 1
    raw["parts"][0]["newer"] = {"x": 2}
    assert from_json(Whole, raw) == WHOLE


def test_what_is_missing_or_of_another_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"Part\nversions\n  Field required"):
        from_json(Part, {"name": "a", "value": 1.0})
    with pytest.raises(ValueError, match=r"Part\nname\n"):
        from_json(Part, {"name": 1, "versions": [], "value": 1.0})


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        to_json({"a": object()})
