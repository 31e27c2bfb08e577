"""Values that a source writes as text, read as what the contract says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.instants import DAY_ADVICE, from_days, from_local, within_years

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

__all__ = ["Rules", "parse_text"]

_DAY = r"^\d{4}-\d\d-\d\d$"
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"
# What some writers add and Arrow does not read: a plus sign, zeros behind the microseconds.
_PLUS = (r"^\+(\d)", r"\1")
_ZEROS = (r"(\.\d{6})0+(Z|[+-][\d:]+)?$", r"\1\2")
_UNREAD = re.compile(r"Failed to parse (?:string: '(?P<text>.*)' as a|value: (?P<value>.*))", re.S)
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """What a column's contract allows beyond its own type.

    Attributes
    ----------
    given : str or None
        ``decimal`` or ``date`` if the contract has such a source type converted.
    timezone : str or None
        Zone of times without one.
    ambiguous : str
        What such a time is that was twice: ``refuse``, ``earlier`` or ``later``.
    """

    given: str | None = None
    timezone: str | None = None
    ambiguous: str = "refuse"

    @classmethod
    def of(cls, spec: DatasetSpec, column: str) -> Rules:
        """Return the rules of a dataset's column."""
        return cls(spec.convert.get(column), spec.timezone, spec.ambiguous)


def parse_text(texts: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    """Read values that a source writes as text; ArrowInvalid if one does not look like its type.

    Times are ISO 8601, and each is read by itself: one with a zone is an instant, one without is a
    local time, a day is its first instant where `rules` say so.
    """
    import pyarrow as pa

    try:
        return _parsed(texts, wanted, rules)
    except pa.ArrowInvalid as error:
        tidied = _tidied(texts, wanted)
        if tidied.equals(texts):
            raise _in_words(error, wanted) from None
    return parse_text(tidied, wanted, rules)


def _parsed(texts: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(wanted):
        return _times(texts, wanted, rules)
    if pa.types.is_date(wanted):
        return within_years(pc.cast(texts, wanted))
    if pa.types.is_floating(wanted):
        return _floats(texts, wanted)
    if pa.types.is_integer(wanted) and _any(pc.match_substring(texts, "x", ignore_case=True)):
        raise pa.ArrowInvalid("a number is written in decimal digits, one is not")
    return pc.cast(texts, wanted)


def _floats(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Refuse what is infinite only because no float is that large."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.cast(texts, wanted)
    infinite = texts.filter(pc.is_inf(found))
    beyond = infinite.filter(pc.invert(pc.match_substring(infinite, "inf", ignore_case=True)))
    if len(beyond):
        raise pa.ArrowInvalid(f"{beyond[0].as_py()[:_SHOWN]!r} is too big for a float")
    return found


def _times(texts: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    def instants(some: pa.Array) -> pa.Array:
        return within_years(pc.cast(some, wanted))

    def local_times(some: pa.Array) -> pa.Array:
        times = pc.cast(some, pa.timestamp("us"))
        return from_local(times, wanted, rules.timezone, rules.ambiguous)

    def days(some: pa.Array) -> pa.Array:
        if rules.given != "date":
            raise pa.ArrowInvalid(DAY_ADVICE)
        return from_days(pc.cast(some, pa.date32()), wanted, rules.timezone)

    is_day = pc.match_substring_regex(texts, _DAY)
    has_zone = pc.and_not(pc.match_substring_regex(texts, _ZONE), is_day)
    is_local = pc.and_not(pc.invert(has_zone), is_day)
    nothing = pa.scalar(None, texts.type)
    found = [
        read(texts if pc.all(mask).as_py() else pc.if_else(mask, texts, nothing))
        for mask, read in ((has_zone, instants), (is_local, local_times), (is_day, days))
        if _any(mask)
    ]
    return pc.coalesce(*found) if found else pa.nulls(len(texts), wanted)


def _tidied(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Leave out what says nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(wanted):
        return pc.replace_substring_regex(texts, *_ZEROS)
    if pa.types.is_integer(wanted):
        return pc.replace_substring_regex(texts, *_PLUS)
    return texts


def _in_words(error: pa.ArrowInvalid, wanted: pa.DataType) -> pa.ArrowInvalid:
    """Explain what a text is not; Arrow's own advice is about its functions."""
    import pyarrow as pa

    found = _UNREAD.match(str(error))
    if found is None:
        return error
    kinds = (
        (pa.types.is_timestamp, "time in ISO 8601 to the microsecond, as 2024-03-01T05:00:00Z"),
        (pa.types.is_date, "day, as 2024-03-01"),
        (pa.types.is_integer, "whole number of 64 bits in decimal digits"),
        (pa.types.is_boolean, "true, false, 1 or 0"),
        (pa.types.is_floating, "number, as 1234.5 or 1.2e3"),
    )
    what = next((text for fits, text in kinds if fits(wanted)), str(wanted))
    return pa.ArrowInvalid(f"{(found['text'] or found['value'] or '')[:_SHOWN]!r} is no {what}")


def _any(mask: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(mask, min_count=0).as_py())
