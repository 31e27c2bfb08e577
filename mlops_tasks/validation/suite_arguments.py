"""Arguments of expectations against the contract: fixed, or refused, where they misjudge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.validation.limits import is_number
from mlops_tasks.validation.literals import literal_limit, literal_member
from mlops_tasks.validation.row_conditions import CONDITION_FORM, checked_condition

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_needed", "checked_arguments"]

# Kinds whose `min_value`, `max_value` or `value_set` are values of the column.
_BOUNDED = {
    "expect_column_max_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_values_to_be_between",
}
_SETS = {
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_most_common_value_to_be_in_set",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_not_be_in_set",
}
_TEXT = {
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_match_regex",
    "expect_column_values_to_not_match_regex_list",
}
_NUMBERS = {
    "expect_column_mean_to_be_between",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_not_be_outliers",
}
_COUNTED = {
    "expect_column_mean_to_be_between",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_unique_value_count_to_be_between",
    "expect_table_row_count_to_be_between",
    "expect_table_column_count_to_be_between",
    "expect_column_value_lengths_to_be_between",
}
# What a kind compares with; without it nothing would be checked, and Great Expectations would pass.
_NEEDED = {
    **dict.fromkeys(_SETS, "value_set"),
    "expect_column_pair_values_to_be_in_set": "value_pairs_set",
    "expect_column_values_to_match_regex": "regex",
    "expect_column_values_to_not_match_regex": "regex",
    "expect_table_columns_to_match_ordered_list": "column_list",
    "expect_table_columns_to_match_set": "column_set",
}
_SHARES = {
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
}
_ORDERED = {"expect_column_values_to_be_increasing", "expect_column_values_to_be_decreasing"}
_GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
_COMPARED = {
    _GREATER,
    "expect_column_pair_values_to_be_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_select_column_values_to_be_unique_within_record",
}
_INTERPOLATIONS = ("nearest", "linear", "lower", "higher", "midpoint")
_TIMES = ("timestamp", "date")
# Types of which values can be compared with each other.
_FAMILIES = {"int64": "number", "float64": "number", "timestamp": "time", "date": "time"}


def checked_arguments(
    kind: str, kwargs: Mapping[str, Any], columns: Mapping[str, str]
) -> dict[str, Any]:
    """Return the arguments as Great Expectations judges them rightly.

    Times are instants in UTC: without a zone they are taken as UTC, and a day stands for all of it,
    its first moment as the lower and its last as the upper limit. A `SuiteError` refuses what is
    a parameter, a wrong pattern, or cannot be compared with the column; columns that the contract
    does not have are not compared.

    Examples
    --------
    >>> day = {"column": "at", "max_value": "2013-12-31"}
    >>> kind = "expect_column_values_to_be_between"
    >>> checked_arguments(kind, day, {"at": "timestamp"})["max_value"].isoformat()
    '2013-12-31T23:59:59.999999+00:00'
    """
    _refuse_parameters(kwargs)
    if "condition_parser" in kwargs:
        raise SuiteError(f"{CONDITION_FORM}, without condition_parser")
    _check_shapes(kwargs)
    _check_patterns(kwargs)
    types = {name: declared.rstrip("?") for name, declared in columns.items()}
    done = dict(kwargs)
    if kwargs.get("row_condition") is not None:
        done["row_condition"] = checked_condition(kwargs["row_condition"], types)
    if kind in _COUNTED:
        _check_numbers(kwargs)
    _check_pair(kind, kwargs, types)
    held = types.get(str(kwargs.get("column")))
    if held is not None:
        _check_column(kind, str(kwargs["column"]), held)
        done |= _of_column(kind, kwargs, held)
    _check_order(done)
    return done


def check_needed(kind: str, kwargs: Mapping[str, Any]) -> None:
    """Refuse an expectation that asks nothing of the rows, and so would never fail.

    Examples
    --------
    >>> check_needed("expect_table_row_count_to_be_between", {"max_value": None})
    Traceback (most recent call last):
    ...
    mlops_tasks.exceptions.SuiteError: min_value and max_value are both missing; write one
    """
    name = _NEEDED.get(kind)
    if name and not kwargs.get(name):
        raise SuiteError(f"{name} is missing or empty, and nothing would be checked; write it")
    limits = [kwargs.get(name) for name in ("min_value", "max_value")]
    if kind in _BOUNDED | _COUNTED and limits == [None, None]:
        raise SuiteError("min_value and max_value are both missing; write one")
    if kind in _SHARES and any(limit is not None and not 0 <= limit <= 1 for limit in limits):
        raise SuiteError(f"{limits} are limits of a share, from 0 to 1; write 0.95 for 95 %")


def _of_column(kind: str, kwargs: Mapping[str, Any], held: str) -> dict[str, Any]:
    """Return the arguments that are values of the column, as it holds them."""
    column, found = str(kwargs["column"]), {}
    if kind in _BOUNDED:
        for name in ("min_value", "max_value"):
            if kwargs.get(name) is not None:
                # The whole day belongs to the range, or lies outside it where the limit is strict.
                strict = bool(kwargs.get(f"strict_{name.removesuffix('_value')}"))
                last = (name == "max_value") != strict
                found[name] = literal_limit(name, column, kwargs[name], held, last=last)
    if kind in _SETS:
        values = kwargs.get("value_set") or []
        found["value_set"] = [literal_member("value_set", column, v, held) for v in values]
    if kind == "expect_column_quantile_values_to_be_between":
        _check_quantiles(kwargs)
    return found


def _refuse_parameters(kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if isinstance(value, dict) and "$PARAMETER" in value:
            raise SuiteError(
                f"{name} is the parameter {value['$PARAMETER']!r}, and nobody gives "
                "values to parameters; write the value"
            )


def _check_shapes(kwargs: Mapping[str, Any]) -> None:
    """Refuse what is no list, or no name, where one belongs."""
    for name in ("value_set", "value_pairs_set", "column_list", "column_set", "regex_list"):
        if not isinstance(kwargs.get(name), list | None):
            raise SuiteError(f"{name} is {kwargs[name]!r}; write a list in brackets")
    for name in ("column", "column_A", "column_B"):
        if not isinstance(kwargs.get(name), str | None):
            raise SuiteError(f"{name} is {kwargs[name]!r}; write the name of a column")
    names = kwargs.get("column_list") or []
    for name in names:
        if not isinstance(name, str):
            raise SuiteError(f"column_list has {name!r}; write names of columns")
        if names.count(name) > 1:
            raise SuiteError(f"column_list has {name!r} twice; write it once")
    for pair in kwargs.get("value_pairs_set") or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise SuiteError(f"value_pairs_set has {pair!r}; write pairs like [1, 2]")


def _check_numbers(kwargs: Mapping[str, Any]) -> None:
    for name in ("min_value", "max_value"):
        if kwargs.get(name) is not None and not is_number(kwargs[name]):
            raise SuiteError(f"{name} {kwargs[name]!r} is no number; write it unquoted")


def _check_order(kwargs: Mapping[str, Any]) -> None:
    """Refuse limits that no value meets: a mistake, and no row would be good."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None and type(low) is not bool and low > high:
        raise SuiteError(f"min_value {low} is above max_value {high}; exchange them")


def _check_quantiles(kwargs: Mapping[str, Any]) -> None:
    if (method := kwargs.get("allow_relative_error") or "nearest") not in _INTERPOLATIONS:
        raise SuiteError(f"allow_relative_error {method!r} is none of {', '.join(_INTERPOLATIONS)}")
    asked = kwargs.get("quantile_ranges")
    asked = asked if isinstance(asked, dict) else {}
    quantiles, ranges = asked.get("quantiles"), asked.get("value_ranges")
    if not (isinstance(quantiles, list) and isinstance(ranges, list)) or not quantiles:
        raise SuiteError(
            'quantile_ranges must be like {"quantiles": [0.5], "value_ranges": [[1, 3]]}'
        )
    if len(quantiles) != len(ranges):
        raise SuiteError(f"{len(quantiles)} quantiles have {len(ranges)} value_ranges; pair them")
    for quantile in quantiles:
        if not is_number(quantile) or not 0 <= quantile <= 1:
            raise SuiteError(f"quantiles has {quantile!r}; write numbers from 0 to 1")
    for limits in ranges:
        numbers = isinstance(limits, list) and all(v is None or is_number(v) for v in limits)
        if not numbers or len(limits) != 2:
            raise SuiteError(
                f"value_ranges has {limits!r}; write a pair of numbers, null for no limit"
            )
        low, high = limits
        if low is not None and high is not None and low > high:
            raise SuiteError(f"value_ranges has {limits!r}; exchange the limits")


def _check_pair(kind: str, kwargs: Mapping[str, Any], types: dict[str, str]) -> None:
    """Refuse to compare columns whose values are never equal, or have no order."""
    named = [kwargs.get("column_A"), kwargs.get("column_B"), *(kwargs.get("column_list") or [])]
    held = {name: types[name] for name in named if name in types}
    described = ", ".join(f"{name!r} is {kind}" for name, kind in held.items())
    families = {_FAMILIES.get(kind, kind) for kind in held.values()}
    if kind in _COMPARED and len(families) > 1:
        raise SuiteError(f"{described}: they cannot be compared; declare both as the same type")
    if kind == _GREATER and families & {"string", "bool"}:
        raise SuiteError(f"{described}, which has no order here; compare numbers or times")
    if kind == "expect_multicolumn_sum_to_equal":
        if families - {"number"}:
            raise SuiteError(f"{described}; only numbers have a sum")
        if not is_number(kwargs.get("sum_total")):
            raise SuiteError(f"sum_total {kwargs.get('sum_total')!r} is no number")
    if kind == "expect_column_pair_values_to_be_in_set":
        for pair in kwargs.get("value_pairs_set") or []:
            for name, value in zip(named[:2], pair, strict=True):
                if value is not None and name in types:
                    literal_member("value_pairs_set", str(name), value, types[str(name)])


def _check_patterns(kwargs: Mapping[str, Any]) -> None:
    given = kwargs.get("regex")
    for pattern in [*([given] if given else []), *(kwargs.get("regex_list") or [])]:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise SuiteError(f"pattern {pattern!r} is wrong: {error}") from error


def _check_column(kind: str, column: str, held: str) -> None:
    """Refuse kinds that read the wrong type: numbers as text end in ".0" where nulls are."""
    if kind in _TEXT and held != "string":
        raise SuiteError(
            f"it reads text, and {column!r} is {held}; use "
            "'expect_column_values_to_be_between' or '..._to_be_in_set'"
        )
    counted = ("bool",) if kind == "expect_column_quantile_values_to_be_between" else ()
    if kind in _NUMBERS and held in ("string", *_TIMES, *counted):
        raise SuiteError(f"it needs numbers, and {column!r} is {held}; name a column of numbers")
    if kind in _ORDERED and held in ("string", "bool"):
        raise SuiteError(f"{column!r} is {held}, which has no order here; name numbers or times")
    if kind == "expect_column_most_common_value_to_be_in_set" and held in _TIMES:
        raise SuiteError("GX compares no times here; use '..._to_be_between'")
