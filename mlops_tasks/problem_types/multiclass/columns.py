"""The columns of predictions of classes: a name in the table for each class, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PREFIX", "class_of", "column_of", "probability_columns"]

PREFIX = "probability_"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")


def column_of(name: str) -> str:
    """Return the column of a class's probability.

    Lower-case letters, digits and ``_ - .`` stay; the rest is written as in a URL, because columns
    that differ only in case are one to many readers.

    >>> column_of("billing"), column_of("Late fee")
    ('probability_billing', 'probability_%4Cate%20fee')
    """
    return PREFIX + "".join(
        letter if letter in _PLAIN else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in name
    )


def class_of(column: str) -> str:
    """Return the class whose probability a column has.

    >>> class_of("probability_%4Cate%20fee")
    'Late fee'
    """
    return unquote(column.removeprefix(PREFIX))


def probability_columns(names: Iterable[str]) -> list[str]:
    """Return those of some columns that hold the probability of a class, in order."""
    return [name for name in names if name.startswith(PREFIX)]
