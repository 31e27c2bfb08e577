"""What a table's columns may become: new ones are added, others never change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, Field

__all__ = ["PARTITION_COLUMN", "added_columns", "check_types", "with_partition"]

PARTITION_COLUMN = "partition_key"


def with_partition(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the partition column behind the others."""
    import pyarrow as pa

    return schema.append(pa.field(PARTITION_COLUMN, pa.string()))


def check_types(table: str, schema: pa.Schema) -> None:
    """Refuse columns of a type that the lake does not keep, or with one name in any case."""
    names = [name.lower() for name in schema.names]
    wrong = [f"  {f.name}: {f.type} is not kept" for f in schema if not _is_kept(f.type)]
    wrong += [f"  {name}: comes twice" for name in schema.names if names.count(name.lower()) > 1]
    if wrong:
        raise SchemaMismatchError(
            f"table {table!r} was not changed; cast to text, a number of 64 bits or a time in UTC "
            "and microseconds, and name each column once:\n" + "\n".join(wrong)
        )


def _is_kept(kind: pa.DataType) -> bool:
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_timestamp(kind):
        return kind in (pa.timestamp("us"), pa.timestamp("us", tz="UTC"))
    kinds = (
        *(pt.is_string, pt.is_large_string, pt.is_string_view),
        *(pt.is_signed_integer, pt.is_float32, pt.is_float64, pt.is_boolean, pt.is_date32),
    )
    return any(fits(kind) for fits in kinds)


def added_columns(table: str, delta: DeltaTable, schema: pa.Schema) -> list[Field]:
    """Return the columns that new rows have and the table lacks, as nullable Delta fields.

    Raises
    ------
    SchemaMismatchError
        If a column of the table is missing in the rows or has another type, old and new named.
    """
    import pyarrow as pa
    from deltalake import Field, Schema

    old = _types(pa.schema(delta.schema().to_arrow()))
    new = _types(with_partition(schema))
    wrong = [
        f"  {name}: table has {kind}, rows have {new.get(name, 'no such column')}"
        for name, kind in old.items()
        if new.get(name) != kind
    ]
    if wrong:
        raise SchemaMismatchError(
            f"table {table!r} was not changed, its columns and the new rows' differ:\n"
            + "\n".join(wrong)
        )
    fields = Schema.from_arrow(schema).fields
    return [
        Field(field.name, field.type, nullable=True) for field in fields if field.name not in old
    ]


def _types(schema: pa.Schema) -> dict[str, str]:
    """Name each type without its storage variant: a large string is a string."""
    return {
        field.name: str(field.type).removeprefix("large_").replace("string_view", "string")
        for field in schema
    }
