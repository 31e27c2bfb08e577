"""Suites: every trap of Great Expectations is fixed, or refused with the fix in the message."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import SuiteError, UnknownExpectationError
from mlops_tasks.validation.suite import load_suite
from tests.unit.orders import orders_dataset, write_suite

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.validation.suite import Expectation

BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
MATCHES = "expect_column_values_to_match_regex"
COLUMNS = {
    "shop": "string?",
    "items": "int64",
    "distance": "float64?",
    "express": "bool",
    "at": "timestamp",
    "on": "date",
}


def loaded(folder: Path, kind: str, **kwargs: Any) -> Expectation:
    path = write_suite(folder, "suite", [{"type": kind, "kwargs": kwargs}])
    return load_suite(path, COLUMNS).expectations[0]


def refused(folder: Path, kind: str, **kwargs: Any) -> str:
    with pytest.raises(SuiteError) as error:
        loaded(folder, kind, **kwargs)
    text = str(error.value)
    assert text.startswith("suite suite.json")
    return text


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # parts are no zone


# --- the file


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(SuiteError, match=r"suite broken\.json is not JSON: .*line 1"):
        load_suite(path)


@pytest.mark.parametrize("raw", [[], {}, {"name": "x", "expectations": {}}])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, raw: Any) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(SuiteError, match="an object with a list `expectations`"):
        load_suite(path)


@pytest.mark.parametrize("item", ["text", {}, {"kwargs": {}}])
def test_an_item_without_a_type_is_refused(tmp_path: Path, item: Any) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"expectations": [item]}))
    with pytest.raises(SuiteError, match="expectation 1: it must be an object with a `type`"):
        load_suite(path)


def test_a_misspelt_field_is_refused_and_not_ignored(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"expectation": [], "expectations": []}))
    with pytest.raises(SuiteError, match=r"unknown fields \['expectation'\]"):
        load_suite(path)
    item = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 1}, "severty": "info"}
    with pytest.raises(SuiteError, match=r"unknown fields \['severty'\]"):
        load_suite(write_suite(tmp_path, "suite", [item]))


def test_a_severity_that_gx_would_drop_the_expectation_for_is_refused(tmp_path: Path) -> None:
    item = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 1}, "severity": "fatal"}
    with pytest.raises(SuiteError, match=r"severity 'fatal' is none of \['critical', 'warning'"):
        load_suite(write_suite(tmp_path, "suite", [item]))


def test_the_same_expectation_twice_is_refused(tmp_path: Path) -> None:
    item = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 1}}
    twice = [item, {**item, "severity": "warning"}]
    with pytest.raises(SuiteError, match=f"expectations 1 and 2 are the same .{BETWEEN}:items"):
        load_suite(write_suite(tmp_path, "suite", twice))
    other = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 2}}
    assert len(load_suite(write_suite(tmp_path, "suite", [item, other])).expectations) == 2


def test_the_digest_names_the_content_of_the_suite(tmp_path: Path) -> None:
    item = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 1}}
    first = load_suite(write_suite(tmp_path, "a", [item]))
    text = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(text, indent=4))
    assert load_suite(tmp_path / "a.json").digest == first.digest
    item["kwargs"] = {"column": "items", "min_value": 2}
    assert load_suite(write_suite(tmp_path, "a", [item])).digest != first.digest


# --- arguments


def test_wrong_arguments_are_refused_with_what_is_wrong(tmp_path: Path) -> None:
    assert "colum: extra fields not permitted" in refused(tmp_path, BETWEEN, colum="items")
    assert "column: field required" in refused(tmp_path, BETWEEN, min_value=1)
    assert "cannot both be None" in refused(tmp_path, BETWEEN, column="items")
    assert "value_set" in refused(
        tmp_path, "expect_column_values_to_not_be_in_set", column="nobody"
    )


@pytest.mark.parametrize(
    ("kind", "kwargs", "missing"),
    [
        (IN_SET, {"column": "shop"}, "value_set"),
        (IN_SET, {"column": "shop", "value_set": []}, "value_set"),
        ("expect_column_values_to_not_be_in_set", {"column": "shop"}, "value_set"),
        ("expect_column_distinct_values_to_contain_set", {"column": "shop"}, "value_set"),
        ("expect_column_distinct_values_to_equal_set", {"column": "nobody"}, "value_set"),
        ("expect_column_most_common_value_to_be_in_set", {"column": "shop"}, "value_set"),
        (
            "expect_column_pair_values_to_be_in_set",
            {"column_A": "items", "column_B": "shop", "value_pairs_set": []},
            "value_pairs_set",
        ),
        (MATCHES, {"column": "shop"}, "regex"),
        ("expect_column_values_to_not_match_regex", {"column": "shop", "regex": ""}, "regex"),
        ("expect_table_columns_to_match_set", {}, "column_set"),
        ("expect_table_columns_to_match_ordered_list", {"column_list": []}, "column_list"),
        ("expect_column_mean_to_be_between", {"column": "items"}, "min_value and max_value"),
        ("expect_column_max_to_be_between", {"column": "nobody"}, "min_value and max_value"),
        ("expect_table_row_count_to_be_between", {"min_value": None}, "min_value and max_value"),
    ],
)
def test_an_expectation_that_would_never_fail_is_refused(
    tmp_path: Path, kind: str, kwargs: dict[str, Any], missing: str
) -> None:
    assert f"): {missing}" in refused(tmp_path, kind, **kwargs)


@pytest.mark.parametrize("unique", ["non_null", "unique"])
@pytest.mark.parametrize("limit", [{"max_value": 95}, {"min_value": -0.1}, {"min_value": 1.01}])
def test_a_share_is_from_0_to_1(tmp_path: Path, unique: str, limit: dict[str, float]) -> None:
    kind = f"expect_column_proportion_of_{unique}_values_to_be_between"
    assert "write 0.95 for 95 %" in refused(tmp_path, kind, column="shop", **limit)
    assert loaded(tmp_path, kind, column="shop", min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "quantile_ranges must be like"),
        ({"quantiles": [0.5]}, "quantile_ranges must be like"),
        ({"quantiles": [], "value_ranges": []}, "quantile_ranges must be like"),
        ({"quantiles": [0.1, 0.5], "value_ranges": [[1, 2]]}, "2 quantiles have 1 value_ranges"),
        ({"quantiles": [50], "value_ranges": [[1, 2]]}, "quantiles has 50; write numbers from 0"),
        ({"quantiles": ["0.5"], "value_ranges": [[1, 2]]}, "quantiles has '0.5'"),
        ({"quantiles": [0.5], "value_ranges": [[2, 1]]}, "value_ranges has [2, 1]; exchange"),
    ],
)
def test_quantiles_and_their_ranges_are_pairs(tmp_path: Path, asked: Any, message: str) -> None:
    kind = "expect_column_quantile_values_to_be_between"
    assert message in refused(tmp_path, kind, column="items", quantile_ranges=asked)
    right = {"quantiles": [0, 1], "value_ranges": [[1, None], [None, 3]]}
    assert loaded(tmp_path, kind, column="items", quantile_ranges=right)


def test_a_byte_order_mark_is_no_part_of_a_suite(tmp_path: Path) -> None:
    item = {"type": BETWEEN, "kwargs": {"column": "items", "min_value": 1}}
    path = write_suite(tmp_path, "suite", [item])
    plain = load_suite(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_suite(path) == plain


def test_a_column_is_named_once_in_a_list(tmp_path: Path) -> None:
    unique = "expect_compound_columns_to_be_unique"
    text = refused(tmp_path, unique, column_list=["shop", "items", "shop"])
    assert "column_list has 'shop' twice" in text


def test_a_parameter_that_nobody_fills_is_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, BETWEEN, column="items", min_value={"$PARAMETER": "low"})
    assert "min_value is the parameter 'low'" in text


@pytest.mark.parametrize("pattern", ["([", 7])
def test_a_wrong_pattern_is_refused(tmp_path: Path, pattern: Any) -> None:
    assert f"pattern {pattern!r} is wrong" in refused(
        tmp_path, MATCHES, column="shop", regex=pattern
    )
    listed = refused(tmp_path, f"{MATCHES}_list", column="shop", regex_list=["a", pattern])
    assert f"pattern {pattern!r} is wrong" in listed


def test_a_condition_that_is_code_in_a_text_is_refused(tmp_path: Path) -> None:
    code = {"type": "pass_through", "pass_through_filter": "items > 3"}
    for condition in ('col("shop")=="a"', code):
        text = refused(tmp_path, BETWEEN, column="items", min_value=1, row_condition=condition)
        assert '"type": "comparison"' in text


def test_a_condition_adds_the_columns_it_compares(tmp_path: Path) -> None:
    compare = {"type": "comparison", "column": {"name": "shop"}, "operator": "==", "parameter": "a"}
    null = {"type": "nullity", "column": {"name": "distance"}, "is_null": True}
    both = {"type": "and", "conditions": [compare, null]}
    found = loaded(tmp_path, BETWEEN, column="items", min_value=1, row_condition=both)
    assert found.columns == ("distance", "items", "shop")
    assert (found.label, found.how) == (f"{BETWEEN}:items", "rows")
    kind = "expect_column_mean_to_be_between"
    mean = loaded(tmp_path, kind, column="items", min_value=1, row_condition=compare)
    assert mean.how == "mean"
    kind = "expect_column_median_to_be_between"
    median = loaded(tmp_path, kind, column="items", min_value=1, row_condition=compare)
    assert median.how == "whole"


# --- limits against the contract


def test_a_day_stands_for_all_of_it(tmp_path: Path) -> None:
    end = (2013, 12, 31, 23, 59, 59, 999_999)
    day = {"min_value": "2013-01-01", "max_value": "2013-12-31"}
    loose = loaded(tmp_path, BETWEEN, column="at", **day).kwargs
    assert (loose["min_value"], loose["max_value"]) == (utc(2013, 1, 1), utc(*end))
    strict = loaded(tmp_path, BETWEEN, column="at", strict_min=True, strict_max=True, **day).kwargs
    assert strict["min_value"] == utc(2013, 1, 1, 23, 59, 59, 999_999)
    assert strict["max_value"] == utc(2013, 12, 31)


@pytest.mark.parametrize(
    "text", ["2013-01-01T05:00:00", "2013-01-01T05:00:00Z", "2013-01-01T06:00:00+01:00"]
)
@pytest.mark.parametrize("kind", [BETWEEN, "expect_column_max_to_be_between"])
def test_times_are_instants_in_utc(tmp_path: Path, kind: str, text: str) -> None:
    found = loaded(tmp_path, kind, column="at", min_value=text)
    assert found.kwargs["min_value"] == utc(2013, 1, 1, 5)


def test_times_in_a_set_are_instants_and_days_are_not(tmp_path: Path) -> None:
    found = loaded(tmp_path, IN_SET, column="at", value_set=["2013-01-01T00:00:00Z"])
    assert found.kwargs["value_set"] == [utc(2013, 1, 1)]
    text = refused(tmp_path, IN_SET, column="at", value_set=["2013-01-01"])
    assert "write 2013-01-01T00:00:00Z" in text


def test_dates_are_days(tmp_path: Path) -> None:
    found = loaded(tmp_path, BETWEEN, column="on", max_value="2013-12-31")
    assert found.kwargs["max_value"] == utc(2013, 12, 31)
    members = loaded(tmp_path, IN_SET, column="on", value_set=["2013-12-31"])
    assert members.kwargs["value_set"] == [utc(2013, 12, 31)]
    text = refused(tmp_path, BETWEEN, column="on", max_value="2013-12-31T10:00:00Z")
    assert "is no day; write it as 2013-12-31" in text


@pytest.mark.parametrize(
    ("kind", "kwargs", "message"),
    [
        (BETWEEN, {"column": "at", "min_value": 5}, "min_value 5 is no time; write it as 2013"),
        (BETWEEN, {"column": "at", "min_value": "soon"}, "min_value 'soon' is no time"),
        (BETWEEN, {"column": "items", "min_value": "5"}, "min_value '5' is no number"),
        (BETWEEN, {"column": "items", "max_value": True}, "max_value True is no number"),
        (BETWEEN, {"column": "distance", "max_value": "2013-01-01"}, "'distance' is float64"),
        (BETWEEN, {"column": "shop", "min_value": "a"}, "declare the column as timestamp"),
        (BETWEEN, {"column": "express", "min_value": 0}, "'express' is bool, which has no range"),
        (IN_SET, {"column": "items", "value_set": [1, "2"]}, "value_set has '2', and 'items' is"),
        (IN_SET, {"column": "items", "value_set": [True]}, "they are never equal"),
        (IN_SET, {"column": "shop", "value_set": [1]}, "they are never equal"),
        (IN_SET, {"column": "express", "value_set": [1]}, "they are never equal"),
        (MATCHES, {"column": "items", "regex": "^1$"}, "it reads text, and 'items' is int64"),
        (
            "expect_column_value_lengths_to_equal",
            {"column": "at", "value": 3},
            "it reads text, and 'at' is timestamp",
        ),
        (
            "expect_column_mean_to_be_between",
            {"column": "shop", "min_value": 3},
            "it needs numbers, and 'shop' is string",
        ),
        (
            "expect_column_most_common_value_to_be_in_set",
            {"column": "at", "value_set": ["2013-01-01T00:00:00Z"]},
            "GX compares no times here",
        ),
    ],
)
def test_a_limit_of_another_type_is_refused(
    tmp_path: Path, kind: str, kwargs: dict[str, Any], message: str
) -> None:
    assert message in refused(tmp_path, kind, **kwargs)


def test_columns_that_no_contract_knows_are_left_to_gx(tmp_path: Path) -> None:
    found = loaded(tmp_path, IN_SET, column="extra", value_set=[1, "a"])
    assert found.kwargs["value_set"] == [1, "a"]


# --- classes of a project's own

OWN = """
import great_expectations.expectations as gxe

class ExpectItemsPositive(gxe.ExpectColumnValuesToBeBetween):
    column: str = "items"
    min_value: float = 1

class ExpectNoSuchRows(gxe.UnexpectedRowsExpectation):
    unexpected_rows_query: str = "SELECT * FROM {batch}"
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_checks.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_checks", raising=False)
    return "own_checks"


def own_suite(folder: Path, kind: str, imports: list[str]) -> Path:
    path = folder / "own.json"
    suite = {"meta": {"imports": imports}, "expectations": [{"type": kind, "kwargs": {}}]}
    path.write_text(json.dumps(suite))
    return path


def test_a_class_of_ones_own_is_imported_and_judged_row_by_row(
    tmp_path: Path, own_module: str
) -> None:
    path = own_suite(tmp_path, "expect_items_positive", [own_module])
    (found,) = load_suite(path, orders_dataset(tmp_path).columns).expectations
    assert (found.columns, found.how) == (("items",), "rows")


def test_a_class_of_ones_own_that_runs_sql_is_refused(tmp_path: Path, own_module: str) -> None:
    path = own_suite(tmp_path, "expect_no_such_rows", [own_module])
    with pytest.raises(UnknownExpectationError, match="runs SQL"):
        load_suite(path)


def test_a_class_that_is_not_imported_is_unknown(tmp_path: Path) -> None:
    path = own_suite(tmp_path, "expect_nobody_knows", [])
    with pytest.raises(UnknownExpectationError, match=r"named in meta\.imports"):
        load_suite(path)
