"""Records as plain JSON, and back: for XCom, the ledger, MLflow and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["from_json", "to_json"]

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}  # one takes milliseconds to build


def to_json(record: Any) -> dict[str, Any]:
    """Return a record as plain JSON types: tuples become lists, NaN and infinities None.

    Parameters
    ----------
    record : dataclass or mapping
        What is stored or sent; dataclasses in it are converted, too.

    Returns
    -------
    dict
        Plain JSON.

    Examples
    --------
    >>> to_json({"auc": float("nan"), "days": ("2013-02-01",)})
    {'auc': None, 'days': ['2013-02-01']}
    """
    plain: dict[str, Any] = to_jsonable_python(record, inf_nan_mode="null")
    return plain


def from_json(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Rebuild a record from `to_json`; keys that a newer version has added are ignored.

    Parameters
    ----------
    kind : type
        A dataclass. The types of its fields must exist at run time, not only for type checkers.
    raw : mapping
        Plain JSON.

    Returns
    -------
    object of the type `kind`
        The record.

    Raises
    ------
    ValueError
        If a field is missing or has another type.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Window:
    ...     days: tuple[str, ...]
    >>> from_json(Window, {"days": ["2013-02-01"], "colour": "red"})
    Window(days=('2013-02-01',))
    """
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    record: T = _ADAPTERS[kind].validate_python(raw)
    return record
