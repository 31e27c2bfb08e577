from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from flight_delays.spec import ARRIVALS
from mlops_tasks.exceptions import (
    EmptyPartitionError,
    StaleAttemptError,
    UnknownExpectationError,
    ValidationFailedError,
)
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import validate
from mlops_tasks.validation import quarantine_table
from tests.unit.orders import day, deliveries_dataset, orders_dataset, rows_of, write_suite

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.steps.validate import ValidationResult

DAY = day(0)


@pytest.fixture
def spec(tmp_path: Path) -> DatasetSpec:
    return orders_dataset(tmp_path, max_quarantined_share=0.1)


def changed(rows: pa.Table, **cells: dict[int, Any]) -> pa.Table:
    """Replace single cells: column to row position to value."""
    for name, values in cells.items():
        index, column = rows.schema.get_field_index(name), rows.column(name).to_pylist()
        for position, value in values.items():
            column[position] = value
        rows = rows.set_column(index, name, pa.array(column, rows.schema.field(name).type))
    return rows


def raw(lake: Lake, spec: DatasetSpec, rows: pa.Table, *, token: int = 1) -> PartitionVersion:
    rows = rows.select(list(spec.columns))
    return overwrite_partition(lake.table(raw_table(spec)), DAY, rows, token=token)


def check(
    lake: Lake, spec: DatasetSpec, rows: pa.Table, *, token: int = 1, **options: Any
) -> ValidationResult:
    part = raw(lake, spec, rows, token=token)
    return validate(spec, part, lake=lake, token=token, **options)


def published(lake: Lake, spec: DatasetSpec) -> list[str]:
    return sorted(lake.table(spec.name).read(first=DAY, last=DAY).column("order_id").to_pylist())


def orders(**cells: dict[int, Any]) -> pa.Table:
    return changed(rows_of(0)["orders"], **cells)


def test_good_rows_are_published_as_they_are(lake: Lake, spec: DatasetSpec) -> None:
    result = check(lake, spec, orders())
    assert published(lake, spec) == sorted(orders().column("order_id").to_pylist())
    assert result.published.digest == raw(lake, spec, orders(), token=2).digest
    assert (result.n_rows_in, result.n_quarantined, result.n_evaluated) == (80, 0, 3)
    assert (result.quarantined_by_reason, result.warnings, result.changed) == ({}, (), True)
    assert not lake.exists(quarantine_table(spec))


def test_bad_rows_are_kept_back_with_their_reasons(lake: Lake, spec: DatasetSpec) -> None:
    bad = orders(
        items={0: None},
        distance={1: math.nan, 2: math.inf, 3: 4000.0},
        shop={3: "SHOUT", 4: "x1"},
    )
    result = check(lake, spec, bad)
    shape = "expect_column_values_to_match_regex:shop"
    size = "expect_column_values_to_be_between:distance"
    assert result.quarantined_by_reason == {
        "null:items": 1,
        "not_finite:distance": 2,
        size: 2,  # infinity is out of range, too
        shape: 2,
    }
    assert (result.n_rows_in, result.n_quarantined, result.published.n_rows) == (80, 5, 75)
    ids = orders().column("order_id").to_pylist()
    assert published(lake, spec) == sorted(ids[5:])
    kept = lake.table(quarantine_table(spec)).read(first=DAY, last=DAY).to_pylist()
    reasons = {row["order_id"]: set(row["reasons"].split("; ")) for row in kept}
    assert reasons == {
        ids[0]: {"null:items"},
        ids[1]: {"not_finite:distance"},
        ids[2]: {"not_finite:distance", size},
        ids[3]: {size, shape},
        ids[4]: {shape},
    }
    assert next(row for row in kept if row["order_id"] == ids[3])["distance"] == 4000.0


def test_all_rows_of_a_duplicate_key_are_kept_back(lake: Lake, spec: DatasetSpec) -> None:
    ids = orders().column("order_id").to_pylist()
    result = check(lake, spec, orders(order_id={1: ids[0]}))
    assert result.quarantined_by_reason == {"duplicate_key": 2}
    assert published(lake, spec) == sorted(ids[2:])


def test_unseen_categories_are_no_reason_to_refuse(lake: Lake, spec: DatasetSpec) -> None:
    assert check(lake, spec, orders(shop={0: "chandler", 1: None})).n_quarantined == 0


def test_two_expectations_on_one_column_both_count(lake: Lake, tmp_path: Path) -> None:
    kind = "expect_column_values_to_be_between"
    suite = [
        {"type": kind, "kwargs": {"column": "distance", "min_value": 0}},
        {"type": kind, "kwargs": {"column": "distance", "max_value": 100}},
    ]
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "two", suite))
    result = check(lake, spec, orders(distance={0: -1.0, 1: 200.0}))
    ids = orders().column("order_id").to_pylist()
    assert published(lake, spec) == sorted(ids[2:])
    assert sum(result.quarantined_by_reason.values()) == result.n_quarantined == 2


def test_a_warning_is_said_and_publishes(lake: Lake, tmp_path: Path) -> None:
    suite = [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "items", "max_value": 3},
            "severity": "warning",
        },
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1000},
            "severity": "info",
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "nowhere", "max_value": 3},
            "severity": "warning",
        },
    ]
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "soft", suite))
    result = check(lake, spec, orders())
    assert (result.n_quarantined, result.published.n_rows) == (0, 80)
    assert sorted(warning.split(" ")[0].rstrip(":") for warning in result.warnings) == [
        "expect_column_values_to_be_between:items",
        "expect_column_values_to_be_between:nowhere",
    ]
    assert "there is no column 'nowhere'" in "".join(result.warnings)
    assert result.notes == ("expect_table_row_count_to_be_between at least 1000: observed 80",)


# --- what stops a partition


def stopped(
    lake: Lake, spec: DatasetSpec, rows: pa.Table, match: str, *, token: int = 9
) -> ValidationFailedError:
    """Publish good rows first and prove that they stay exactly as they are."""
    good = check(lake, spec, rows_of(0)[spec.name], token=token - 1)
    before = lake.table(spec.name).read(first=DAY, last=DAY)
    with pytest.raises(ValidationFailedError, match=match) as raised:
        check(lake, spec, rows, token=token)
    assert lake.table(spec.name).version == good.published.version
    assert lake.table(spec.name).read(first=DAY, last=DAY) == before
    assert not lake.exists(quarantine_table(spec))
    text = str(raised.value)
    assert f"dataset '{spec.name}', partition {DAY}: not published, what was published" in text
    assert f"'{raw_table(spec)}' version" in text
    return raised.value


def test_too_many_bad_rows_stop_it_with_counts(lake: Lake, spec: DatasetSpec) -> None:
    bad = orders(items=dict.fromkeys(range(6)), distance=dict.fromkeys(range(4, 9), -1.0))
    error = stopped(lake, spec, bad, r"9 of 80 rows are bad \(11\.2%, allowed 10\.0%\)")
    assert "expect_column_values_to_be_between:distance 5, null:items 6" in str(error)


def test_as_many_bad_rows_as_are_allowed_are_kept_back(lake: Lake, spec: DatasetSpec) -> None:
    result = check(lake, spec, orders(items=dict.fromkeys(range(8))))
    assert (result.n_quarantined, result.published.n_rows) == (8, 72)


def test_a_critical_expectation_about_the_whole_stops_it(lake: Lake, spec: DatasetSpec) -> None:
    error = stopped(lake, spec, orders().slice(0, 2), "expect_table_row_count_to_be_between")
    assert "observed 2" in str(error)
    assert "at least 3" in str(error)
    assert "between:" not in str(error), "there is no column to name"


def test_an_expectation_that_cannot_be_evaluated_stops_it(lake: Lake, tmp_path: Path) -> None:
    suite = [
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b",
            "kwargs": {"column_A": "items", "column_B": "nowhere"},
        }
    ]
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "lost", suite))
    with pytest.raises(ValidationFailedError, match=r"greater_than_b:items,nowhere: .*'nowhere'"):
        check(lake, spec, orders())
    assert not lake.exists(spec.name)


def test_labels_that_are_all_missing_stop_it(lake: Lake, tmp_path: Path) -> None:
    spec = deliveries_dataset(tmp_path)
    rows = rows_of(0)["deliveries"]
    none = changed(rows, minutes_late=dict.fromkeys(range(rows.num_rows)))
    stopped(lake, spec, none, "expect_column_mean_to_be_between:minutes_late")


def test_the_flight_project_stops_labels_that_are_all_missing(lake: Lake) -> None:
    good = {
        "flight_id": [f"f{i}" for i in range(60)],
        "dep_time": [900] * 60,
        "dep_delay": [1.0] * 60,
        "arr_time": [1000] * 60,
        "arr_delay": [5.0] * 60,
        "air_time": [60.0] * 60,
        "recorded_at": [rows_of(0)["orders"].column("ordered_at")[0].as_py()] * 60,
    }
    schema = arrow_schema(ARRIVALS)
    assert check(lake, ARRIVALS, pa.table(good, schema)).published.n_rows == 60
    before = lake.table("arrivals").version
    with pytest.raises(ValidationFailedError, match="arr_delay"):
        check(lake, ARRIVALS, pa.table(good | {"arr_delay": [None] * 60}, schema), token=2)
    assert lake.table("arrivals").version == before


def test_no_rows_at_all_stop_it(lake: Lake, spec: DatasetSpec) -> None:
    check(lake, spec, orders(), token=1)
    before = lake.table(spec.name).version
    with pytest.raises(EmptyPartitionError, match=f"'orders', partition {DAY}"):
        check(lake, spec, orders().slice(0, 0), token=2)
    assert lake.table(spec.name).version == before


def test_a_late_attempt_is_refused(lake: Lake, spec: DatasetSpec) -> None:
    part = raw(lake, spec, orders())
    validate(spec, part, lake=lake, token=5)
    with pytest.raises(StaleAttemptError):
        validate(spec, part, lake=lake, token=4)


# --- again


def test_it_reads_the_raw_version_it_was_given(lake: Lake, spec: DatasetSpec) -> None:
    first = raw(lake, spec, orders(), token=1)
    raw(lake, spec, orders(), token=2)
    assert validate(spec, first, lake=lake, token=3).published.n_rows == 80


def test_an_older_extract_never_replaces_a_newer_one(lake: Lake, spec: DatasetSpec) -> None:
    """Somebody clears the validate task of a run whose day was refreshed since."""
    old = raw(lake, spec, orders(), token=1)
    validate(spec, old, lake=lake, token=2)
    new = check(lake, spec, orders(items={0: 77}), token=4)
    with pytest.raises(StaleAttemptError, match="was replaced by a later extract"):
        validate(spec, old, lake=lake, token=9)
    assert lake.table(spec.name).version == new.published.version


def test_the_same_content_again_is_no_change(lake: Lake, spec: DatasetSpec) -> None:
    first = check(lake, spec, orders(), token=1)
    digest = first.published.digest
    backwards = orders().take(list(range(79, -1, -1)))
    again = check(lake, spec, backwards, token=2, published_digest=digest)
    other = check(lake, spec, orders(items={0: 77}), token=3, published_digest=digest)
    assert (first.changed, again.changed, other.changed) == (True, False, True)
    assert replace(again.published, version=first.published.version) == first.published


def test_rows_that_were_fixed_leave_the_quarantine(lake: Lake, spec: DatasetSpec) -> None:
    check(lake, spec, orders(items={0: None}), token=1)
    assert lake.table(quarantine_table(spec)).read(first=DAY, last=DAY).num_rows == 1
    assert check(lake, spec, orders(), token=2).n_quarantined == 0
    assert lake.table(quarantine_table(spec)).read(first=DAY, last=DAY).num_rows == 0


# --- traps of Great Expectations


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "expect_column_values_to_be_betwen",
            r"no expectation .*did you mean 'expect_column_values_to_be_between'\?",
        ),
        ("expect_miracles", "no expectation 'expect_miracles'"),
        ("expect_column_values_to_be_of_type", "types belong in the contract"),
        ("expect_column_values_to_be_in_type_list", "types belong in the contract"),
        ("expect_column_type_to_be", "types belong in the contract"),
        ("expect_column_values_to_match_like_pattern", "exists for SQL only"),
        ("unexpected_rows_expectation", "runs SQL"),
        ("expect_query_results_to_match_comparison", "runs SQL"),
        ("expect_table_row_count_to_equal_other_table", "runs SQL"),
    ],
)
def test_an_expectation_that_would_pass_unchecked_is_refused(
    lake: Lake, tmp_path: Path, kind: str, message: str
) -> None:
    suite = [{"type": kind, "kwargs": {"column": "items"}}]
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "odd", suite))
    with pytest.raises(UnknownExpectationError, match=message) as error:
        check(lake, spec, orders())
    assert "suite odd.json" in str(error.value)
    assert not lake.exists(spec.name)


def test_severity_is_critical_where_a_suite_does_not_say(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "plain.json"
    item = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}
    path.write_text(json.dumps({"name": "plain", "expectations": [item]}))
    with pytest.raises(ValidationFailedError, match="row_count_to_equal value 1: observed 80"):
        check(lake, orders_dataset(tmp_path, expectations=path), orders())


def test_an_expectation_over_several_columns_names_them(lake: Lake, tmp_path: Path) -> None:
    suite = [
        {
            "type": "expect_compound_columns_to_be_unique",
            "kwargs": {"column_list": ["zone", "shop"]},
        }
    ]
    path = write_suite(tmp_path, "many", suite)
    spec = orders_dataset(tmp_path, expectations=path, max_quarantined_share=1)
    result = check(lake, spec, orders())
    assert result.quarantined_by_reason == {"expect_compound_columns_to_be_unique:zone,shop": 80}


def test_quantiles_are_judged_although_gx_cannot_write_them_down(
    lake: Lake, tmp_path: Path
) -> None:
    ranges = {"quantiles": [0.5], "value_ranges": [[100, 200]]}
    suite = [
        {
            "type": "expect_column_quantile_values_to_be_between",
            "kwargs": {"column": "distance", "quantile_ranges": ranges},
            "severity": "warning",
        }
    ]
    spec = orders_dataset(tmp_path, expectations=write_suite(tmp_path, "quantiles", suite))
    (warning,) = check(lake, spec, orders()).warnings
    assert "observed quantiles 0.5, values" in warning


# --- keys that come more than once


def test_keys_that_come_twice_may_refuse_the_partition(lake: Lake, tmp_path: Path) -> None:
    spec = orders_dataset(tmp_path, duplicates="fail")
    ids = orders().column("order_id").to_pylist()
    stopped(lake, spec, orders(order_id={1: ids[0]}), "occur more than once")


def test_rows_that_a_later_one_replaces_are_kept_aside_and_are_not_bad(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_VALIDATION_MEMORY", "1B")
    spec = orders_dataset(tmp_path, duplicates="keep_last", order_by="ordered_at")
    twice = pa.concat_tables([orders(), orders()])
    later = [moment + timedelta(minutes=1) for moment in orders().column("ordered_at").to_pylist()]
    index = twice.schema.get_field_index("ordered_at")
    times = pa.array(
        orders().column("ordered_at").to_pylist() + later, twice.schema.field(index).type
    )
    result = check(lake, spec, twice.set_column(index, "ordered_at", times))
    assert result.quarantined_by_reason == {"superseded": 80}
    assert (result.published.n_rows, result.warnings, len(result.notes)) == (80, (), 1)
    kept = lake.table(spec.name).read(first=DAY, last=DAY)
    assert sorted(kept.column("ordered_at").to_pylist()) == sorted(later)
