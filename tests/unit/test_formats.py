"""Lakes that older and newer versions of the project have written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import DamagedTableError, NewerFormatError
from mlops_tasks.formats import check_format
from mlops_tasks.lake import Lake, Pin, optimize, overwrite_partition
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

D1, D2 = "2024-03-01", "2024-03-02"


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers)})


def numbers(lake: Lake, partition: str = D1) -> list[int]:
    return sorted(lake.table("t").read(first=partition, last=partition).column("n").to_pylist())


@pytest.fixture(params=["single records", "gathered records", "the table's own log"])
def stored(request: pytest.FixtureRequest, lake: Lake) -> Callable[..., None]:
    """Two days in the lake, and a way to rewrite what is stored about their commits."""
    for token, day in enumerate((D1, D2), 1):
        overwrite_partition(lake.table("t"), day, rows(token), token=token)
    if request.param == "gathered records":
        optimize(lake.table("t"))
    log, records = lake.table("t").folder / "_delta_log", lake.table("t").log.folder

    def rewrite(change: Callable[[dict[str, Any]], Any]) -> None:
        if request.param == "the table's own log":
            for path in records.glob("*.json"):
                path.unlink()
            for path in log.glob("*.json"):
                path.write_text("\n".join(_changed(line, change) for line in _lines(path)))
            return
        for path in records.glob("*.json"):
            raw = json.loads(path.read_text())
            for commit in raw["commits"]:
                change(commit)
            change(raw)
            path.write_text(json.dumps(raw))

    return rewrite


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _changed(line: str, change: Callable[[dict[str, Any]], Any]) -> str:
    raw = json.loads(line)
    if "mlops" in raw.get("commitInfo", {}):
        commit = json.loads(raw["commitInfo"]["mlops"])
        change(commit)
        raw["commitInfo"]["mlops"] = json.dumps(commit)
    return json.dumps(raw)


def newer_minor(raw: dict[str, Any]) -> None:
    raw |= {"format": "2.9", "colour": "red", "nested": {"n": [1]}}
    for file in raw.get("files", []):
        file["checksum"] = "abc"


def first_major(raw: dict[str, Any]) -> None:
    """As 0.1 wrote it: with sums over each column in place of the columns' names."""
    raw["format"] = "1.0"
    if "columns" in raw:
        kinds = {name: ["int", "00000000000000a7"] for name in raw.pop("columns")}
        raw["sums"] = {"lanes": ["0" * 16] * 2, "columns": kinds}


def test_what_2_0_wrote_is_read_as_it_was(lake: Lake, stored: Callable[..., None]) -> None:
    """It said neither by what rows were known nor when they were committed: nothing is assumed."""

    def as_2_0(raw: dict[str, Any]) -> None:
        raw["format"] = "2.0"
        raw.pop("known_by", None)
        raw.pop("committed_at", None)

    stored(as_2_0)
    for commit in lake.table("t").all_commits():
        assert (commit.known_by, commit.committed_at, commit.assumed) == ("", "", False)
        assert commit.later == {}
    assert lake.table("t").pin(first=D1, last=D2).assumed == 0
    optimize(lake.table("t"))
    assert lake.table("t").all_commits()[0].known_by == ""


@pytest.mark.parametrize(
    "change",
    [lambda raw: raw.pop("format", None), newer_minor, first_major],
    ids=["without format", "2.9", "1.0"],
)
def test_the_same_or_an_older_major_version_is_read_and_written_on(
    lake: Lake, stored: Callable[..., None], change: Callable[..., Any]
) -> None:
    before = lake.table("t").all_commits()
    pin = lake.table("t").pin(first=D1, last=D2)
    stored(change)
    assert lake.table("t").all_commits() == before
    assert numbers(lake) == [1]
    lake.table(pin.table).verify_pin(pin)
    overwrite_partition(lake.table("t"), D1, rows(7, 8), token=3)
    assert numbers(lake) == [7, 8]
    assert numbers(lake, D2) == [2]


def test_a_newer_major_version_is_refused_by_its_number(
    lake: Lake, stored: Callable[..., None]
) -> None:
    stored(lambda raw: raw.update({"format": "3.0"}))
    with pytest.raises(NewerFormatError, match=r"format 3\.0, .* up to 2\.x.*Upgrade mlops"):
        numbers(lake)


def test_a_newer_lake_is_neither_read_nor_written(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    marker = lake.root / "_lake.json"
    assert json.loads(marker.read_text()) == {"format": "1.0"}
    marker.write_text('{"format": "3.2"}')
    before = sorted(path for path in lake.root.rglob("*"))
    for use in (
        lambda: numbers(lake),
        lambda: overwrite_partition(lake.table("t"), D1, rows(2), token=2),
        lambda: overwrite_partition(lake.table("new"), D1, rows(2), token=2),
    ):
        with pytest.raises(NewerFormatError, match=r"the lake .* has format 3\.2"):
            use()
    assert sorted(path for path in lake.root.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "[]", '{"format": "new"}', '{"format": null}', "\udcff"])
def test_a_marker_that_cannot_be_read_is_named(lake: Lake, text: str) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    (lake.root / "_lake.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DamagedTableError, match=r"_lake\.json says which format"):
        numbers(lake)


def test_a_lake_from_before_there_were_formats_is_marked_by_its_next_writer(lake: Lake) -> None:
    overwrite_partition(lake.table("t"), D1, rows(1), token=1)
    (lake.root / "_lake.json").unlink()
    assert numbers(lake) == [1]
    overwrite_partition(lake.table("t"), D1, rows(2), token=2)
    assert (lake.root / "_lake.json").exists()


def test_a_pin_may_have_keys_of_a_newer_version() -> None:
    pin = Pin("t", D1, D2, (1, 2), ("n",), 2, "0" * 64)
    assert from_json(Pin, json.loads(json.dumps(to_json(pin) | {"zone": "UTC"}))) == pin


@pytest.mark.parametrize("found", ["", "x.y", "1,0"])
def test_what_is_no_version_is_an_error(found: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        check_format({"format": found}, "1.0", "it")
