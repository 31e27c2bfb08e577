"""What is personal is not shown: the one place that decides whether a value may be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["HIDDEN", "HidesColumns", "redacted", "redacted_row", "redacted_text", "without_causes"]

#: What stands in place of a value.
HIDDEN = "(personal)"

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_ROW = re.compile(r"(Expected \d+ columns, got \d+).*", re.DOTALL)
_WORD = re.compile(r"\w+")


class HidesColumns(Protocol):
    """What says which columns are personal: a dataset's or a model's spec."""

    @property
    def has_personal(self) -> bool:
        """Whether any column is."""

    def hides(self, column: str) -> bool:
        """Return whether the values of a column must not be shown."""


def redacted(spec: HidesColumns, columns: str | Iterable[str], shown: str) -> str:
    """Return a text about values of some columns, unless one of them is personal.

    Examples
    --------
    >>> class Nobody:
    ...     has_personal = True
    ...
    ...     def hides(self, column):
    ...         return column == "email"
    >>> redacted(Nobody(), "items", "at most 7"), redacted(Nobody(), ["items", "email"], "a@b.c")
    ('at most 7', '(personal)')
    """
    names = (columns,) if isinstance(columns, str) else columns
    return HIDDEN if any(spec.hides(name) for name in names) else shown


def without_causes(error: BaseException) -> None:
    """Leave out of an error's trace what it was made of: errors of libraries show values."""
    error.__cause__, error.__context__, error.__suppress_context__ = None, None, True


def redacted_row(spec: HidesColumns, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its personal values hidden."""
    return {name: HIDDEN if spec.hides(name) else value for name, value in row.items()}


def redacted_text(text: str, *, known: str) -> str:
    """Hide what a library quotes in its own words, but for words that a person wrote in the spec.

    Examples
    --------
    >>> redacted_text("Column 'age': cannot convert 'Ann Lee'", known="age: int64")
    "Column 'age': cannot convert (personal)"
    """
    words = set(_WORD.findall(known))

    def shown(found: re.Match[str]) -> str:
        return found[0] if words.issuperset(_WORD.findall(found[0])) else HIDDEN

    return _QUOTED.sub(shown, _ROW.sub(r"\1", text))
