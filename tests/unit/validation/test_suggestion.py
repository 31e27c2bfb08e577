"""Suggestions: the same for the same rows, with slack, and fit for the days that follow."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_tasks.exceptions import EmptyPartitionError, PartitionNotFoundError
from mlops_tasks.lake import PartitionVersion, overwrite_partition
from mlops_tasks.serialization import to_json
from mlops_tasks.specs.history import HistorySpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation import load_suite
from mlops_tasks.validation.suggestion import draft, suggest
from mlops_tasks.validation.suggestion.column_summary import contract_type
from tests.unit.orders import day, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.suggestion import Suggestion

START = datetime(2024, 3, 1, tzinfo=UTC)


def put(lake: Lake, number: int, rows: pa.Table, *, table: str = "orders__raw") -> None:
    overwrite_partition(lake.table(table), day(number), rows, token=number + 1)


def of(made: Suggestion, column: str) -> dict[str, dict[str, Any]]:
    items = [e for e in made.suite["expectations"] if e["kwargs"].get("column") == column]
    return {item["type"].removeprefix("expect_column_"): item for item in items}


def test_orders_get_the_contract_they_have(lake: Lake, tmp_path: Path) -> None:
    for number in range(6):
        put(lake, number, rows_of(number)["orders"])
    made = suggest(lake, "orders__raw")
    assert made.columns == {
        "order_id": "string",
        "ordered_at": "timestamp",
        "zone": "string",
        "shop": "string",
        "items": "int64",
        "distance": "float64",
        "express": "bool",
    }
    assert made.key == ("order_id",)
    assert (made.suite["name"], made.n_partitions, made.n_rows) == ("orders", 6, 480)
    assert of(made, "shop")["values_to_be_in_set"] == {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "shop", "value_set": ["bakery", "florist", "grocer", "pharmacy"]},
        "severity": "warning",
    }
    limits = of(made, "items")["values_to_be_between"]
    assert limits["kwargs"] == {"column": "items", "min_value": 0, "max_value": 15}
    assert limits["severity"] == "critical"
    assert made.history["categories"] == {"columns": ["zone", "shop"]}
    assert made.history["freshness"]["column"] == "ordered_at"
    HistorySpec.model_validate(made.history)
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(made.suite))
    assert len(load_suite(path, made.columns).expectations) == len(made.suite["expectations"])


def test_the_same_rows_give_the_same_suggestion(lake: Lake) -> None:
    rows = [rows_of(number)["orders"] for number in range(3)]
    for number, table in enumerate(rows):
        put(lake, number, table)
        put(lake, number, table.take(list(range(79, -1, -1))), table="mixed")
    first, again, mixed = (
        to_json(suggest(lake, t, name="x")) for t in ("orders__raw", "orders__raw", "mixed")
    )
    assert json.dumps(first) == json.dumps(again)
    assert {**mixed, "table": "orders__raw"} == first


def test_nulls_are_allowed_where_they_were_seen_and_their_share_is_watched(lake: Lake) -> None:
    rows = pa.table({"a": list(range(100)), "b": pa.array([None] * 30 + [1.5] * 70, pa.float64())})
    put(lake, 0, rows)
    made = suggest(lake, "orders__raw")
    assert made.columns == {"a": "int64", "b": "float64?"}
    share = of(made, "b")["proportion_of_non_null_values_to_be_between"]
    assert (share["kwargs"]["min_value"], share["severity"]) == (0.6, "warning")
    assert made.key[0] == "a"


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.0, 10.0], (0.0, 20.0)),  # what begins at zero stays so
        ([5.0, 10.0], (0.0, 15.0)),
        ([20.0, 80.0], (-40.0, 140.0)),
        ([1000.0, 1040.0], (960.0, 1100.0)),
        ([-3.0, 4.0], (-10.0, 11.0)),
        ([-8.0, -3.0], (-13.0, 0.0)),
        ([7.0, 7.0], (0.0, 14.0)),
        ([3, 90], (0, 180)),  # whole numbers that are never negative stay so
    ],
)
def test_ranges_have_slack_and_round_limits(
    lake: Lake, values: list[float], limits: tuple[float, float]
) -> None:
    put(lake, 0, pa.table({"a": values * 3, "id": range(6)}))
    kwargs = of(suggest(lake, "orders__raw"), "a")["values_to_be_between"]["kwargs"]
    assert (kwargs["min_value"], kwargs["max_value"]) == limits


def test_numbers_that_are_none_are_left_out_and_told(lake: Lake) -> None:
    put(lake, 0, pa.table({"a": [1.0, 2.0, math.inf, math.nan], "id": range(4)}))
    made = suggest(lake, "orders__raw")
    assert of(made, "a")["values_to_be_between"]["kwargs"]["max_value"] == 3.0
    assert "column 'a' has 2 NaN or infinite values" in "".join(made.notes)


def test_texts_of_one_kind_get_their_shape(lake: Lake) -> None:
    codes = [chr(65 + i // 26) + chr(65 + i % 26) + "7" for i in range(60)]
    words = [f"it is {i}" for i in range(60)]
    lengths = ["ab" * (1 + i % 3) + chr(97 + i % 26) for i in range(60)]
    put(lake, 0, pa.table({"id": range(60), "code": codes, "word": words, "long": lengths}))
    made = suggest(lake, "orders__raw")
    assert of(made, "code")["values_to_match_regex"]["kwargs"]["regex"] == "^[0-9A-Z]{3}$"
    assert of(made, "long")["values_to_match_regex"]["kwargs"]["regex"] == "^[a-z]{1,14}$"
    assert of(made, "word") == {}


def test_a_text_of_the_day_is_no_category(lake: Lake) -> None:
    for number in range(4):
        put(lake, number, pa.table({"id": range(50), "on": [day(number)] * 50, "a": ["x"] * 50}))
    made = suggest(lake, "orders__raw")
    assert of(made, "on") == {}
    assert "values_to_be_in_set" in of(made, "a")


def test_a_pair_of_columns_may_be_the_key(lake: Lake) -> None:
    times = [START + timedelta(hours=h) for h in range(24)]
    rows = pa.table(
        {
            "speed": np.arange(48.0),
            "zone": ["north"] * 24 + ["south"] * 24,
            "at": pa.array(times * 2, pa.timestamp("us", tz="UTC")),
        }
    )
    put(lake, 0, rows)
    assert suggest(lake, "orders__raw").key == ("zone", "at")


def test_no_key_is_said(lake: Lake) -> None:
    put(lake, 0, pa.table({"a": ["x", "x", "y"], "b": [1.0, 2.0, 3.0]}))
    made = suggest(lake, "orders__raw")
    assert made.key == ()
    assert any("choose a key" in note for note in made.notes)
    assert any("1 day(s) only" in note for note in made.notes)


def test_what_no_contract_has_is_left_out_and_told(lake: Lake) -> None:
    rows = pa.table({"id": [1, 2], "empty": pa.nulls(2, pa.string())})
    put(lake, 0, rows)
    made = suggest(lake, "orders__raw")
    assert made.columns == {"id": "int64", "empty": "string?"}
    assert any("'empty' has no value at all" in note for note in made.notes)


def test_a_type_that_no_contract_has_is_left_out_and_told(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert contract_type(pa.binary()) is None
    put(lake, 0, pa.table({"id": [1, 2], "odd": ["a", "b"]}))
    known = {pa.string(): None}
    monkeypatch.setattr(draft, "contract_type", lambda kind: known.get(kind, "int64"))
    made = suggest(lake, "orders__raw")
    assert made.columns == {"id": "int64"}
    assert made.notes[0] == "column 'odd' is string, which no contract has; left out"


def test_days_can_be_chosen_and_none_is_an_error(lake: Lake) -> None:
    for number in range(3):
        put(lake, number, rows_of(number)["orders"])
    made = suggest(lake, "orders__raw", first=day(1), last=day(1))
    assert (made.first, made.last, made.n_rows) == (day(1), day(1), 80)
    with pytest.raises(EmptyPartitionError, match="ingest a few days first"):
        suggest(lake, "orders__raw", first=day(9))
    with pytest.raises(PartitionNotFoundError):
        suggest(lake, "nowhere")


# --- real flights: drawn from January, used on February


def flights(first: date, last: date) -> dict[str, dict[date, list[dict[str, Any]]]]:
    from demo.flights_package import FlightsPackage

    package = FlightsPackage()
    seats = {row["tailnum"]: row["seats"] for row in package.table("planes")}
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {
        "flights": {
            d: [{**row, "seats": seats.get(row["tailnum"])} for row in package.flights(d, d)]
            for d in days
        },
        "weather": {d: package.weather(d, d) for d in days},
    }


def table_of(spec: DatasetSpec, rows: list[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(spec)
    columns = {}
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_timestamp(field.type):
            columns[field.name] = pc.cast(pa.array(values, pa.string()), field.type)
        else:
            columns[field.name] = pa.array(values, field.type, from_pandas=True)
    return pa.table(columns, schema=schema)


@pytest.mark.slow
def test_a_suite_of_january_is_fit_for_february(lake: Lake, tmp_path: Path) -> None:
    pytest.importorskip("demo.flights_package")
    from flight_delays.spec import FLIGHTS, WEATHER

    token = 0
    rows = flights(date(2013, 1, 18), date(2013, 2, 14))
    for spec in (FLIGHTS, WEATHER):
        raw = f"{spec.name}__raw"
        for when, found in rows[spec.name].items():
            token += 1
            overwrite_partition(
                lake.table(raw), when.isoformat(), table_of(spec, found), token=token
            )
        made = suggest(lake, raw, last="2013-01-31")
        assert made.key == spec.key
        path = tmp_path / f"{spec.name}.json"
        path.write_text(json.dumps(made.suite))
        history = HistorySpec.model_validate(made.history)
        drawn = {"columns": made.columns, "key": made.key, "expectations": path, "history": history}
        own = spec.model_copy(update=drawn)
        results = []
        for commit in lake.table(raw).commits(first="2013-02-01", last="2013-02-14"):
            token += 1
            part = PartitionVersion(
                raw, commit.partition, commit.version, commit.n_rows, commit.digest
            )
            results.append(validate(own, part, lake=lake, token=token))
        n_rows = sum(result.n_rows_in for result in results)
        assert len(results) == 14, "no day is refused"
        assert sum(result.n_quarantined for result in results) <= 0.001 * n_rows
        warned = [result.warnings for result in results if result.warnings]
        assert len(warned) <= 4, warned
