"""From what a source gives to what the contract says: exactly, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.sources.instants import DAY_ADVICE, NO_ZONE, from_days, from_local, within_years
from mlops_tasks.sources.text_values import Rules, parse_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["convert", "lake_type", "type_name"]


def convert(array: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    """Convert one column of a batch to a type of the contract, without guessing.

    Smaller integers and floats are widened, a timestamp with a zone becomes the instant in UTC.
    TypeError if the type is another one (an empty array checks that alone), with what to do;
    ArrowInvalid if a value has no place in the wanted type, is a local time that never was, or was
    twice, or a text that is no UTF-8.
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
    return within_years(found) if pa.types.is_date(wanted) else found


def type_name(field: pa.Field) -> str:
    """Name a column's type as the source does, where it says so."""
    metadata = field.metadata or {}
    named = metadata.get(b"POSTGRESQL:type") or metadata.get(b"SOURCE:type") or b""
    return named.decode() or str(field.type)


def lake_type(found: pa.DataType, rules: Rules) -> pa.DataType | None:
    """Choose the type in which a column beyond the contract is kept; None if there is none."""
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


def _plain(array: pa.Array) -> pa.Array:
    """Undo encodings and wrappings that change nothing about the values."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if getattr(kind, "extension_name", "") == "arrow.json" or _is_numeric(array):
        return _plain(array.storage)
    return _valid_text(array.cast(pa.string())) if _is_text(kind) else array


def _valid_text(array: pa.Array) -> pa.Array:
    """Refuse bytes that are no UTF-8; a file may well have them in what it calls text."""
    array.validate(full=True)
    return array


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    json = getattr(kind, "extension_name", "") == "arrow.json"
    return json or any(fits(kind) for fits in known)


def _is_numeric(array: pa.Array) -> bool:
    """Return whether it is PostgreSQL's numeric, which comes as text of any precision."""
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
    if pa.types.is_string(array.type):
        return parse_text(array, wanted, rules)
    return pc.cast(array, wanted)


def _instants(array: pa.Array, wanted: pa.DataType, rules: Rules) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_date(array.type) and rules.given == "date":
        if rules.timezone is None:
            raise TypeError(NO_ZONE)
        return from_days(array.cast(pa.date32()), wanted, rules.timezone)
    if not pa.types.is_timestamp(array.type):
        raise TypeError(_advice(array.type))
    if array.type.tz is not None:
        return within_years(array.cast(wanted))
    if rules.timezone is None:
        raise TypeError(NO_ZONE)
    return from_local(array.cast(pa.timestamp("us")), wanted, rules.timezone, rules.ambiguous)


def _advice(found: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_date(found):
        return DAY_ADVICE
    return "nothing is guessed; cast it in the query, or change the contract"
