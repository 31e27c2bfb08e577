"""The profile of a partition, or of any number of partitions merged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError
from mlops_tasks.profiles.accumulators import CategoryAccumulator, NumericAccumulator, kind_of
from mlops_tasks.profiles.alignment import union
from mlops_tasks.profiles.categories import CategoryColumns, CategoryProfile
from mlops_tasks.profiles.file_format import decode, encode
from mlops_tasks.profiles.numeric import NumericColumns, NumericProfile
from mlops_tasks.profiles.quantiles import MERGED_POINTS
from mlops_tasks.profiles.recoding import categories_of
from mlops_tasks.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

__all__ = ["ColumnProfile", "Profile", "ProfileBuilder"]

ColumnProfile = NumericProfile | CategoryProfile

#: Rows sorted at once: half a megabyte a column, which a processor's cache holds.
_CHUNK_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Profile:
    """What each column of some rows looked like, in bounded memory.

    Attributes
    ----------
    n_rows : int
        Rows profiled.
    order : tuple of str
        Names of the columns, in the order of the schema.
    numbers : NumericColumns
        Columns of numbers and of times.
    categories : CategoryColumns
        The other columns.

    Notes
    -----
    Counts, minima and maxima of a merge equal those of all rows at once, moments do up to
    rounding, and ranks within the `rank_error` that each column states.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.table({"x": [3, 1, 2], "color": ["red", "blue", "red"]})
    >>> profile = Profile.of(rows.to_batches(), rows.schema)
    >>> profile.columns["x"].quantiles([0.5]).tolist(), dict(profile.columns["color"].counts)
    ([2.0], {'red': 2, 'blue': 1})
    >>> Profile.from_bytes(Profile.merged([profile, profile]).to_bytes()).n_rows
    6
    """

    n_rows: int
    order: tuple[str, ...]
    numbers: NumericColumns
    categories: CategoryColumns

    @classmethod
    def of(
        cls,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        categorical: Collection[str] = (),
    ) -> Profile:
        """Profile rows in one pass.

        Parameters
        ----------
        batches : iterable of RecordBatch
            All with the columns of the schema.
        schema : Schema
            Says what there is when there are no rows.
        columns : sequence of str, optional
            Columns to profile; by default all.
        categorical : collection of str, optional
            Columns that are categories whatever their type, as `ModelSpec.categorical` declares.

        Returns
        -------
        Profile
            Equal for equal rows in equal order, however they are cut into batches.

        Raises
        ------
        TypeError
            If a column has a type of which there is no profile.
        SchemaMismatchError
            If a batch or `columns` does not agree with the schema.
        """
        builder = ProfileBuilder(schema, columns=columns, categorical=categorical)
        for batch in batches:
            builder.update(batch)
        return builder.finish()

    @classmethod
    def of_columns(cls, n_rows: int, columns: Mapping[str, ColumnProfile]) -> Profile:
        """Make a profile of finished columns.

        Parameters
        ----------
        n_rows : int
            Rows of each.
        columns : mapping of str to ColumnProfile
            In the order of the schema.

        Returns
        -------
        Profile
            Of these.
        """
        numbers = {n: c for n, c in columns.items() if isinstance(c, NumericProfile)}
        categories = {n: c for n, c in columns.items() if isinstance(c, CategoryProfile)}
        return cls(
            n_rows, tuple(columns), NumericColumns.of(numbers), CategoryColumns.of(categories)
        )

    @classmethod
    def merged(cls, profiles: Iterable[Profile], *, n_points: int = MERGED_POINTS) -> Profile:
        """Merge profiles of rows of the same table; reads no data.

        Parameters
        ----------
        profiles : iterable of Profile
            At least one, in any order. A column that one lacks counts no rows there.
        n_points : int, default 2048
            Points of a column of numbers, at most.

        Returns
        -------
        Profile
            Of the union of rows. Merging all at once is faster and closer than one by one: each
            merge adds half a point to the rank errors, 1/4096 by default, once there are more rows
            than points.

        Raises
        ------
        ValueError
            If there is none.
        SchemaMismatchError
            If a column changed its kind.
        """
        parts = list(profiles)
        if not parts:
            raise ValueError("no profiles to merge: the window has no partition with a profile")
        if len(parts) == 1:
            return parts[0]  # whatever its points
        _check_kinds(parts)
        return cls(
            sum(part.n_rows for part in parts),
            union(part.order for part in parts),
            NumericColumns.merged([part.numbers for part in parts], n_points),
            CategoryColumns.merged([part.categories for part in parts]),
        )

    def thinned(self, n_points: int) -> Profile:
        """Return the same with fewer points.

        Parameters
        ----------
        n_points : int
            Points of a column of numbers, at most; half a point is added to the rank errors.
        """
        return replace(self, numbers=self.numbers.thinned(n_points))

    def only(self, names: Iterable[str]) -> Profile:
        """Return the same with some of its columns.

        Parameters
        ----------
        names : iterable of str
            Columns wanted; what is none of this profile's is left out.
        """
        kept = {name: self.columns[name] for name in names if name in self.columns}
        return Profile.of_columns(self.n_rows, kept)

    def declared(self, categorical: Collection[str]) -> Profile:
        """Return the same with the columns declared as categorical read as categories.

        Parameters
        ----------
        categorical : collection of str
            Those that were profiled as numbers, before they were declared, are read as
            `categories_of` does; the others stay as they are.
        """
        # Of most days nothing is to be read anew, and to take their columns apart costs time.
        named = set(categorical).intersection(self.numbers.names)
        coded = {
            name: categories_of(column)
            for name in named
            if isinstance(column := self.columns[name], NumericProfile) and column.kind != "time"
        }
        return Profile.of_columns(self.n_rows, {**self.columns, **coded}) if coded else self

    @cached_property
    def columns(self) -> Mapping[str, ColumnProfile]:
        """The columns by name, in schema order; read-only."""
        found = self.numbers.by_name() | self.categories.by_name()
        return MappingProxyType({name: found[name] for name in self.order})

    def to_bytes(self) -> bytes:
        """Return the stored form, versioned and checked; its bytes are for `from_bytes` only."""
        return encode(self.n_rows, self.order, self.numbers, self.categories)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Profile:
        """Read the stored form.

        Parameters
        ----------
        raw : bytes
            From `to_bytes`, of this version or an older one.

        Returns
        -------
        Profile
            The same.

        Raises
        ------
        DamagedTableError
            If it is no profile, of a newer format version, or damaged.
        """
        return cls(*decode(raw))


class ProfileBuilder:
    """Fold record batches into a `Profile` while they pass.

    Batches are gathered into chunks; the columns of a chunk are folded on as many threads as
    ``MLOPS_THREADS`` and the processors allow (NumPy and Arrow release the interpreter lock) while
    the caller fetches the next one. At most two chunks are in memory. Equal rows in equal order
    give an equal profile, however they are cut into batches and on however many threads.

    Parameters
    ----------
    schema : Schema
        Of the batches.
    columns : sequence of str, optional
        Columns to profile, in this order; by default all.
    categorical : collection of str, optional
        Columns whose values are names, such as codes of shops, also where they are written as
        numbers or days; what the schema does not have is ignored.

    Raises
    ------
    TypeError
        If a column has a type of which there is no profile; naming the others in `columns` avoids
        it.
    SchemaMismatchError
        If `columns` names one that the schema has not.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.table({"x": [1.0, 2.0, None]})
    >>> builder = ProfileBuilder(rows.schema)
    >>> for batch in rows.to_batches():
    ...     builder.update(batch)
    >>> builder.finish().columns["x"].mean
    1.5
    """

    def __init__(
        self,
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        categorical: Collection[str] = (),
    ) -> None:
        import pyarrow as pa

        names = list(schema.names if columns is None else columns)
        missing = [name for name in names if name not in schema.names]
        if missing:
            raise SchemaMismatchError(
                f"cannot profile {missing}: the rows have the columns {schema.names}"
            )
        self._schema = pa.schema([pa.field(name, schema.field(name).type) for name in names])
        self._accumulators = {one.name: _accumulator(one, categorical) for one in self._schema}
        self._pending: list[pa.RecordBatch] = []
        self._n_pending = self._n_rows = 0
        self._workers = Workers()

    def update(self, batch: pa.RecordBatch) -> None:
        """Add rows.

        Parameters
        ----------
        batch : RecordBatch
            With the columns of the schema, others are ignored; not to be changed afterwards.

        Raises
        ------
        SchemaMismatchError
            If a column is missing or of another type.
        """
        import pyarrow as pa

        self._check(batch.schema)
        arrays = [batch.column(name) for name in self._schema.names]
        self._n_rows += batch.num_rows
        if not arrays or not batch.num_rows:
            return
        self._pending.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._n_pending += batch.num_rows
        if self._n_pending >= _CHUNK_ROWS:
            self._flush(everything=False)

    def finish(self) -> Profile:
        """Return the profile of all rows; the builder is used up."""
        self._flush(everything=True)
        self._workers.close()
        columns = {name: one.finish() for name, one in self._accumulators.items()}
        return Profile.of_columns(self._n_rows, columns)

    def _check(self, schema: pa.Schema) -> None:
        wrong = [
            f"{field.name}: {'missing' if at < 0 else schema.field(at).type}, not {field.type}"
            for field in self._schema
            if (at := schema.get_field_index(field.name)) < 0 or schema.field(at).type != field.type
        ]
        if wrong:
            raise SchemaMismatchError(
                "a batch does not have the columns the profile began with:\n  " + "\n  ".join(wrong)
            )

    def _flush(self, *, everything: bool) -> None:
        """Fold whole chunks, or all that is pending; the last chunk's work may go on."""
        import pyarrow as pa

        if not self._pending:
            return
        rows = pa.Table.from_batches(self._pending)
        whole = rows.num_rows if everything else rows.num_rows - rows.num_rows % _CHUNK_ROWS
        for start in range(0, whole, _CHUNK_ROWS):
            self._workers.wait()
            chunk = rows.slice(start, min(_CHUNK_ROWS, whole - start))
            for name, accumulator in self._accumulators.items():
                self._workers.submit(_fold, accumulator, chunk.column(name))
        rest = rows.slice(whole)
        self._pending, self._n_pending = rest.to_batches(), rest.num_rows


def _accumulator(
    field: pa.Field, categorical: Collection[str]
) -> NumericAccumulator | CategoryAccumulator:
    kind = kind_of(field.name, field.type)
    if kind == "category" or field.name in categorical:
        return CategoryAccumulator()
    return NumericAccumulator(kind)


def _fold(accumulator: NumericAccumulator | CategoryAccumulator, column: pa.ChunkedArray) -> None:
    accumulator.add(column.combine_chunks())


def _check_kinds(parts: Sequence[Profile]) -> None:
    """Refuse to merge profiles in which a column changed its kind."""
    seen = {(p.numbers.names, p.numbers.is_time.tobytes(), p.categories.names): p for p in parts}
    kinds: dict[str, str] = {}
    for part in seen.values():
        is_time = zip(part.numbers.names, part.numbers.is_time.tolist(), strict=True)
        own = {name: "time" if time else "numeric" for name, time in is_time}
        for name, kind in (own | dict.fromkeys(part.categories.names, "category")).items():
            if kinds.setdefault(name, kind) != kind:
                raise SchemaMismatchError(
                    f"column {name!r} is {kinds[name]} in one profile and {kind} in another: "
                    "its type changed between them; merge each side of the change by itself"
                )
