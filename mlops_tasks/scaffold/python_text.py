"""Values as a person writes them in Python, laid out as ruff does."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["WIDTH", "Call", "Code", "assigned", "import_line", "imports", "written"]

#: Ruff's own: what fits there is left alone by wider settings, too.
WIDTH = 88


@dataclass(frozen=True, slots=True)
class Code:
    """Text that stands as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call with arguments by name."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


def written(value: object, *, indent: int = 0, before: int = 0, after: int = 1) -> str:
    """Return a value's text: in one line where it fits, else an item a line.

    Parameters
    ----------
    value : object
        A text, number, day, tuple, dict, `Code` or `Call`.
    indent : int
        Spaces before the line that it begins in.
    before, after : int
        What else stands in that line.

    Examples
    --------
    >>> written({"order_id": "string", "total": "float64?"})
    '{"order_id": "string", "total": "float64?"}'
    >>> print(written(Call("f", {"names": ("a" * 40, "b" * 40)})))
    f(
        names=(
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ),
    )
    """
    flat = _flat(value)
    if "\n" not in flat and indent + before + len(flat) + after <= WIDTH:
        return flat
    opening, items, closing = _parts(value)
    if not items:
        return flat
    inner = indent + 4
    lines = [
        f"{' ' * inner}{label}{written(item, indent=inner, before=len(label))},"
        for label, item in items
    ]
    return "\n".join([opening, *lines, f"{' ' * indent}{closing}"])


def assigned(name: str, value: object) -> str:
    """Return an assignment."""
    return f"{name} = {written(value, before=len(name) + 3, after=0)}"


def import_line(module: str, names: Sequence[str]) -> str:
    """Return an import, sorted as ruff sorts: constants, classes, then the rest."""
    ordered = sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")"])


def imports(ours: Sequence[str], models: Sequence[str], *, together: bool) -> list[str]:
    """Return imports of the packages and of the model as the linter sorts them.

    Parameters
    ----------
    ours : sequence of str
        Lines that import `mlops_airflow` and `mlops_tasks`.
    models : sequence of str
        Lines that import the model's own modules.
    together : bool
        Whether all are of one repository; else the packages are somebody else's.
    """
    if not together:
        return [*ours, "", *models]
    return sorted([*ours, *models], key=lambda line: line.split()[1])


def _flat(value: object) -> str:
    if isinstance(value, Code):
        return value.text
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dt.date):
        return f"date({value.year}, {value.month}, {value.day})"
    if value is None or isinstance(value, int | float):
        return repr(value)
    opening, items, closing = _parts(value)
    inside = ", ".join(f"{label}{_flat(item)}" for label, item in items)
    comma = "," if isinstance(value, tuple) and len(items) == 1 else ""
    return f"{opening}{inside}{comma}{closing}"


def _parts(value: object) -> tuple[str, list[tuple[str, object]], str]:
    if isinstance(value, Call):
        arguments = [(f"{name}=", item) for name, item in value.arguments.items()]
        return f"{value.name}(", arguments, ")"
    if isinstance(value, dict):
        return "{", [(f"{_string(str(name))}: ", item) for name, item in value.items()], "}"
    if isinstance(value, tuple):
        return "(", [("", item) for item in value], ")"
    if isinstance(value, list):
        return "[", [("", item) for item in value], "]"
    return _flat(value), [], ""


def _string(value: str) -> str:
    """Return a literal in double quotes, or in single ones where that saves escapes."""
    if "\n" in value:
        return f'"""{value}"""'
    if '"' in value and "'" not in value:
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
