"""What every spec is built on: frozen, strict about unknown fields, errors in plain words."""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import Duration
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from pydantic_core import ErrorDetails

__all__ = [
    "Channels",
    "Column",
    "Importable",
    "Length",
    "Name",
    "Place",
    "SpecModel",
    "Window",
    "importable",
    "renamed",
    "written_at",
]

_INSIDE = {"mlops_tasks", "mlops_airflow", "airflow", "pydantic"}
Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
# Tables are made of names and a suffix like `__quarantine`, so these are shorter and lack `__`.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=48)]
_MOST_DAYS = 3650
_IMPORTABLE = re.compile(r"\w+(\.\w+)*:\w+")


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

    #: Old names of durations, in days, until 0.3: the field of today, and the fewest days.
    in_days: ClassVar[dict[str, tuple[str, int]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _take_days(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        given = {name: _duration(name, value, cls.in_days) for name, value in fields.items()}
        return renamed(cls, given, {old: new for old, (new, _) in cls.in_days.items()})

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).in_days:
            return super().__getattr__(name)  # type: ignore[misc]
        length = getattr(self, type(self).in_days[name][0])
        return None if length is None else length.days

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed, which are not checked again."""
        names, changes = type(self).in_days, {}
        for name, value in (update or {}).items():
            changes[names.get(name, (name,))[0]] = _duration(name, value, names)
        return super().model_copy(update=changes, deep=deep)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(_explain(type(self), fields, error)) from None


def _duration(name: str, value: Any, in_days: Mapping[str, tuple[str, int]]) -> Any:
    """Return the duration that an old name gives in days; any other value as it is."""
    if name not in in_days or value is None:
        return value
    low = in_days[name][1]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= _MOST_DAYS:
        raise ValueError(
            f"{name}: must be a whole number of days, greater than or equal to {low} and at most "
            f"{_MOST_DAYS}, not {value!r}"
        )
    return Duration(value, "d")


def _positive(length: Duration) -> Duration:
    if not length:
        raise ValueError("must be longer than nothing")
    return length


Length = Annotated[Duration, BeforeValidator(Duration.of)]
Window = Annotated[Length, AfterValidator(_positive)]


def importable(path: str) -> str:
    """Return the import path of a function, if it is written as one."""
    if not _IMPORTABLE.fullmatch(path):
        raise ValueError(
            "must name a function as 'package.module:function', as 'flight_delays.model:build'"
        )
    return path


Importable = Annotated[str, AfterValidator(importable)]
_CONNECTION = re.compile(r"[\w.-]{1,100}")


def _channel(name: str) -> str:
    """Return what says whom to tell: a connection id, or where a notifier is."""
    if not (_CONNECTION.fullmatch(name) or _IMPORTABLE.fullmatch(name)):
        raise ValueError(
            "must be the id of an Airflow connection, as 'ops_mail', or name a notifier as "
            "'package.module:notifier'"
        )
    return name


# Not in the text of a spec, which says what data and models are: whom to tell changes neither.
Channels = Annotated[tuple[Annotated[str, AfterValidator(_channel)], ...] | None, Field(repr=False)]


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
    """Return where the spec is written: the innermost code that is neither ours nor Airflow's."""
    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        frame = frame.f_back
    return None if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)
