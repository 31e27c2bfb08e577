"""What every spec is built on: frozen, strict about unknown fields, errors in plain words."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from mlops_tasks.exceptions import SpecError
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from types import FrameType

    from pydantic_core import ErrorDetails

__all__ = ["Column", "Days", "Name", "Place", "SpecModel", "renamed", "written_at"]

_INSIDE = {"mlops_tasks", "pydantic"}
Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
# Tables are made of names and a suffix like `__quarantine`, so these are shorter and lack `__`.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=48)]
Days = Annotated[int, Field(ge=0, le=3650)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a spec is written: it makes no difference between two that say the same.

    Attributes
    ----------
    file : str
        Path of the file, or what Python calls code without one.
    line : int
        Where it begins.
    """

    file: str = field(compare=False)
    line: int = field(compare=False)

    def __str__(self) -> str:
        """Name file and line, as a person looks for them."""
        return f"{'/'.join(Path(self.file).parts[-2:])}, line {self.line}"


class SpecModel(BaseModel):
    """Base of all specs. Frozen, and strict about unknown fields: a typo must not pass silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(_explain(type(self), fields, error)) from None


def renamed(kind: type[SpecModel], fields: Any, names: dict[str, str]) -> Any:
    """Return the fields of a spec under the names of today; old ones work until 0.3."""
    given = dict(fields)
    for old, new in names.items():
        if old in given and new not in given:
            text = f"{kind.__name__}({old}=...) is {new}= now; the old name goes in 0.3"
            warnings.warn(f"{text} ({_written()})", DeprecationWarning, stacklevel=2)
            given[new] = given.pop(old)
    return given


def _explain(kind: type[SpecModel], fields: dict[str, Any], error: ValidationError) -> str:
    lines = [
        f"  {'.'.join(str(part) for part in item['loc']) or 'spec'}: {_problem(kind, item)}"
        for item in error.errors(include_url=False)
    ]
    return f"{_which(kind, fields)} cannot be used, {_written()}:\n" + "\n".join(lines)


def _problem(kind: type[SpecModel], item: ErrorDetails) -> str:
    *above, name = item["loc"] or ("",)
    if item["type"] == "extra_forbidden" and not above:
        return f"no such field; {did_you_mean(str(name), kind.model_fields)}"
    text = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    return f"{text}, not {given!r}" if isinstance(given, str | int | float) else text


def _which(kind: type[SpecModel], fields: dict[str, Any]) -> str:
    """Name the spec, or the dataset it is about; some, like a gate, have neither."""
    if "name" in fields:
        return f"{kind.__name__} {fields['name']!r}"
    about = getattr(fields.get("dataset"), "name", None)
    return f"{kind.__name__} of {about!r}" if about else kind.__name__


def _written() -> str:
    place = written_at()
    return "written nowhere" if place is None else f"written in {place}"


def written_at() -> Place | None:
    """Return where the spec is written: the innermost code that is neither ours nor pydantic's."""
    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        frame = frame.f_back
    return None if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)
