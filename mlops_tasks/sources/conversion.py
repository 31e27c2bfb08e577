"""From what a source gives to what the contract says: exactly, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Rules", "convert", "lake_type", "parse_text", "type_name"]

# 0001-01-01 and the end of 9999: beyond lie only "infinity" and broken clocks.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_US = 86_400_000_000
_DAYS_OF_A_YEAR = 365.2425
_DATE_ONLY = len("2024-03-01")
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"
_NO_ZONE = "these times have no zone: declare `timezone` in the spec"
_DAY_ADVICE = "a day is no instant; declare `convert` and `timezone` if midnight is meant"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a column's contract allows beyond its own type.

    Attributes
    ----------
    given : str or None
        ``decimal`` or ``date`` if the contract has such a source type converted.
    timezone : str or None
        Zone of times without one.
    """

    given: str | None = None
    timezone: str | None = None


def convert(array: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    """Convert one column of a batch without guessing.

    Parameters
    ----------
    array : Array
        Values as the source has them. An empty one checks the type alone.
    wanted : DataType
        A type of the contract.
    rules : Rules
        What may be converted on purpose.

    Returns
    -------
    Array
        The same values in the wanted type.

    Raises
    ------
    TypeError
        If the type is another one; the text says what to do.
    ArrowInvalid
        If a value has no place in the wanted type, or is a local time that never was, or was twice.

    Notes
    -----
    Smaller integers and floats are widened, a timestamp with a zone becomes the instant in UTC.
    """
    import pyarrow as pa

    plain = _plain(array)
    if pa.types.is_null(plain.type):
        return plain.cast(wanted)
    if pa.types.is_timestamp(wanted):
        return _instants(plain, wanted, rules)
    if pa.types.is_decimal(plain.type) or _is_numeric(array):
        return _from_decimal(plain, wanted, rules)
    if plain.type != wanted and not _widens(plain.type, wanted):
        raise TypeError(_advice(plain.type))
    found = plain.cast(wanted)
    return _within_years(found) if pa.types.is_date(wanted) else found


def type_name(field: pa.Field) -> str:
    """Name a column's type as the source does, where it tells."""
    metadata = field.metadata or {}
    told = metadata.get(b"POSTGRESQL:type") or metadata.get(b"SOURCE:type") or b""
    return told.decode() or str(field.type)


def lake_type(found: pa.DataType, rules: Rules) -> pa.DataType | None:
    """Choose the type in which a column beyond the contract is kept.

    Parameters
    ----------
    found : DataType
        The source's type.
    rules : Rules
        With the zone that makes instants of local times.

    Returns
    -------
    DataType or None
        None if the lake has no place for it.
    """
    import pyarrow as pa

    kinds = {
        pa.string(): _is_text,
        pa.int64(): lambda kind: pa.types.is_integer(kind) and kind != pa.uint64(),
        pa.float64(): pa.types.is_floating,
        pa.bool_(): pa.types.is_boolean,
        pa.date32(): pa.types.is_date,
        pa.timestamp("us", tz="UTC"): lambda kind: (
            pa.types.is_timestamp(kind) and (kind.tz or rules.timezone)
        ),
    }
    if pa.types.is_dictionary(found):
        found = found.value_type
    return next((kept for kept, fits in kinds.items() if fits(found)), None)


def parse_text(texts: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    """Read values that a source writes as text; what does not look like one is an error.

    Parameters
    ----------
    texts : StringArray
        One value each; times in ISO 8601. Each is read by itself: one with a zone is an instant,
        one without is a local time, a day is midnight where `rules` say so.
    wanted : DataType
        A type of the contract.
    rules : Rules
        What may be converted on purpose.

    Returns
    -------
    Array
        Of the wanted type.

    Raises
    ------
    ArrowInvalid
        If a text is no such value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(wanted):
        return _parse_times(texts, wanted, rules)
    if pa.types.is_date(wanted):
        return _within_years(pc.cast(texts, wanted))
    if pa.types.is_integer(wanted) and _any(pc.match_substring(texts, "x", ignore_case=True)):
        raise pa.ArrowInvalid("a number is written in decimal digits, one is not")
    return pc.cast(texts, wanted)


def _parse_times(texts: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    local = pa.timestamp("us")

    def instants(some: pa.Array) -> pa.Array:
        return _within_years(pc.cast(some, wanted))

    def local_times(some: pa.Array) -> pa.Array:
        return _from_local(pc.cast(some, local), wanted, rules)

    def days(some: pa.Array) -> pa.Array:
        if rules.given != "date":
            raise pa.ArrowInvalid(_DAY_ADVICE)
        return _from_local(pc.cast(some, pa.date32()).cast(local), wanted, rules)

    is_day = pc.equal(pc.utf8_length(texts), _DATE_ONLY)
    has_zone = pc.and_not(pc.match_substring_regex(texts, _ZONE), is_day)
    is_local = pc.and_not(pc.invert(has_zone), is_day)
    nothing = pa.scalar(None, texts.type)
    found = [
        read(texts if pc.all(mask).as_py() else pc.if_else(mask, texts, nothing))
        for mask, read in ((has_zone, instants), (is_local, local_times), (is_day, days))
        if _any(mask)
    ]
    return pc.coalesce(*found) if found else pa.nulls(len(texts), wanted)


def _plain(array: pa.Array) -> pa.Array:
    """Undo encodings and wrappings that change nothing about the values."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if getattr(kind, "extension_name", "") == "arrow.json" or _is_numeric(array):
        return _plain(array.storage)
    return array.cast(pa.string()) if _is_text(kind) else array


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    json = getattr(kind, "extension_name", "") == "arrow.json"
    return json or any(fits(kind) for fits in known)


def _is_numeric(array: pa.Array) -> bool:
    """Tell PostgreSQL's numeric, which comes as text of any precision."""
    return getattr(array.type, "type_name", "") == "numeric"


def _widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_int64(wanted):
        return bool(pa.types.is_integer(found) and found != pa.uint64())
    if pa.types.is_float64(wanted):
        return bool(pa.types.is_floating(found))
    return bool(pa.types.is_date32(wanted) and pa.types.is_date64(found))


def _from_decimal(array: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = (pa.types.is_floating, pa.types.is_integer, pa.types.is_string)
    if rules.given != "decimal" or not any(fits(wanted) for fits in kinds):
        raise TypeError("a decimal; declare it in `convert`, or cast it in the query")
    if pa.types.is_string(array.type) and pa.types.is_integer(wanted):
        array = pc.replace_substring_regex(array, r"\.0+$", "")
    return pc.cast(array, wanted)


def _instants(array: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa

    local = pa.timestamp("us")
    if pa.types.is_date(array.type) and rules.given == "date":
        array = _within_years(array.cast(pa.date32())).cast(local)
    if not pa.types.is_timestamp(array.type):
        raise TypeError(_advice(array.type))
    if array.type.tz is not None:
        return _within_years(array.cast(wanted))
    if rules.timezone is None:
        raise TypeError(_NO_ZONE)
    return _from_local(array.cast(local), wanted, rules)


def _from_local(times: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if rules.timezone is None:
        raise pa.ArrowInvalid(_NO_ZONE)
    known = pc.assume_timezone(_within_years(times), rules.timezone)
    return _within_years(known.cast(wanted))


def _within_years(times: pa.Array) -> pa.Array:
    """Refuse days and times that no calendar of the lake has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unit, number = (1, pa.int32()) if pa.types.is_date32(times.type) else (_DAY_US, pa.int64())
    ends = pc.min_max(times.cast(number)).as_py()
    for end in (ends["min"], ends["max"]):
        if end is not None and not _FIRST_DAY <= end // unit <= _LAST_DAY:
            year = 1970 + int(end / unit // _DAYS_OF_A_YEAR)
            raise pa.ArrowInvalid(
                f"a time lies outside the years 1 to 9999, in the year {year}, or is infinity"
            )
    return times


def _advice(found: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_date(found):
        return _DAY_ADVICE
    return "nothing is guessed; cast it in the query, or change the contract"


def _any(mask: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(mask, min_count=0).as_py())
