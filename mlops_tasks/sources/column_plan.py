"""Which columns an extraction keeps: those of the contract for certain, others if they fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError
from mlops_tasks.personal import redacted
from mlops_tasks.sources.conversion import convert, lake_type, type_name
from mlops_tasks.sources.errors import UnfitColumnError
from mlops_tasks.sources.text_values import Rules
from mlops_tasks.specs import RESERVED_COLUMNS
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.spelling import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec

__all__ = ["ColumnPlan", "plan_columns", "refuse_nulls"]

# PostgreSQL sends it as a whole number of cents, or of whatever the server's locale has.
_MONEY = "what one unit is depends on the server; cast it to numeric in the query"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NO_LETTER = re.compile(r"[\W_]")


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How batches become rows of the raw table.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset.
    schema : Schema
        Of every converted batch: the contract, then the columns beyond it.
    kept : frozenset of str
        Those beyond the contract that are taken from the source; others are null.
    notes : tuple of str
        What a person should know about columns beyond the contract.
    """

    spec: DatasetSpec
    schema: pa.Schema
    kept: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert one batch.

        Raises
        ------
        SchemaMismatchError
            If a value is not what the contract says, naming the column.
        """
        import pyarrow as pa

        arrays = [self._column(batch, field) for field in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _column(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        import pyarrow as pa

        index = batch.schema.get_field_index(field.name)
        if field.name not in self.spec.columns and (index < 0 or field.name not in self.kept):
            return pa.nulls(batch.num_rows, field.type)
        try:
            return convert(batch.column(index), field.type, Rules.of(self.spec, field.name))
        except (TypeError, pa.ArrowException, OverflowError) as error:
            found = type_name(batch.schema.field(index))
            why = redacted(self.spec, field.name, str(error))
            if field.name not in self.spec.columns:
                reason = f"the source has {found}: {why}"
                raise UnfitColumnError(
                    f"column {field.name!r}: {reason}", field.name, reason
                ) from None
            raise _mismatch(self.spec, [_differs(self.spec, field, found, why)]) from error


def plan_columns(
    spec: DatasetSpec,
    found: pa.Schema,
    table: pa.Schema | None = None,
    *,
    parts: Sequence[tuple[str, pa.Schema]] = (),
    left_out: Mapping[str, str] | None = None,
) -> ColumnPlan:
    """Compare a source's columns with the contract, before any row is read.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    found : Schema
        The source's columns; type null where it cannot say.
    table : Schema, optional
        The raw table's columns, if there is one.
    parts : sequence of (str, Schema)
        Name and columns of each file: all of them must keep the contract.
    left_out : mapping of str to str, optional
        Columns beyond the contract that cannot be kept, and why.

    Returns
    -------
    ColumnPlan
        What is kept, in which type.

    Raises
    ------
    SchemaMismatchError
        If a column of the contract is missing or of another type, old and new named.

    Notes
    -----
    A column that no contract names never stops a day: what has no place in the lake, or not in the
    type that the table has, is left out with a note.
    """
    import pyarrow as pa

    places = list(parts) or [("", found)]
    for where, schema in places:
        _check_names(spec, schema.names, where)
    wanted = {field.name: field for field in arrow_schema(spec)}
    problems = [
        _differs(spec, wanted[got.name], type_name(got), why) + (f" ({where})" if where else "")
        for where, schema in places
        for got in schema
        if got.name in wanted and (why := _problem(spec, wanted[got.name], got))
    ]
    if problems:
        raise _mismatch(spec, problems)
    notes: list[str] = []
    if spec.extra_columns == "ignore":
        kept = {}
        if ignored := sorted(set(found.names) - set(spec.columns)):
            notes.append(f"columns {shortened(ignored)} are ignored, as the spec says")
    else:
        kept = _beyond(spec, found, table, places, left_out or {}, notes)
    absent = {
        name: kind
        for name, kind in _kept_types(table).items()
        if name not in wanted and name not in kept
    }
    if absent:
        notes.append(f"columns of earlier partitions, null in this one: {', '.join(absent)}")
    beyond = [pa.field(name, kind) for name, kind in {**kept, **absent}.items()]
    return ColumnPlan(spec, pa.schema([*wanted.values(), *beyond]), frozenset(kept), tuple(notes))


def refuse_nulls(spec: DatasetSpec, nulls: Mapping[str, int], n_rows: int) -> None:
    """Refuse columns that have become nullable.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset. Up to its `max_quarantined_share` nulls are bad rows, which `validate`
        quarantines; above it, it is the column that has changed.
    nulls : mapping of str to int
        Nulls by column.
    n_rows : int
        Rows of the day.

    Raises
    ------
    SchemaMismatchError
        If a column that is never null, as the contract has it, is null in too many rows.
    """
    problems = [
        f"  column {name!r}: the contract says {spec.columns[name]!r}, never null; the source has "
        f"nulls in {n_nulls} of {n_rows} rows. Write '{spec.columns[name]}?' if that is meant"
        for name, n_nulls in nulls.items()
        if n_nulls > spec.max_quarantined_share * n_rows and not spec.nullable(name)
    ]
    if problems:
        raise _mismatch(spec, problems)


def _mismatch(spec: DatasetSpec, problems: list[str]) -> SchemaMismatchError:
    """Return the error that lists every column that differs."""
    return SchemaMismatchError(
        f"dataset {spec.name!r}: the source does not keep the contract; nothing was published. "
        "Change the contract in the spec or fix the source:\n" + "\n".join(problems)
    )


def _check_names(spec: DatasetSpec, found: list[str], where: str) -> None:
    place = f"file {where!r}" if where else "the source"
    if missing := [name for name in spec.columns if name not in found]:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}: {place} gives no column {missing}; the contract needs "
            f"{sorted(spec.columns)}, there are {shortened(sorted(found))}. Nothing was published"
            + _other_spelling(missing, found)
        )
    if twice := [name for name in spec.columns if found.count(name) > 1]:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}: {place} gives {twice} more than once; name each column "
            "once. Nothing was published"
        )


def _other_spelling(missing: list[str], found: list[str]) -> str:
    """Propose a mapping where only the spelling differs, as `Order ID` and `order_id` do."""
    letters = {_NO_LETTER.sub("", name.lower()): name for name in found}
    alike = {letters.get(_NO_LETTER.sub("", name)): name for name in missing}
    proposed = {name: column for name, column in alike.items() if name}
    return f"; perhaps write rename={proposed} in the spec" if proposed else ""


def _beyond(
    spec: DatasetSpec,
    found: pa.Schema,
    table: pa.Schema | None,
    places: Sequence[tuple[str, pa.Schema]],
    left_out: Mapping[str, str],
    notes: list[str],
) -> dict[str, pa.DataType]:
    """Find the columns beyond the contract that are kept, and their types."""
    known = _kept_types(table)
    kept: dict[str, pa.DataType] = {}
    twice = {name for _, schema in places for name in schema.names if schema.names.count(name) > 1}
    for field in {field.name: field for field in found}.values():
        if field.name in spec.columns:
            continue
        kind = known.get(field.name) or lake_type(field.type, Rules.of(spec, field.name))
        why = left_out.get(field.name) or _unfit(field, twice) or _no_type(field, kind)
        if kind is not None and not why:
            why = _unfit_for(spec, field.name, kind, places)
        if kind is None or why:
            name = shortened(field.name)
            notes.append(f"column {name} ({type_name(field)}) is not kept: {why}")
        else:
            kept[field.name] = kind
    if new := [f"{name} ({kind})" for name, kind in kept.items() if name not in known]:
        notes.append(f"new columns, kept though no contract names them: {', '.join(new)}")
    return kept


def _no_type(field: pa.Field, kind: pa.DataType | None) -> str:
    import pyarrow as pa

    if kind is not None:
        return ""
    return "no value, no type" if pa.types.is_null(field.type) else "its type"


def _unfit_for(
    spec: DatasetSpec, name: str, kind: pa.DataType, places: Sequence[tuple[str, pa.Schema]]
) -> str:
    """Say where a column has a type that does not become the one it is kept in."""
    import pyarrow as pa

    for where, schema in places:
        got = schema.field(name) if name in schema.names else pa.field(name, pa.null())
        if why := _problem(spec, pa.field(name, kind), got):
            place = f" of file {where!r}" if where else ""
            return f"it is {kind}, and {type_name(got)} in the source{place}: {why}"
    return ""


def _unfit(field: pa.Field, twice: Collection[str]) -> str:
    if field.name in twice:
        return "the source gives it more than once"
    if field.name in RESERVED_COLUMNS:
        return "the lake has a column of that name"
    if not _NAME.fullmatch(field.name):
        return "its name is not made of a-z, 0-9 and _"
    return _MONEY if type_name(field) == "money" else ""


def _problem(spec: DatasetSpec, wanted: pa.Field, got: pa.Field) -> str:
    """Say why a column's type alone has no place in the wanted one; nothing if it has."""
    import pyarrow as pa

    if type_name(got) == "money":
        return _MONEY
    try:
        empty = pa.schema([got]).empty_table().column(0).combine_chunks()
        convert(empty, wanted.type, Rules.of(spec, wanted.name))
    except TypeError as error:
        return str(error)
    return ""


def _differs(spec: DatasetSpec, wanted: pa.Field, found: str, why: object) -> str:
    kind = spec.columns[wanted.name]
    return f"  column {wanted.name!r}: the contract says {kind!r}, the source has {found}: {why}"


def _kept_types(table: pa.Schema | None) -> dict[str, pa.DataType]:
    """Return a table's types without their storage variants: a large string is a string."""
    return {field.name: lake_type(field.type, Rules()) or field.type for field in table or ()}
