"""Values in a suite, as the columns of a contract hold them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.validation.limits import is_number

__all__ = ["bound", "member"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_MOMENT = time(23, 59, 59, 999_999)


def bound(where: str, name: str, column: str, value: Any, held: str, *, last: bool) -> Any:
    """Return a limit of a range of values, as the column holds them.

    Parameters
    ----------
    where, name : str
        Suite and expectation, and the argument, for errors.
    column : str
        The column.
    value : Any
        As written in the suite.
    held : str
        Type of the column in the contract, without a question mark.
    last : bool
        Whether a day stands for its last moment, where the column holds moments; else its first.

    Returns
    -------
    int, float or datetime
        Moments in UTC; a day as its midnight.

    Raises
    ------
    SuiteError
        If the column has no range, or it cannot be compared.
    """
    if held in ("string", "bool"):
        raise SuiteError(
            f"{where}: {column!r} is {held}, which has no range; use "
            "'expect_column_values_to_be_in_set' or a pattern"
            + ("" if held == "bool" else ", or declare the column as timestamp if it holds times")
        )
    if held == "date":
        return _midnight(where, name, value)
    if held == "timestamp":
        return _instant(where, name, value, last=last)
    if not is_number(value):
        raise SuiteError(
            f"{where}: {name} {value!r} is no number, and {column!r} is {held}; write it unquoted"
        )
    return value


def member(where: str, name: str, column: str, value: Any, held: str) -> Any:
    """Return a value that a column may be equal to, as the column holds it.

    Parameters
    ----------
    where, name : str
        Suite and expectation, and the argument, for errors.
    column : str
        The column.
    value : Any
        As written in the suite.
    held : str
        Type of the column in the contract, without a question mark.

    Returns
    -------
    int, float, str, bool or datetime
        Moments in UTC; a day as its midnight.

    Raises
    ------
    SuiteError
        If the column can never be equal to it.
    """
    if held == "date":
        return _midnight(where, name, value)
    if held == "timestamp":
        if isinstance(value, str) and _DAY.fullmatch(value):
            raise SuiteError(
                f"{where}: {value!r} is a day and {column!r} holds instants; write "
                f"{value}T00:00:00Z, or use 'expect_column_values_to_be_between'"
            )
        return _instant(where, name, value, last=False)
    if not _fits(value, held):
        raise SuiteError(
            f"{where}: {name} has {value!r}, and {column!r} is {held}: they are never equal; "
            f"write values of that type, or remove it"
        )
    return value


def _fits(value: Any, held: str) -> bool:
    if held in ("string", "bool"):
        return isinstance(value, str if held == "string" else bool)
    if not is_number(value):
        return False
    if held == "int64":
        return bool(-(2**63) <= value < 2**63 and value == int(value))
    return _is_double(value)


def _is_double(value: float) -> bool:
    """Tell whether a number is one of those that doubles have."""
    try:
        return float(value) == value
    except OverflowError:
        return False


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
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise SuiteError(
            f"{where}: {name} {value!r} is in UTC outside the years 1 to 9999; write it in UTC"
        ) from None
