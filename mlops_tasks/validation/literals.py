"""Literal values of a suite, as the columns of a contract hold them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.specs.schema import arrow_type
from mlops_tasks.validation.limits import held_values, is_number

__all__ = ["literal_limit", "literal_member"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_MOMENT = time(23, 59, 59, 999_999)


def literal_limit(name: str, column: str, value: Any, held: str, *, last: bool) -> Any:
    """Return a limit of a range of values, as the column holds them.

    `held` is the type of the column in the contract, without a question mark; `name` is that of the
    argument, for errors. Moments are in UTC. A day is its midnight for a column of days; where the
    column holds moments, it stands for its first one, or for its `last`.
    """
    if held in ("string", "bool"):
        raise SuiteError(
            f"{column!r} is {held}, which has no range; use "
            "'expect_column_values_to_be_in_set' or a pattern"
            + ("" if held == "bool" else ", or declare the column as timestamp if it holds times")
        )
    if held == "date":
        return _midnight(name, value)
    if held == "timestamp":
        return _instant(name, value, last=last)
    if not is_number(value):
        raise SuiteError(
            f"{name} {value!r} is no number, and {column!r} is {held}; write it unquoted"
        )
    return value


def literal_member(name: str, column: str, value: Any, held: str) -> Any:
    """Return a value that a column may be equal to, as the column holds it: see `literal_limit`."""
    if held == "date":
        return _midnight(name, value)
    if held == "timestamp":
        if isinstance(value, str) and _DAY.fullmatch(value):
            raise SuiteError(
                f"{value!r} is a day and {column!r} holds instants; write "
                f"{value}T00:00:00Z, or use 'expect_column_values_to_be_between'"
            )
        return _instant(name, value, last=False)
    if not held_values(arrow_type(held), [value]):
        raise SuiteError(
            f"{name} has {value!r}, and {column!r} is {held}: they are never equal; "
            f"write values of that type, or remove it"
        )
    return value


def _midnight(name: str, value: Any) -> datetime:
    """Return a day as the midnight that stands for it in a frame."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise SuiteError(f"{name} {value!r} is no day; write it as 2013-12-31")
    return _instant(name, value, last=False)


def _instant(name: str, value: Any, *, last: bool) -> datetime:
    try:
        if _DAY.fullmatch(value):
            day = datetime.fromisoformat(value).date()
            return datetime.combine(day, _LAST_MOMENT if last else time(), UTC)
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SuiteError(f"{name} {value!r} is no time; write it as 2013-12-31T23:59:59Z") from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise SuiteError(
            f"{name} {value!r} is in UTC outside the years 1 to 9999; write it in UTC"
        ) from None
