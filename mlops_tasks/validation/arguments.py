"""Arguments of expectations against the contract: mended or refused where GX would misjudge."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["checked_arguments"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_MOMENT = time(23, 59, 59, 999_999)

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
_TIMES = ("timestamp", "date")
_PYTHON: dict[str, tuple[type, ...]] = {
    "int64": (int, float),
    "float64": (int, float),
    "string": (str,),
    "bool": (bool,),
}


def checked_arguments(
    where: str, kind: str, kwargs: Mapping[str, Any], columns: Mapping[str, str]
) -> dict[str, Any]:
    """Return the arguments as Great Expectations judges them rightly.

    Parameters
    ----------
    where : str
        Suite and expectation, for errors.
    kind : str
        Type of the expectation.
    kwargs : mapping of str to Any
        Arguments as written in the suite.
    columns : mapping of str to str
        The contract. Columns it does not have are not compared.

    Returns
    -------
    dict of str to Any
        Times are instants in UTC: without a zone they are taken as UTC, and a day stands for all
        of it, its first moment as the lower and its last as the upper limit.

    Raises
    ------
    SuiteError
        If an argument is a parameter, a wrong pattern, or cannot be compared with the column.

    Examples
    --------
    >>> day = {"column": "at", "max_value": "2013-12-31"}
    >>> kind = "expect_column_values_to_be_between"
    >>> checked_arguments("", kind, day, {"at": "timestamp"})["max_value"].isoformat()
    '2013-12-31T23:59:59.999999+00:00'
    """
    _refuse_parameters(where, kwargs)
    _check_condition(where, kwargs)
    _check_patterns(where, kwargs)
    done = dict(kwargs)
    declared = columns.get(str(kwargs.get("column")))
    if declared is None:
        return done
    held = declared.rstrip("?")
    _check_column(where, kind, str(kwargs["column"]), held)
    if kind in _BOUNDED:
        done |= {
            name: _bound(where, name, kwargs, held)
            for name in ("min_value", "max_value")
            if kwargs.get(name) is not None
        }
    if kind in _SETS:
        values = kwargs.get("value_set") or []
        done["value_set"] = [_member(where, str(kwargs["column"]), v, held) for v in values]
    return done


def _refuse_parameters(where: str, kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if isinstance(value, dict) and "$PARAMETER" in value:
            raise SuiteError(
                f"{where}: {name} is the parameter {value['$PARAMETER']!r}, and nobody gives "
                "values to parameters; write the value"
            )


def _check_condition(where: str, kwargs: Mapping[str, Any]) -> None:
    """Refuse conditions that are code in a text: GX 2 drops them, and nobody can check them."""
    condition = kwargs.get("row_condition")
    text = isinstance(condition, str) or "condition_parser" in kwargs
    if text or (isinstance(condition, dict) and condition.get("type") == "pass_through"):
        raise SuiteError(
            f'{where}: write row_condition as an object, like {{"type": "comparison", "column": '
            '{"name": "shop"}, "operator": "==", "parameter": "bakery"}, without condition_parser'
        )


def _check_patterns(where: str, kwargs: Mapping[str, Any]) -> None:
    given = kwargs.get("regex")
    for pattern in [*([given] if given else []), *(kwargs.get("regex_list") or [])]:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise SuiteError(f"{where}: pattern {pattern!r} is wrong: {error}") from error


def _check_column(where: str, kind: str, column: str, held: str) -> None:
    """Refuse kinds that read the wrong type: numbers as text end in ".0" where nulls are."""
    if kind in _TEXT and held != "string":
        raise SuiteError(
            f"{where}: it reads text, and {column!r} is {held}; use "
            "'expect_column_values_to_be_between' or '..._to_be_in_set'"
        )
    if kind in _NUMBERS and held in ("string", *_TIMES):
        raise SuiteError(f"{where}: it needs numbers, and {column!r} is {held}")
    if kind == "expect_column_most_common_value_to_be_in_set" and held in _TIMES:
        raise SuiteError(f"{where}: GX compares no times here; use '..._to_be_between'")


def _bound(where: str, name: str, kwargs: Mapping[str, Any], held: str) -> Any:
    value, column = kwargs[name], kwargs["column"]
    if held in ("string", "bool"):
        raise SuiteError(
            f"{where}: {column!r} is {held}, which has no range; use "
            "'expect_column_values_to_be_in_set' or a pattern"
            + ("" if held == "bool" else ", or declare the column as timestamp if it holds times")
        )
    if held == "date":
        return _midnight(where, name, value)
    if held == "timestamp":
        # The whole day belongs to the range, or lies outside it where the limit is strict.
        strict = bool(kwargs.get(f"strict_{name.removesuffix('_value')}"))
        return _instant(where, name, value, last=(name == "max_value") != strict)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SuiteError(f"{where}: {name} {value!r} is no number, and {column!r} is {held}")
    return value


def _member(where: str, column: str, value: Any, held: str) -> Any:
    if held == "date":
        return _midnight(where, "value_set", value)
    if held == "timestamp":
        if isinstance(value, str) and _DAY.fullmatch(value):
            raise SuiteError(
                f"{where}: {value!r} is a day and {column!r} holds instants; write "
                f"{value}T00:00:00Z, or use 'expect_column_values_to_be_between'"
            )
        return _instant(where, "value_set", value, last=False)
    fits = isinstance(value, _PYTHON[held]) and (held == "bool" or not isinstance(value, bool))
    if not fits:
        raise SuiteError(
            f"{where}: value_set has {value!r}, and {column!r} is {held}: they are never equal"
        )
    return value


def _midnight(where: str, name: str, value: Any) -> datetime:
    """Return a day as the midnight that stands for it in a frame."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise SuiteError(f"{where}: {name} {value!r} is no day; write it as 2013-12-31")
    return _instant(where, name, value, last=False)


def _instant(where: str, name: str, value: Any, *, last: bool) -> datetime:
    try:
        if _DAY.fullmatch(value):
            day = datetime.fromisoformat(value).date()
            return datetime.combine(day, _LAST_MOMENT if last else time(), UTC)
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SuiteError(
            f"{where}: {name} {value!r} is no time; write it as 2013-12-31T23:59:59Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
