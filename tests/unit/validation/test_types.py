"""What each expectation makes of each type: limits that only exact arithmetic distinguishes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.validation.examination import examine
from mlops_tasks.validation.suite import load_suite
from tests.unit.orders import orders_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.validation.check_outcomes import CheckOutcome

LEAST, MOST, NEAR = -(2**63), 2**63 - 1, 2**53
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
NAN, INF = math.nan, math.inf
ARROW = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Case:
    """An expectation on two columns of one type: met or not, or refused when it is loaded."""

    type: str
    kind: str
    values: list[Any]
    passed: bool | None
    kwargs: dict[str, Any] = field(default_factory=dict)
    other: list[Any] | None = None
    n_bad: int | None = None
    says: str = ""

    def __str__(self) -> str:
        return f"{self.type}-{self.kind}"


def between(type_: str, values: list[Any], n_bad: int, **limits: Any) -> Case:
    return Case(type_, "values_to_be_between", values, not n_bad, limits, n_bad=n_bad)


def member(type_: str, values: list[Any], n_bad: int, wanted: list[Any]) -> Case:
    return Case(type_, "values_to_be_in_set", values, not n_bad, {"value_set": wanted}, n_bad=n_bad)


def whole(type_: str, kind: str, values: list[Any], passed: bool, **kwargs: Any) -> Case:
    return Case(type_, kind, values, passed, kwargs)


def pair(type_: str, kind: str, left: list[Any], right: list[Any], n_bad: int, **more: Any) -> Case:
    return Case(type_, f"pair_values_{kind}", left, not n_bad, more, right, n_bad)


def refused(type_: str, kind: str, says: str, **kwargs: Any) -> Case:
    return Case(type_, kind, [], None, kwargs, says=says)


INTS = [LEAST, -NEAR - 1, 0, None, NEAR, NEAR + 1, MOST]
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)
CASES = [
    # --- single values and limits
    between("int64", INTS, 0, min_value=LEAST, max_value=MOST),
    between("int64", INTS, 1, min_value=LEAST + 1),
    between("int64", INTS, 1, max_value=MOST, strict_max=True),
    between("int64", INTS, 2, min_value=-NEAR, max_value=10**30),
    between("int64", INTS, 6, min_value=MOST + 1),
    between("int64", INTS, 2, max_value=NEAR),
    between("int64", INTS, 3, max_value=NEAR, strict_max=True),
    between("int64", [1, 2, 3], 2, min_value=1.5, max_value=2.5),
    between("int64", [1, 2, 3], 2, min_value=2.5, strict_min=True),
    between("int64", [None, None], 0, min_value=1),
    between("float64", [NEAR, NAN, None, NEAR + 2.0], 1, min_value=NEAR + 1),
    between("float64", [0.1, -0.0, 1e308], 1, max_value=0.1),
    between("float64", [-INF, INF, NAN, 1.0], 1, min_value=-(10**300)),
    between("float64", [0.1, 0.3], 1, min_value=0.1, strict_min=True),
    between("timestamp", [FIRST, LAST, None], 0, min_value="0001-01-01", max_value="9999-12-31"),
    between("timestamp", [FIRST, LAST], 1, min_value="0001-01-01T00:00:00.000001Z"),
    between("timestamp", [FIRST, LAST], 1, max_value="9999-12-31", strict_max=True),
    between("date", [FIRST_DAY, LAST_DAY, None], 0, min_value="0001-01-01", max_value="9999-12-31"),
    between("date", [FIRST_DAY, LAST_DAY], 1, min_value="0001-01-01", strict_min=True),
    refused("string", "values_to_be_between", "has no range", min_value="a"),
    refused("bool", "values_to_be_between", "has no range", min_value=0),
    refused("int64", "values_to_be_between", "no number", min_value="5"),
    refused("int64", "values_to_be_between", "no number", min_value=NAN),
    refused("int64", "values_to_be_between", "is above max_value", min_value=2, max_value=1),
    refused("float64", "values_to_be_between", "no number", min_value="2024-03-01"),
    refused("int64", "values_to_be_between", "too large", min_value=10**400),
    refused("date", "values_to_be_between", "is no day", min_value="2024-03-01T00:00:00Z"),
    refused("date", "values_to_be_between", "is no day", max_value=20240301),
    refused("timestamp", "values_to_be_between", "is no time", min_value="20000-01-01"),
    refused("timestamp", "values_to_be_between", "1 to 9999", min_value="0001-01-01T00:00+05:00"),
    # --- sets
    member("int64", INTS, 5, [NEAR + 1]),
    member("int64", [MOST, LEAST, None], 0, [MOST, LEAST]),
    member("int64", [1, 2], 1, [1.0]),
    member("float64", [NEAR, NEAR + 2.0, NAN], 1, [NEAR]),
    member("float64", [0.1, INF], 1, [0.1]),
    member("string", ["1", "a", None], 1, ["1"]),
    member("bool", [True, False, None], 1, [True]),
    member("date", [FIRST_DAY, LAST_DAY, None], 1, ["0001-01-01"]),
    member("timestamp", [FIRST, LAST], 1, ["9999-12-31T23:59:59.999999Z"]),
    Case("int64", "values_to_not_be_in_set", INTS, False, {"value_set": [NEAR + 1]}, n_bad=1),
    refused("int64", "values_to_be_in_set", "never equal", value_set=["1"]),
    refused("int64", "values_to_be_in_set", "never equal", value_set=[1.5]),
    refused("int64", "values_to_be_in_set", "never equal", value_set=[2**63]),
    refused("float64", "values_to_be_in_set", "never equal", value_set=[NEAR + 1]),
    refused("string", "values_to_be_in_set", "never equal", value_set=[1]),
    refused("bool", "values_to_be_in_set", "never equal", value_set=[1]),
    refused("date", "values_to_be_in_set", "is no day", value_set=["today"]),
    refused("timestamp", "values_to_be_in_set", "is a day", value_set=["2024-03-01"]),
    refused("string", "values_to_be_in_set", "write a list", value_set="a"),
    # --- the smallest and the largest
    whole("int64", "min_to_be_between", INTS, True, min_value=LEAST, max_value=LEAST),
    whole("int64", "max_to_be_between", INTS, False, max_value=MOST - 1),
    whole("int64", "max_to_be_between", [NEAR + 1], False, max_value=NEAR),
    whole("int64", "max_to_be_between", [None, None], False, max_value=NEAR),
    whole("float64", "max_to_be_between", [1.0, INF, NAN], False, max_value=10**300),
    whole("float64", "min_to_be_between", [NAN, None], False, min_value=0),
    whole("date", "max_to_be_between", [FIRST_DAY, LAST_DAY], True, min_value="9999-12-31"),
    whole("timestamp", "min_to_be_between", [FIRST, LAST], True, max_value="0001-01-01"),
    refused("string", "max_to_be_between", "has no range", max_value="z"),
    refused("bool", "max_to_be_between", "has no range", max_value=True),
    # --- sums and means
    whole("int64", "sum_to_be_between", [2**62] * 4, True, min_value=2**64, max_value=2**64),
    whole("int64", "sum_to_be_between", [LEAST] * 3, True, max_value=3 * LEAST),
    whole("int64", "sum_to_be_between", [NEAR, 1, None], False, max_value=NEAR),
    whole("int64", "sum_to_be_between", [None], True, min_value=0, max_value=0),
    whole("float64", "sum_to_be_between", [1e308, 1e308], False, max_value=1e308),
    whole("float64", "sum_to_be_between", [INF, -INF], False, min_value=0),
    whole("bool", "sum_to_be_between", [True, True, None], True, min_value=2, max_value=2),
    whole("int64", "mean_to_be_between", [MOST, MOST], True, min_value=MOST, max_value=MOST),
    whole("int64", "mean_to_be_between", [NEAR, NEAR + 1], False, max_value=NEAR),
    whole("int64", "mean_to_be_between", [None], False, min_value=0),
    whole("float64", "mean_to_be_between", [INF, -INF], False, min_value=0),
    whole("bool", "mean_to_be_between", [True, False], True, min_value=0.5, max_value=0.5),
    *(
        refused(type_, f"{kind}_to_be_between", "needs numbers", min_value=1)
        for type_ in ("string", "date", "timestamp")
        for kind in ("sum", "mean", "stdev")
    ),
    refused("int64", "sum_to_be_between", "no number", min_value="1"),
    # --- spread, middle, ranks, order, mode
    whole("int64", "stdev_to_be_between", [MOST, MOST - 2], True, min_value=1.41, max_value=1.42),
    whole("int64", "stdev_to_be_between", [LEAST, MOST], True, min_value=1.3e19, max_value=1.31e19),
    whole("int64", "stdev_to_be_between", [1, None], False, min_value=0),
    whole("float64", "stdev_to_be_between", [INF, 1.0], False, min_value=0),
    whole("int64", "median_to_be_between", INTS, True, min_value=NEAR / 2, max_value=NEAR / 2),
    whole("int64", "median_to_be_between", [NEAR, NEAR + 1], False, max_value=NEAR),
    whole("float64", "median_to_be_between", [NAN, None], False, min_value=0),
    whole("date", "median_to_be_between", [FIRST_DAY] * 3, True, max_value="0001-01-01"),
    whole("timestamp", "median_to_be_between", [LAST], True, min_value="9999-12-31T23:59:59Z"),
    refused("string", "median_to_be_between", "has no range", min_value="a"),
    whole(
        "int64",
        "quantile_values_to_be_between",
        [NEAR + 1, NEAR + 1, MOST],
        False,
        quantile_ranges={"quantiles": [0.5], "value_ranges": [[None, NEAR]]},
    ),
    refused(
        "int64",
        "quantile_values_to_be_between",
        "a pair of numbers",
        quantile_ranges={"quantiles": [0.5], "value_ranges": [["1", 2]]},
    ),
    refused("bool", "quantile_values_to_be_between", "needs numbers"),
    Case("int64", "values_to_be_increasing", INTS, True, {"strictly": True}, n_bad=0),
    Case("int64", "values_to_be_decreasing", [NEAR, NEAR + 1, LEAST], False, n_bad=1),
    Case("date", "values_to_be_increasing", [FIRST_DAY, None, LAST_DAY], True, n_bad=0),
    refused("string", "values_to_be_increasing", "no order"),
    whole("int64", "most_common_value_to_be_in_set", [NEAR, NEAR + 1, NEAR + 1], False,
          value_set=[NEAR]),
    whole("string", "most_common_value_to_be_in_set", ["a", "a", "b"], True, value_set=["a"]),
    # --- different values
    whole("int64", "unique_value_count_to_be_between", INTS, True, min_value=6, max_value=6),
    whole("float64", "unique_value_count_to_be_between", [NAN, INF, None], True, max_value=1),
    whole("int64", "distinct_values_to_be_in_set", [NEAR + 1], False, value_set=[NEAR]),
    whole("int64", "distinct_values_to_equal_set", [MOST, None], True, value_set=[MOST]),
    whole("date", "distinct_values_to_equal_set", [LAST_DAY], True, value_set=["9999-12-31"]),
    whole("bool", "distinct_values_to_contain_set", [True], False, value_set=[False]),
    whole("float64", "unique_value_count_to_be_between", [0.0, -0.0, None], True, max_value=1),
    whole("float64", "distinct_values_to_equal_set", [-0.0], True, value_set=[0]),
    whole("int64", "proportion_of_unique_values_to_be_between", INTS, True, min_value=1),
    *(
        Case(type_, "values_to_be_unique", values, not n_bad, n_bad=n_bad)
        for type_, values, n_bad in (
            ("int64", [NEAR, NEAR + 1, None, None], 0),
            ("int64", [MOST, MOST, 1], 2),
            ("float64", [NAN, NAN, INF], 0),
            ("string", ["1", "1"], 2),
            ("bool", [True, False], 0),
            ("date", [LAST_DAY, LAST_DAY], 2),
            ("timestamp", [FIRST, LAST], 0),
        )
    ),
    # --- missing ones
    *(
        Case(type_, kind, [None, *some], passed, n_bad=n_bad)
        for type_, some in (
            ("int64", [MOST]), ("float64", [INF]), ("bool", [True]), ("string", [""]),
            ("date", [LAST_DAY]), ("timestamp", [FIRST]),
        )
        for kind, passed, n_bad in (
            ("values_to_not_be_null", False, 1), ("values_to_be_null", False, 1)
        )
    ),
    whole("float64", "proportion_of_non_null_values_to_be_between", [NAN, 1.0], True,
          max_value=0.5),
    # --- pairs
    pair("int64", "a_to_be_greater_than_b", [NEAR + 1, MOST], [NEAR, MOST], 1),
    pair("int64", "a_to_be_greater_than_b", [NEAR, None], [NEAR, 1], 1, or_equal=True),
    pair("int64", "to_be_equal", [NEAR + 1, None], [NEAR, None], 1),
    pair("int64", "to_be_in_set", [NEAR + 1, 1], [1, 1], 1, value_pairs_set=[[NEAR, 1], [1, 1]]),
    pair("float64", "a_to_be_greater_than_b", [INF, NAN], [1.0, NAN], 0),
    pair("date", "a_to_be_greater_than_b", [LAST_DAY], [FIRST_DAY], 0),
    pair("timestamp", "to_be_equal", [FIRST], [LAST], 1),
    pair("string", "to_be_equal", ["1", None], ["1", "1"], 1),
    refused("string", "pair_values_a_to_be_greater_than_b", "no order"),
    refused("int64", "pair_values_to_be_in_set", "never equal", value_pairs_set=[["1", 1]]),
    refused("int64", "pair_values_to_be_in_set", "write pairs", value_pairs_set=[[1]]),
    # --- texts
    *(
        refused(type_, kind, "it reads text", **kwargs)
        for type_ in ("int64", "float64", "bool", "date", "timestamp")
        for kind, kwargs in (
            ("values_to_match_regex", {"regex": "^1"}),
            ("value_lengths_to_equal", {"value": 1}),
        )
    ),
    Case("string", "values_to_match_regex", ["1", None, ""], False, {"regex": "^1"}, n_bad=1),
    Case("string", "value_lengths_to_equal", ["é", "", None], False, {"value": 1}, n_bad=1),
    # --- conditions
    *(
        Case("int64", "values_to_be_between", INTS, not n_bad, {"max_value": 0,
             "row_condition": {"type": "comparison", "column": {"name": "x"},
                               "operator": sign, "parameter": NEAR + 1}}, n_bad=n_bad)
        for sign, n_bad in (("==", 1), (">", 1), ("<", 1), (">=", 2))
    ),
]  # fmt: skip


class Rows:
    """A partition in memory, in chunks: what `examine` asks of one in the lake."""

    partition = "2024-03-01"

    def __init__(self, rows: pa.Table, chunk_rows: int) -> None:
        self.rows, self.schema, self.n_rows = rows, rows.schema, rows.num_rows
        self.chunk_rows, self.n_chunks = chunk_rows, max(-(-rows.num_rows // chunk_rows), 1)

    def chunks(self, columns: Any = None) -> Iterator[tuple[int, pa.Table]]:
        rows = self.load(self.schema.names if columns is None else columns)
        for start in range(0, max(self.n_rows, 1), self.chunk_rows):
            yield start, rows.slice(start, self.chunk_rows)

    def load(self, names: Any) -> pa.Table:
        return self.rows.select(list(names))

    def take(self, positions: list[int], columns: Any = None) -> pa.Table:
        return self.load(columns).take(pa.array(positions, pa.int64()))


def examined(
    folder: Path, items: list[dict[str, Any]], columns: dict[str, str], rows: pa.Table, chunk: int
) -> list[CheckOutcome]:
    path = folder / "types.json"
    path.write_text(json.dumps({"name": "types", "expectations": items}))
    key = (next(iter(columns)),)
    spec = orders_dataset(folder, columns=columns, key=key, expectations=path)
    suite = load_suite(path, columns)
    found = examine(spec, suite, Rows(rows, chunk))  # type: ignore[arg-type] # has all that is asked
    return [one for one in found.outcomes if one.source == "suite"]


def outcome(case: Case, folder: Path, chunk_rows: int) -> CheckOutcome:
    named = {"column_A": "x", "column_B": "y"} if "pair_values" in case.kind else {"column": "x"}
    item = {"type": f"expect_column_{case.kind}", "kwargs": named | case.kwargs}
    kind, other = ARROW[case.type], case.other or [None] * len(case.values)
    rows = pa.table({"x": pa.array(case.values, kind), "y": pa.array(other, kind)})
    columns = {"x": f"{case.type}?", "y": f"{case.type}?"}
    (found,) = examined(folder, [item], columns, rows, chunk_rows)
    return found


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case}" for i, case in enumerate(CASES)])
def test_every_expectation_is_exact_of_every_type_or_refused(case: Case, tmp_path: Path) -> None:
    if case.passed is None:
        with pytest.raises(SuiteError, match=case.says) as error:
            outcome(case, tmp_path, 100)
        text = str(error.value)
        assert text.startswith(f"suite types.json, expectation 1 (expect_column_{case.kind}): ")
        return
    for chunk_rows in (100, 2):
        found = outcome(case, tmp_path, chunk_rows)
        assert not found.error
        assert (found.passed, found.n_bad) == (case.passed, case.n_bad), found


@pytest.mark.parametrize("chunk_rows", [100, 2])
def test_whole_numbers_and_doubles_are_compared_exactly(tmp_path: Path, chunk_rows: int) -> None:
    columns = {"n": "int64?", "f": "float64?", "d": "date", "t": "timestamp"}
    rows = pa.table(
        {
            "n": pa.array([NEAR + 1, NEAR, 1, None], pa.int64()),
            "f": pa.array([float(NEAR), float(NEAR), 0.5, 1.0]),
            "d": pa.array([FIRST_DAY] * 3 + [LAST_DAY], pa.date32()),
            "t": pa.array([FIRST] * 4, ARROW["timestamp"]),
        }
    )
    items = {
        ("expect_column_pair_values_a_to_be_greater_than_b", "n", "f"): 2,
        ("expect_column_pair_values_to_be_equal", "n", "f"): 3,
        ("expect_column_pair_values_to_be_equal", "d", "t"): 1,
        ("expect_select_column_values_to_be_unique_within_record", "n", "f"): 1,
        ("expect_multicolumn_sum_to_equal", "n", "f"): 3,
    }
    expectations = [
        {"type": kind, "kwargs": {"column_A": a, "column_B": b}}
        if "pair" in kind
        else {"type": kind, "kwargs": {"column_list": [a, b]}}
        for kind, a, b in items
    ]
    expectations[-1]["kwargs"]["sum_total"] = 2 * NEAR + 1  # type: ignore[index]
    found = examined(tmp_path, expectations, columns, rows, chunk_rows)
    assert [one.n_bad for one in found] == list(items.values())


@pytest.mark.parametrize("kind", ARROW)
def test_of_no_rows_every_check_has_a_verdict(kind: str, tmp_path: Path) -> None:
    items = [
        {"type": f"expect_column_{name}", "kwargs": {"column": "x"} | kwargs}
        for name, kwargs in (
            ("values_to_be_unique", {}),
            ("values_to_not_be_null", {}),
            ("unique_value_count_to_be_between", {"max_value": 0}),
            ("proportion_of_non_null_values_to_be_between", {"max_value": 0}),
            *([("sum_to_be_between", {"max_value": 0})] if kind in ("int64", "float64") else []),
        )
    ]
    rows = pa.table({"x": pa.array([], ARROW[kind])})
    found = examined(tmp_path, items, {"x": f"{kind}?"}, rows, 100)
    assert [(one.passed, one.error) for one in found] == [(True, "")] * len(items)


def test_types_beyond_the_contract_are_exact_too(tmp_path: Path) -> None:
    """Columns that a source gives beside those of the contract."""
    rows = pa.table(
        {
            "x": [1, 2],
            "decimal": pa.array([Decimal(2**70), Decimal(2**70 + 1)], pa.decimal128(38, 0)),
            "huge": pa.array([2**64 - 1, 2**64 - 2], pa.uint64()),
            "small": pa.array([1, 2], pa.int8()),
            "code": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    wanted: list[tuple[str, str, str, Any, bool, int | None]] = [
        ("decimal", "values_to_be_between", "min_value", 2**70 + 1, False, 1),
        ("decimal", "sum_to_be_between", "min_value", 2**71 + 1, True, None),
        ("huge", "values_to_be_between", "max_value", 2**64 - 2, False, 1),
        ("huge", "values_to_be_in_set", "value_set", [2**64 - 1], False, 1),
        ("huge", "sum_to_be_between", "min_value", 2**65 - 3, True, None),
        ("small", "values_to_be_between", "max_value", 1000, True, 0),
        ("code", "values_to_be_in_set", "value_set", ["a"], False, 1),
        ("code", "distinct_values_to_equal_set", "value_set", ["a", "b"], True, None),
    ]
    items = [
        {"type": f"expect_column_{kind}", "kwargs": {"column": column, argument: value}}
        for column, kind, argument, value, _, _ in wanted
    ]
    found = examined(tmp_path, items, {"x": "int64"}, rows, 100)
    assert [(one.passed, one.n_bad) for one in found] == [one[4:] for one in wanted], found
